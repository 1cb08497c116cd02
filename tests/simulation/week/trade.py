"""What customers do: orders by word of a shop, by API and at a marketplace; edits and cancellations of them."""

from __future__ import annotations

import datetime
import random
from uuid import UUID

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from api.ids import decode_id
from app.orders.take_order import take_order
from tests.simulation.week.company import DIRECT, SHOP, Order, World
from tests.simulation.week.outside import buy_at

_ID = "SELECT id FROM orders WHERE channel_id = $1 AND external_id = $2"


async def buy(world: World, chance: random.Random) -> None:
    """One order, or a change of one."""
    act = chance.choices(("shop", "direct", "market", "edit", "cancel"), (6, 3, 3, 2, 1))[0]
    if act == "market" and world.markets:
        await buy_at(world, chance.choice(world.markets), _item(world, chance), chance.choice((1, 1, 2)))
    elif act == "direct":
        await _order_directly(world, chance)
    elif act in {"edit", "cancel"} and world.orders:
        await _change(world, chance, cancel=act == "cancel")
    else:
        await _order_by_shop(world, chance)


def _sku(world: World, chance: random.Random) -> str:
    """Some sell much more than others."""
    return world.skus[min(int(chance.expovariate(4.0) * len(world.skus)), len(world.skus) - 1)]


def _item(world: World, chance: random.Random) -> str:
    """A set at times."""
    return chance.choice(list(world.kits)) if chance.random() < 0.15 else _sku(world, chance)


def _wanted(world: World, chance: random.Random) -> dict[str, int]:
    return {_item(world, chance): chance.choice((1, 1, 1, 2, 3)) for _ in range(chance.choice((1, 1, 2, 3)))}


async def _order_by_shop(world: World, chance: random.Random) -> None:
    order = Order(SHOP, world.key("order"), _wanted(world, chance))
    await _say(world, order)
    if chance.random() < 0.1:
        await _say(world, order)  # channels say things twice
    await _keep(world, order)


async def _say(world: World, order: Order) -> None:
    """The channel's word of it, as it stands."""
    lines = tuple(ChannelOrderLine(f"{order.external_id}-{sku}", sku, sku, n) for sku, n in order.lines.items() if n)
    now = datetime.datetime.now(datetime.UTC)
    told = ChannelOrder(
        order.external_id, f"#{order.external_id}", now, lines, "DE", cancelled=order.cancelled, version=order.version
    )
    await take_order(world.state, world.channels[SHOP], told)
    world.tally.done["word of an order"] += 1


async def _keep(world: World, order: Order) -> None:
    row = await world.state.database.hot.fetchval(_ID, world.channels[order.channel], order.external_id)
    world.orders[str(row)] = order


async def _order_directly(world: World, chance: random.Random) -> None:
    order = Order(DIRECT, world.key("direct"), _wanted(world, chance))
    lines = [{"sku": sku, "quantity": n} for sku, n in order.lines.items()]
    fields = {"channel": DIRECT, "externalId": order.external_id, "lines": lines}
    made = await world.tell(world.boss, "orderCreate", "order { id }", **fields)
    if not made["userErrors"]:
        world.orders[str(UUID(decode_id(made["order"]["id"])[1]))] = order


async def _change(world: World, chance: random.Random, *, cancel: bool) -> None:
    """Of one of the last orders: fewer, more or none of it."""
    order = world.orders[chance.choice(list(world.orders)[-25:])]
    if order.channel != SHOP or order.cancelled:
        return
    order.version += 1
    if cancel:
        order.cancelled = True
    else:
        sku = chance.choice(list(order.lines))
        order.lines[sku] = max(0, order.lines[sku] + chance.choice((-1, -1, 1)))
        if not any(order.lines.values()):
            order.lines[sku] = 1
    world.tally.done["order cancelled" if cancel else "order edited"] += 1
    await _say(world, order)
