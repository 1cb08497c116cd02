"""Cancellations made here and an order's store: it hears of each once, and no unit is counted twice."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.sandbox.shopify.config import ALL_SCOPES
from app.orders import tell_cancellations as telling
from app.orders.tell_cancellations import tell_cancellations
from app.settings import Settings
from tests.adapters.shopify.conftest import listener
from tests.app.orders.world import assert_whole, cases, events_of
from tests.store_shop import StoreShop, open_store_shop

__all__ = ["listener"]

SHOWN = "query($id: ID!) { order(id: $id) { status cancellation { state error } lines { sku quantity cancelled } } }"


class Shop(StoreShop):
    """A shop in which orders are cancelled."""

    async def cancel(self, placed: str, units: int | None = None) -> None:
        key = await self.key(placed)
        lines = [] if units is None else [{"line": await self.line(placed), "quantity": units}]
        fields = {"id": key, **({"lines": lines} if lines else {})}
        assert (await self.company.admin.mutate("orderCancel", "order { id }", **fields))["userErrors"] == []

    async def show(self, placed: str) -> tuple[str, str | None, int, int]:
        """The order's status, its notice's state, units ordered and cancelled."""
        order = (await self.company.admin.data(SHOWN, id=await self.key(placed)))["order"]
        notice, (line,) = order["cancellation"], order["lines"]
        return order["status"], notice and notice["state"], line["quantity"], line["cancelled"]

    async def tell(self) -> None:
        await self.company.execute("UPDATE cancel_notices SET next_attempt_at = now() WHERE next_attempt_at > now()")
        await tell_cancellations(self.company.state)

    @property
    def told(self) -> list[str]:
        """What the store was asked to do about cancellations."""
        return [name for call in self.calls for name in ("orderCancel(", "orderEditCommit(") if name in call]


@pytest.fixture
async def shop(settings: Settings, listener: Any) -> AsyncIterator[Shop]:
    async with open_store_shop(settings, listener) as opened:
        yield Shop(opened.company, opened.store, opened.listener, 0, opened.calls)


async def test_an_order_is_cancelled_in_part_and_then_whole(shop: Shop) -> None:
    placed = await shop.buy(3)
    assert await shop.level() == (7, 7, 3)
    await shop.cancel(placed, 1)
    assert await shop.level() == (8, 8, 3), "the store is told the number before it is told of the order"
    await shop.tell()
    await shop.hear("orders/edited")
    assert (await shop.level(), shop.order.lines[0].current) == ((8, 8, 2), 2)
    assert await shop.show(placed) == ("ALLOCATED", "ACKNOWLEDGED", 3, 1)
    await shop.cancel(placed)
    await shop.tell()
    await shop.hear("orders/cancelled")
    assert (await shop.level(), shop.order.cancelled_at is not None) == ((10, 10, 0), True)
    assert await shop.show(placed) == ("CANCELLED", "ACKNOWLEDGED", 3, 3)
    before, again = await events_of(shop.company, placed), list(shop.listener.received)
    for headers, body in reversed(again):
        await shop.deliver([({**headers, "x-shopify-webhook-id": f"again-{headers['x-shopify-webhook-id']}"}, body)])
    assert (await shop.level(), await events_of(shop.company, placed)) == ((10, 10, 0), before)
    assert (await shop.show(placed))[:2] == ("CANCELLED", "ACKNOWLEDGED")
    assert shop.told == ["orderEditCommit(", "orderCancel("]
    assert await shop.company.value("SELECT count(*) FROM exception_cases") == 0
    assert await shop.company.value("SELECT count(*) FROM returns") == 0, "its refunds are no returns"
    await assert_whole(shop.company)


async def test_a_buyer_cancels_what_is_being_cancelled_here(shop: Shop) -> None:
    """The store puts the units on sale at that moment, as it is told the same number from here."""
    placed = await shop.buy(3)
    await shop.cancel(placed)
    await shop.store.tell("cancel", placed)
    assert shop.store.shown("SKU-0") == 10
    await shop.tell()
    assert (await shop.level(), shop.told) == ((10, 10, 0), [])
    await shop.hear("orders/cancelled")
    assert await shop.show(placed) == ("CANCELLED", "ACKNOWLEDGED", 3, 3)
    assert await shop.level() == (10, 10, 0)
    await assert_whole(shop.company)


@pytest.mark.parametrize("units", [1, 3])
async def test_a_worker_that_is_killed_before_it_records_what_it_told(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, units: int
) -> None:
    async def die(*given: Any) -> None:
        raise KilledError

    placed = await shop.buy(3)
    assert await shop.level() == (7, 7, 3)
    await shop.cancel(placed, units)
    with monkeypatch.context() as killed:
        killed.setattr(telling, "_settle", die)
        with pytest.raises(KilledError):
            await shop.tell()
    assert (await shop.show(placed))[1] == "PENDING"
    assert await tell_cancellations(shop.company.state) == 0, "its lease holds"
    await shop.listener.wait("orders/cancelled" if units == 3 else "orders/edited", 1)
    await shop.tell()
    assert ((await shop.show(placed))[1], len(shop.told)) == ("ACKNOWLEDGED", 1), "the order read back is the proof"
    assert await shop.level() == (7 + units, 7 + units, 3 - units)


async def test_a_missing_scope_is_a_case_that_waits_for_a_person(shop: Shop) -> None:
    placed = await shop.buy(3)
    state = shop.store.store
    state.config = dataclasses.replace(state.config, scopes=ALL_SCOPES - {"write_orders"})
    await shop.cancel(placed)
    await shop.tell()
    assert ((await shop.show(placed))[1], await cases(shop.company)) == ("REFUSED", ["CANCELLATION_REFUSED"])
    case = (await shop.company.admin.data("{ exceptionCases { nodes { id cause detail } } }"))["exceptionCases"]
    (found,) = case["nodes"]
    assert (found["cause"], "write_orders" in found["detail"]) == ("AUTH", True)
    await shop.tell()
    assert shop.told == ["orderCancel("], "it is not tried for ever"
    assert await shop.company.value("SELECT max(failures) FROM channel_circuits") in (0, None), "the connection works"
    state.config = dataclasses.replace(state.config, scopes=ALL_SCOPES)
    assert (await shop.company.admin.mutate("exceptionRetry", "exception { id }", id=found["id"]))["userErrors"] == []
    await shop.tell()
    await shop.hear("orders/cancelled")
    assert ((await shop.show(placed))[1], await cases(shop.company)) == ("ACKNOWLEDGED", [])


class KilledError(BaseException):
    """As far as the process is concerned, everything ends here."""
