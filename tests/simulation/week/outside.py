"""The marketplaces of the week: everything that can go wrong with them by day, one of them gone for a while, and all of
it settled in the quiet hour.
"""

from __future__ import annotations

import asyncio
import contextlib

import httpx

from app.channels.resync_listings import resync_listings
from tests.simulation.market import Market
from tests.simulation.markets import gather_states
from tests.simulation.week.company import World

_REFUSED = "SELECT id FROM listings WHERE rejected"
_DESIRED = """
SELECT k.code, l.desired FROM listings l JOIN skus k ON k.id = l.sku_id JOIN channels c ON c.id = l.channel_id
WHERE c.code = $1
"""
_PARCELS = """
SELECT DISTINCT c.code AS channel, o.external_id, 'order:' || o.id AS subject, 'fulfillment:' || f.id AS parcel
FROM orders o JOIN channels c ON c.id = o.channel_id LEFT JOIN fulfillment_orders w ON w.order_id = o.id
LEFT JOIN fulfillments f ON f.fulfillment_order_id = w.id
"""
_KNOWN = """
SELECT o.external_id, count(*) AS times FROM orders o JOIN channels c ON c.id = o.channel_id WHERE c.code = $1 GROUP BY 1
"""


async def open_markets(world: World, day: int) -> None:
    """Faults of the day, of their own seed."""
    for market in world.markets:
        await market.set_faults(world.seed * 100 + day + 1)


async def calm_markets(world: World) -> None:
    """Their faults are over; somebody tells again what they refused for good."""
    for market in world.markets:
        await market.set_faults(0)
    rows = await world.state.database.hot.fetch(_REFUSED)
    async with world.state.database.hot.acquire() as connection, connection.transaction():
        await resync_listings(connection, [row["id"] for row in rows])
    world.state.doorbell.ring("push")


async def lose_market(world: World, day: int, seconds: float) -> None:
    """One of them answers nothing but errors for a third of the day."""
    if not world.markets:
        return
    gone = world.markets[day // 2 % len(world.markets)]
    await asyncio.sleep(seconds / 3)
    await gone.fail(world.seed * 100 + day + 1)
    world.tally.done[f"{gone.kind} gone"] += 1
    await asyncio.sleep(seconds / 3)
    await gone.set_faults(world.seed * 100 + day + 1)


async def find_unequal(world: World) -> list[str]:
    """What a marketplace shows that it should not, and orders of it that are not on record, or twice."""
    if not world.markets:
        return []
    states, problems = await gather_states(world.markets), []
    for market in world.markets:
        hot, shown = world.state.database.hot, states[market.kind]
        wanted = {row["code"]: row["desired"] for row in await hot.fetch(_DESIRED, market.code)}
        known = {row["external_id"]: row["times"] for row in await hot.fetch(_KNOWN, market.code)}
        world.cancelled_outside |= {
            (market.code, str(order["id"])) for order in shown["orders"] if market.is_cancelled(order)
        }
        placed = {str(order["id"]) for order in shown["orders"]}
        problems += [
            f"{market.kind} shows {shown['quantities'][sku]} of {sku}, not {n}"
            for sku, n in wanted.items()
            if shown["quantities"][sku] != n
        ]
        problems += [f"{market.kind}: {sorted(placed ^ set(known))[:5]} are not on both sides"] * (placed != set(known))
        problems += [f"{market.kind}: {one} is on record {times} times" for one, times in known.items() if times > 1]
    return problems


async def list_cancelled(world: World) -> tuple[set[str], set[str]]:
    """Orders and parcels, as subjects of cases, of what a marketplace cancelled: it may have left by then."""
    rows = await world.state.database.hot.fetch(_PARCELS)
    gone = [row for row in rows if (row["channel"], row["external_id"]) in world.cancelled_outside]
    return {row["subject"] for row in gone}, {row["parcel"] for row in gone if row["parcel"]}


async def buy_at(world: World, market: Market, sku: str, units: int) -> None:
    """A shopper there, who may get no answer."""
    with contextlib.suppress(httpx.HTTPError):
        world.tally.done[f"{market.kind} order"] += await market.buy(sku, units) is not None
