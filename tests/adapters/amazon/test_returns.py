"""Returns that Amazon lists: each state of each once, whatever the pages, and what they mean."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from adapters.channels.amazon.list_returns import EXTERNAL_RETURN
from adapters.channels.amazon.open_amazon import open_amazon
from adapters.channels.news import ReturnNotice, ReturnSeen
from adapters.channels.refuse_call import NotOffered
from adapters.channels.returns import ReturnListingChannel
from adapters.sandbox.amazon.place_order import place_order, read_cart
from adapters.sandbox.amazon.serve_returns import move_return, open_return
from adapters.sandbox.amazon.state import Order, Return
from domain.errors import CauseClass, Fault
from tests.adapters.amazon.conftest import CONNECTION, Ledger, Setup, open_setup
from tests.adapters.amazon.test_orders import HOUR, now


def sell(setup: Setup, units: int = 2) -> Order:
    order = place_order(setup.market.market, read_cart({"lines": [{"sku": "TEA-1", "quantity": units}], "force": True}))
    order.lines[0].shipped = units
    return order


def send_back(setup: Setup, order: Order, units: int = 1, **fields: Any) -> Return:
    [made] = open_return(setup.market.market, order, {"lines": [{"sku": "TEA-1", "quantity": units}], **fields})
    return made


async def read_all(setup: Setup) -> dict[str, ReturnNotice]:
    """By the id that each record is stored under."""
    found, cursor, since = {}, None, now() - HOUR
    for _ in range(10):
        page = await setup.channel.list_returns(since, cursor)
        for event, body in page.records:
            [news] = setup.channel.read_event(event.topic, body)
            assert isinstance(news, ReturnSeen)
            assert event.topic == EXTERNAL_RETURN
            found[event.event_id] = news.notice
        cursor = page.cursor
        if cursor is None:
            break
    return found


async def test_a_return_says_what_of_which_order_comes_back(setup: Setup) -> None:
    order = sell(setup)
    made = send_back(setup, order, 2, reason="Too small")
    [(name, notice)] = (await read_all(setup)).items()
    assert name.startswith(f"return:{made.return_id}@")
    assert notice == ReturnNotice(made.return_id, order.order_id, items=(("TEA-1", 2),), reason="Too small")


async def test_each_state_has_a_name_of_its_own_and_the_later_sorts_later(setup: Setup) -> None:
    made = send_back(setup, sell(setup))
    [first] = await read_all(setup)
    assert [*await read_all(setup)] == [first]
    await asyncio.sleep(0.005)
    move_return(setup.market.market, {"return": made.return_id, "status": "CANCELLED"})
    [(second, notice)] = (await read_all(setup)).items()
    assert (second > first, notice.cancelled) == (True, True)


async def test_what_is_sent_instead_is_named(setup: Setup) -> None:
    made = send_back(setup, sell(setup), kind="EXCHANGE")
    [notice] = (await read_all(setup)).values()
    assert notice.exchange == made.reference


async def test_every_page_is_read(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapters.channels.amazon.list_returns.RETURNS_MAX", 2)
    order = sell(setup)
    for _ in range(5):
        send_back(setup, order)
    assert len(await read_all(setup)) == 5
    assert setup.quota.count("listReturns") == 3


async def test_it_is_asked_only_where_the_seller_has_it(setup: Setup) -> None:
    assert isinstance(setup.channel, ReturnListingChannel)
    assert setup.channel.lists_returns is False
    async with open_setup(replace(CONNECTION, external_returns=True)) as other:
        assert other.channel.lists_returns is True
    config = {"seller_id": "s", "marketplace_id": "m", "client_id": "c", "external_returns": True}
    opened = open_amazon(setup.channel.api.http, Ledger(), config, {"client_secret": "x", "refresh_token": "y"})
    assert opened.lists_returns is True


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"id": "1", "marketplaceChannelDetails": []}', b"nonsense"])
def test_what_cannot_be_read_is_said(setup: Setup, body: bytes) -> None:
    with pytest.raises(Fault):
        setup.channel.read_event(EXTERNAL_RETURN, body)


def test_one_of_no_order_of_the_marketplace_is_left_alone(setup: Setup) -> None:
    body = b'{"id": "1", "marketplaceChannelDetails": {}, "status": "CREATED", "returnMetadata": {}}'
    assert list(setup.channel.read_event(EXTERNAL_RETURN, body)) == []


async def test_no_refund_is_asked_of_amazon(setup: Setup) -> None:
    with pytest.raises(NotOffered, match="Seller Central") as refused:
        await setup.channel.issue_refund(None)  # type: ignore[arg-type]
    assert (refused.value.transient, refused.value.cause) == (False, CauseClass.POLICY)
