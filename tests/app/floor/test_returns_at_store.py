"""Returns that begin at a store, over its real API and ours: from its notice to the unit that is for sale again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from adapters.sandbox.shopify.refunds import Return as StoreReturn
from app.fulfillment.confirm_shipments import confirm_shipments
from app.fulfillment.release_work import release_work
from app.orders.tell_cancellations import tell_cancellations
from app.returns.look_refunds import look_refunds
from app.returns.tell_refunds import tell_refunds
from app.settings import Settings
from tests.adapters.shopify.conftest import listener
from tests.app.orders.world import assert_whole
from tests.store_shop import StoreShop, open_store_shop

__all__ = ["listener"]

RETURNS = """{ returns { nodes { id state origin custody condition money refundState exchangeOrderId exchangeReference
  channelRestocked lines { sku { code } authorized received inspected } } } }"""
ORDER = """query($id: ID!) { order(id: $id) { status lines { sku quantity allocated shipped exchangeReturnId }
  fulfillmentOrders { id status } } }"""


class Shop(StoreShop):
    """A shop whose parcels leave, and come back."""

    async def do(self, name: str, selection: str = "return { id }", **fields: Any) -> Any:
        made = await self.company.admin.mutate(name, selection, **fields)
        assert made["userErrors"] == [], made
        return made

    async def ship(self, placed: str, tracking: str = "T-1") -> None:
        """Everything that is promised of it, from our floor to the store's record."""
        assert await release_work(self.company.state) > 0
        for work in (await self.show(placed))["fulfillmentOrders"]:
            if work["status"] == "RELEASED":
                await self.do("fulfillmentOrderAccept", "fulfillmentOrder { id }", id=work["id"])
                given = {"id": work["id"], "carrier": "DHL", "trackingNumber": tracking}
                await self.do("fulfillmentOrderShip", "fulfillmentOrder { id }", **given)
        while await confirm_shipments(self.company.state):
            pass

    async def show(self, placed: str) -> Any:
        return (await self.company.admin.data(ORDER, id=await self.key(placed)))["order"]

    async def coming(self) -> Any:
        """The only return there is."""
        (found,) = (await self.company.admin.data(RETURNS))["returns"]["nodes"]
        return found

    @property
    def known(self) -> StoreReturn:
        """As the store has it."""
        (known,) = self.order.returns
        return known


@pytest.fixture
async def shop(settings: Settings, listener: Any) -> AsyncIterator[Shop]:
    async with open_store_shop(settings, listener, skus=2) as opened:
        yield Shop(opened.company, opened.store, opened.listener, 0, opened.calls)


def line(units: int = 2, **fields: Any) -> list[dict[str, Any]]:
    return [{"sku": "SKU-0", "quantity": units, **fields}]


async def test_a_unit_that_the_store_counts_by_itself_is_counted_once_and_paid_once(shop: Shop) -> None:
    """From the store's notice to its word that the buyer has the money, and the unit for sale again."""
    placed = await shop.buy(2)
    await shop.ship(placed)
    assert await shop.level() == (8, 8, 0)
    await shop.store.tell("return", placed, lines=line())
    await shop.hear("returns/approve")
    made = await shop.coming()
    assert (made["origin"], made["custody"], made["money"]) == ("CHANNEL", "EXPECTED", "NONE")
    await shop.do("returnReceive", id=made["id"], lines=line())
    assert await shop.level() == (8, 8, 0), "nobody can buy what nobody has looked at"
    await shop.do("returnInspect", id=made["id"], lines=line(disposition="RESTOCK"))
    assert await shop.level() == (10, 10, 0), "published again"
    await shop.do("returnRefund", id=made["id"], step="DUE", refund={"amount": "20", "currency": "USD"})
    once = {"rate": 1, "times": 1}
    await shop.store.set_faults(restock_anyway=once, refund_pending=once)
    assert await tell_refunds(shop.company.state) == 1
    assert shop.store.shown("SKU-0") == 12, "the store has put them back by itself"
    await shop.hear("refunds/create")
    assert await shop.level() == (10, 10, 0)
    made = await shop.coming()
    assert (made["money"], made["refundState"], made["channelRestocked"]) == ("TOLD", "SENT", True)
    await shop.store.tell("settle-refunds", placed)
    await shop.company.execute("UPDATE returns SET refund_next_at = now() WHERE money = 'TOLD'")
    assert await look_refunds(shop.company.state) == 1
    await shop.do("returnClose", id=made["id"])
    again = [
        ({**headers, "x-shopify-webhook-id": f"again-{n}"}, body)
        for n, (headers, body) in enumerate(shop.listener.received)
    ]
    await shop.deliver(again)  # whatever it says again changes nothing
    made = await shop.coming()
    assert (made["state"], made["custody"], made["condition"]) == ("CLOSED", "RECEIVED", "INSPECTED")
    assert (made["money"], made["refundState"], made["lines"][0]["received"]) == ("CONFIRMED", "SENT", 2)
    assert await shop.level() == (10, 10, 0)
    [refund] = shop.order.refunds
    assert (refund.amount, refund.of_return, shop.known.status) == ("20.00", shop.known.index, "CLOSED")
    assert (
        await shop.company.value("SELECT string_agg(kind, ' ') FROM exception_cases WHERE state <> 'RESOLVED'") is None
    )
    await assert_whole(shop.company)


async def test_what_the_store_sends_instead_is_a_line_of_its_order_and_linked_to_the_return(shop: Shop) -> None:
    placed = await shop.buy(2)
    await shop.ship(placed)
    await shop.store.tell("return", placed, lines=line(), exchanges=[{"sku": "SKU-1", "quantity": 1}])
    await shop.hear("returns/approve")
    made = await shop.coming()
    assert (made["origin"], made["custody"], made["exchangeOrderId"]) == ("CHANNEL", "EXPECTED", None)
    assert made["exchangeReference"] == "1 lines of the same order, added by the store"
    refused = await shop.company.admin.mutate("returnExchange", "order { id }", id=made["id"], lines=line(1))
    assert refused["userErrors"][0]["code"] == "WRONG_STATE", "something is sent instead already"
    await shop.store.tell("process-return", placed)
    await shop.hear("returns/process")
    order, made = await shop.show(placed), await shop.coming()
    sent = [one for one in order["lines"] if one["exchangeReturnId"]]
    assert sent == [{"sku": "SKU-1", "quantity": 1, "allocated": 1, "shipped": 0, "exchangeReturnId": made["id"]}]
    assert (made["exchangeOrderId"], order["status"]) == (await shop.key(placed), "PARTLY_SHIPPED")
    assert await shop.level("SKU-1") == (9, 9, 1)
    await shop.ship(placed, "T-2")
    assert [parcel.number for parcel in shop.order.parcels] == ["T-1", "T-2"]
    assert (await shop.show(placed))["status"] == "SHIPPED"


async def test_a_return_that_the_store_calls_off_is_awaited_no_more(shop: Shop) -> None:
    placed = await shop.buy(2)
    await shop.ship(placed)
    await shop.store.tell("return", placed, lines=line())
    await shop.store.tell("cancel-return", placed)
    await shop.hear("returns/cancel")
    assert (await shop.coming())["state"] == "CANCELLED"


async def test_what_was_cancelled_is_told_of_a_line_of_which_other_units_came_back(shop: Shop) -> None:
    """Five were sold, three were there and are shipped, two of them come back: the two that nobody has are cancelled."""
    placed = await shop.store.buy(("SKU-0", 5))
    await shop.do("stockAdjust", "", warehouse="BER", reason="COUNT", lines=[{"sku": "SKU-0", "delta": -7}])
    await shop.hear("orders/create")
    await shop.ship(placed)
    await shop.store.tell("return", placed, lines=line())
    await shop.hear("returns/approve")
    made = await shop.coming()
    await shop.do("returnReceive", id=made["id"], lines=line())
    await shop.do("returnInspect", id=made["id"], lines=line(disposition="SCRAP"))
    await shop.do("returnRefund", id=made["id"], step="DUE", refund={"amount": "20", "currency": "USD"})
    assert await tell_refunds(shop.company.state) == 1
    await shop.hear("refunds/create")
    (sold,) = shop.order.lines
    assert (sold.current, sold.unshipped) == (3, 2)
    await shop.do(
        "orderCancel",
        "order { id }",
        id=await shop.key(placed),
        lines=[{"line": await shop.line(placed), "quantity": 2}],
    )
    assert await tell_cancellations(shop.company.state) == 1
    assert (sold.current, sold.unshipped) == (1, 0)
    await shop.hear("orders/edited")
    found = await shop.company.admin.data(
        "query($id: ID!) { order(id: $id) { status cancellation { state } } }", id=await shop.key(placed)
    )
    assert found["order"] == {"status": "SHIPPED", "cancellation": {"state": "ACKNOWLEDGED"}}
    assert await shop.company.value("SELECT count(*) FROM exception_cases WHERE kind = 'CANCELLATION_REFUSED'") == 0
    await assert_whole(shop.company)
