"""A sandbox and a channel for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from adapters.channels.ebay.channel import EbayChannel
from tests.adapters.ebay.market import Market, connect, open_market


@pytest.fixture
async def market() -> AsyncIterator[Market]:
    async with open_market() as opened:
        yield opened


@pytest.fixture
async def ebay(market: Market) -> AsyncIterator[EbayChannel]:
    async with connect(market) as opened:
        yield opened
