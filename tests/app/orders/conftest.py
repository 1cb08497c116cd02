from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from app.settings import Settings
from tests.app.orders.world import assert_whole
from tests.channel_company import ChannelCompany, open_channel_company


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    """Ten units of SKU-0 to SKU-2 in BER and in NYC; `shop` sells from both. The ledger holds at the end."""
    async with open_channel_company(settings, monkeypatch) as opened:
        yield opened
        await assert_whole(opened)
