"""Every fault at once, from a seed: the quantities converge, no order is lost, no parcel is confirmed twice."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta

import pytest

from adapters.channels.base import ChannelOrder, ListingRef, Shipment, WriteOutcome
from adapters.channels.ebay.channel import EbayChannel
from adapters.channels.news import OrderToPull
from adapters.sandbox.ebay import ProductConfig
from domain.errors import CauseClass, Fault
from tests.adapters.ebay.market import Market, open_market
from tests.adapters.ebay.test_events import open_inbox

SKUS = tuple(f"S-{n:02}" for n in range(26))
FAULTS = {
    "limit_exceeded": 0.02, "server_error": 0.04, "token_expired": 0.02, "token_expired_403": 0.01,
    "lost_reply": 0.15, "partial": 0.08, "partial_missing": 0.05, "shuffled": 0.5, "not_applied": 0.05,
    "outside_change": 0.05, "page_shift": 0.5, "cancel_race": 0.1, "notification_duplicate": 0.2,
    "notification_missing": 0.2, "notification_reordered": 0.1,
    "notification_late": {"rate": 0.1, "seconds": 0.2}, "latency": {"rate": 0.1, "seconds": 0.01},
}  # fmt: skip
MEDDLING = {"outside_change", "not_applied"}  # ends before the count: while it lasts nothing can stay right
ROUNDS_MAX = 80


def must_pass(fault: Fault) -> None:
    """None of these faults is of the kind that a person must end; even a fresh token may be revoked at once here."""
    if not fault.transient and fault.cause is not CauseClass.AUTH:
        raise fault


async def push(market: Market, ebay: EbayChannel, desired: dict[str, int], taken: dict[str, int]) -> None:
    """What is not acknowledged is sent: the level, never the event."""
    writes = [market.write(sku, desired[sku]) for sku in SKUS if taken.get(sku) != desired[sku]]
    for start in range(0, len(writes), 25):
        part = writes[start : start + 25]
        try:
            results = await ebay.set_quantities(part)
        except Fault as fault:
            must_pass(fault)
            continue
        for write, result in zip(part, results, strict=True):
            assert result.outcome in {WriteOutcome.OK, WriteOutcome.TRANSIENT}, result
            if result.outcome is WriteOutcome.OK:
                taken[write.external_id] = write.quantity


async def look(market: Market, ebay: EbayChannel, desired: dict[str, int], taken: dict[str, int]) -> bool:
    """Read back: what differs was not taken after all. True when all is as it should be."""
    try:
        seen = await ebay.observe([ListingRef(sku, reference=market.reference(sku)) for sku in SKUS])
    except Fault as fault:
        must_pass(fault)
        return False
    wrong = [one.external_id for one in seen if one.quantity != desired[one.external_id]]
    for sku in wrong:
        taken.pop(sku, None)
    return not wrong


async def pull(ebay: EbayChannel, since: datetime, orders: dict[str, ChannelOrder]) -> None:
    cursor = None
    for _ in range(10):
        try:
            page = await ebay.pull_orders(since, datetime.now(UTC), cursor)
        except Fault as fault:
            must_pass(fault)
            return
        for order in page.orders:
            known = orders.get(order.external_id)
            if known is None or (order.version or 0) > (known.version or 0):
                orders[order.external_id] = order
        cursor = page.cursor
        if cursor is None:
            return


async def ship(ebay: EbayChannel, orders: dict[str, ChannelOrder], done: set[str]) -> None:
    for order in [one for one in orders.values() if one.external_id not in done and not one.cancelled]:
        lines = tuple((line.external_id, line.quantity) for line in order.lines)
        tracking = f"T{order.external_id.replace('-', '')}"
        try:
            result = await ebay.confirm_shipment(
                Shipment(order.external_id, lines, "UPS", tracking, datetime.now(UTC), tracking)
            )
        except Fault as fault:
            must_pass(fault)
            continue
        if result.outcome is not WriteOutcome.TRANSIENT:
            done.add(order.external_id)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_everything_goes_wrong_and_comes_right(seed: int) -> None:
    dice = random.Random(seed)
    products = tuple(ProductConfig(sku, f"Thing {sku}", quantity=50) for sku in SKUS)
    started = datetime.now(UTC) - timedelta(minutes=1)
    desired, taken = dict.fromkeys(SKUS, 50), dict.fromkeys(SKUS, 50)
    orders: dict[str, ChannelOrder] = {}
    placed, done = set[str](), set[str]()
    async with open_market(products=products, seed=seed) as market, open_inbox(market) as inbox:
        ebay = inbox.channel
        assert ebay is not None
        await market.faults(seed=seed, **FAULTS)
        for _ in range(8):
            for sku in dice.sample(SKUS, 10):
                desired[sku] = dice.randrange(30)
            placed |= {(await market.buy(dice.choice(SKUS), force=True))["id"] for _ in range(3)}
            await push(market, ebay, desired, taken)
            await pull(ebay, started, orders)
            await ship(ebay, orders, done)
            await asyncio.sleep(0)
        struck = set((await market.state())["faults"]["struck"])
        await market.faults(seed=seed, **{name: fault for name, fault in FAULTS.items() if name not in MEDDLING})
        for _ in range(ROUNDS_MAX):
            await push(market, ebay, desired, taken)
            right = await look(market, ebay, desired, taken)
            await pull(ebay, started, orders)
            await ship(ebay, orders, done)
            if right and orders.keys() == placed and done | {o for o, one in orders.items() if one.cancelled} == placed:
                break
        else:
            pytest.fail(f"seed {seed} does not converge")
        state = await market.state()
        struck |= set(state["faults"]["struck"])
        assert state["quantities"] == desired
        for order in state["orders"]:
            expected = 0 if order["cancel"] == "CANCELED" else 1
            assert len(order["shipments"]) == expected, order
        told = {one.external_id for key, event in inbox.events.items()
                for one in ebay.read_event(event.topic, inbox.bodies[key]) if isinstance(one, OrderToPull)}  # fmt: skip
        assert told <= placed
    assert len(struck) >= 10
