"""The company of the simulated week: six warehouses, their tablets and people, three channels, suppliers, policies."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.link_listing import ListingLink, link_listings
from app.state import State, open_state
from domain.identity import Role
from tests.company import Client, make_secret
from tests.instance import Running, running_instance
from tests.marketplaces import running_marketplace, settings_of
from tests.simulation.market import Market
from tests.simulation.markets import MARKETS
from tests.simulation.week.scans import Counted, note_given_up
from tests.simulation.week.tablet import Act, Aisle, Tablet, Tally, send
from tests.simulation.week.truth import SUPPLIER, Effect, Move, Truth, shelf

HOUSES = ("BER", "HAM", "MUC", "NYC", "CHI", "SYD")
NEW_HOUSE = "LIS"
TIDY = "NYC"
"""Where people say of every unit from which bin it comes and into which it goes, and where nobody steals."""
SHOP, DIRECT = "shop", "direct"
ENVIRONMENT = {
    "ONHAND_DRIFT_SECONDS": "3",
    "ONHAND_OBSERVE_AGAIN_SECONDS": "1",
    "ONHAND_ORDERS_POLL_SECONDS": "2",
    "ONHAND_ORDERS_OVERLAP_SECONDS": "3600",
    "ONHAND_PUSH_LEASE_SECONDS": "5",
    "ONHAND_APPROVAL_HOURS": "0.001",
    "ONHAND_RETURN_INSPECT_HOURS": "0.001",
    "ONHAND_FULFILLMENT_POLL_SECONDS": "0.3",
    "ONHAND_ORDERS_SWEEP_SECONDS": "1",
}
"""Hours of a warehouse are seconds here."""
CLOCK_SECONDS = 3.6
TABLETS_PER_HOUSE = 2
UNITS, FEW = (15, 45), (1, 4)
SCARCE = ("SKU-2", "SKU-3", "SKU-5")
"""Of these each warehouse has few, so that they are picked short, alone and in sets."""
KITS = {"SET-0": {"SKU-1": 2, "SKU-3": 1}, "SET-1": {"SKU-0": 1, "SKU-2": 1}}
ALONE_MAX = 3
"""Units that a warehouse's people adjust or dispose of without a second person; of a transfer five times as many."""


@dataclass(slots=True)
class Order:
    """An order as its buyer knows it. `lines`: units wanted now by SKU; `version` of the channel's last word."""

    channel: str
    external_id: str
    lines: dict[str, int]
    version: int = 1
    cancelled: bool = False


@dataclass(slots=True)
class World:
    """Everything that the simulator has in hand."""

    seed: int
    instance: Running
    state: State
    http: httpx.AsyncClient
    boss: Client
    second: Client
    markets: list[Market]
    skus: list[str]
    kits: dict[str, dict[str, int]] = field(default_factory=dict)
    """Sets that are sold: units of each component."""
    with_kit: dict[str, bool] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    """Orders of which a part of a set left alone, told when it was gone; and whether an order has a set at all."""
    truth: Truth = field(default_factory=Truth)
    tally: Tally = field(default_factory=Tally)
    houses: list[str] = field(default_factory=list)
    tablets: list[Tablet] = field(default_factory=list)
    aisles: dict[str, Aisle] = field(default_factory=dict)
    bins: dict[str, list[str]] = field(default_factory=dict)
    """Codes of the bins of each warehouse that has some."""
    cancelled_outside: set[tuple[str, str]] = field(default_factory=set)
    """Orders that their marketplace says are cancelled, by channel and id there, when it was last asked."""
    bin_lines: int = 0
    """Bins and SKUs that the last audit of bins held against what stands there."""
    orders: dict[str, Order] = field(default_factory=dict)
    channels: dict[str, int] = field(default_factory=dict)
    resting: asyncio.Event = field(default_factory=asyncio.Event)
    """Set: everybody finishes what is in hand and stops."""
    waiting: dict[str, tuple[Act, int]] = field(default_factory=dict)
    allowed_later: dict[str, Act] = field(default_factory=dict)
    """Disposals that wait for a second person: the units stay where they are until then."""
    """Acts that wait for a second person, by adjustment, and their turn."""
    turns: itertools.count[int] = field(default_factory=itertools.count)
    """Returns that are not what was expected."""
    discrepant: set[str] = field(default_factory=set)
    """Transfers of which somebody said that units are missing or damaged."""
    trucks: dict[str, str] = field(default_factory=dict)
    """Where each transfer's truck is going."""
    short: set[str] = field(default_factory=set)
    """Orders that were picked short or refused as not in stock."""
    rejected: set[str] = field(default_factory=set)
    differing: set[str] = field(default_factory=set)
    """SKUs of which the last snapshot of the warehouse that moved in was not what the books can be."""
    unposted: set[tuple[str, str]] = field(default_factory=set)
    """SKU and warehouse of counts that could not be posted whole."""
    counted: Counted = field(default_factory=Counted)
    keys: itertools.count[int] = field(default_factory=itertools.count)

    def key(self, name: str) -> str:
        return f"{name}-{self.seed}-{next(self.keys)}"

    def give_up(self, act: Act, turn: int) -> None:
        """It was done, and the books will never know."""
        for house, book, sku, units in act.effects:
            self.truth.falsify(house, book, sku, -units, "done, and refused for good")
        self.truth.dirty |= {(house, sku) for house, _, sku, _ in act.places}
        note_given_up(self.counted, act.effects, turn)

    def recorded_at(self, house: str) -> set[str]:
        """What tablets of that warehouse have in their queues: their people know that it is done."""
        return {
            str(one.act.fields.get("id")) for tablet in self.tablets if tablet.house == house for one in tablet.queue
        }

    def truck_of(self, transfer: str) -> str:
        return self.truth.names.get(transfer, transfer)

    @asynccontextmanager
    async def alone(self, house: str) -> AsyncIterator[None]:
        """Nobody else works there meanwhile."""
        await self.aisles[house].enter(alone=True)
        try:
            yield
        finally:
            await self.aisles[house].leave(alone=True)

    async def tell(self, client: Client, name: str, selection: str, /, **fields: Any) -> Any:
        """A mutation from a desk. The payload, refused or not."""
        made = await send(client, self.tally, name, selection, {**fields, "idempotencyKey": self.key(name)})
        if made["userErrors"]:
            self.tally.refused[f"{name} {made['userErrors'][0]['code']}"] += 1
        else:
            self.tally.done[name] += 1
        return made

    async def must(self, client: Client, name: str, selection: str, /, **fields: Any) -> Any:
        made = await self.tell(client, name, selection, **fields)
        assert not made["userErrors"], (name, fields, made)
        return made

    async def hire(self, *roles: Role, house: str | None = None) -> Client:
        known = await self.state.lookup.warehouses()
        ids = None if house is None else [known[house].id]
        return Client(self.http, await make_secret(self.state, *roles, warehouse_ids=ids))

    async def open_house(self, house: str) -> None:
        """A warehouse as data, its tablets and its first goods."""
        made = {"code": house, "name": f"Warehouse {house}", "cutOff": "23:59"}
        await self.must(self.boss, "warehouseCreate", "warehouse { id }", **made)
        await self.state.lookup.reload_warehouses()
        await self.staff(house)
        chance = random.Random(f"{self.seed}{house}")
        units = {sku: chance.randint(*(FEW if sku in SCARCE else UNITS)) for sku in self.skus}
        made_up = {"warehouse": house, "reason": "RECEIPT", "lines": lines_of(units)}
        moves = [Move(sku, SUPPLIER, shelf(house), n) for sku, n in units.items()]
        effects = [Effect(house, "sound", sku, n) for sku, n in units.items()]
        assert await self.tablets[-1].do(Act("stockReceive", made_up, moves, effects)) is not None

    async def staff(self, house: str) -> None:
        """Its tablets."""
        self.aisles[house] = Aisle()
        # the first tablet of a warehouse may see no other one; who sends goods elsewhere must
        for number in range(TABLETS_PER_HOUSE):
            name = f"{self.seed}-{house}-{number}"
            client = await self.hire(Role.WAREHOUSE, house=None if number else house)
            chance = random.Random(name)
            tablet = Tablet(
                name, house, client, self.truth, self.tally, self.aisles[house], self.turns, chance, number > 0
            )
            tablet.shuffles = house != TIDY
            self.tablets.append(tablet)
        self.houses.append(house)


def lines_of(units: dict[str, int]) -> list[dict[str, Any]]:
    return [{"sku": sku, "quantity": n} for sku, n in units.items()]


async def _connect_channels(world: World) -> None:
    """A shop whose words the simulator speaks, business customers, and a marketplace that is a process of its own."""
    sources, listed = dict.fromkeys(world.houses, ""), [*world.skus, *world.kits]
    wanted: list[tuple[ChannelConnect, Sequence[ListingLink]]] = [
        (ChannelConnect(code, code.title(), "B2B", sources, status="LIVE"), [ListingLink(x, x) for x in listed])
        for code in (SHOP, DIRECT)
    ]
    wanted += [await market.connect(listed, world.houses) for market in world.markets]
    for channel, links in wanted:
        async with world.state.database.hot.acquire() as connection:
            channel_id = await connect_channel(connection, world.state.settings, channel)
            await link_listings(connection, channel_id, links)
            world.channels[channel.code] = channel_id
    world.state.doorbell.ring("push")


async def _make_kits(world: World) -> None:
    for kit, made_of in KITS.items():
        await world.must(world.boss, "skuUpsert", "skus { code }", lines=[{"code": kit, "title": "A set"}])
        await world.must(world.boss, "kitSet", "kit { sku }", sku=kit, components=lines_of(made_of))
        world.kits[kit] = made_of


async def _set_rules(world: World) -> None:
    for kind, units in (("ADJUSTMENT", ALONE_MAX), ("DISPOSAL", ALONE_MAX), ("TRANSFER", ALONE_MAX * 5)):
        fields = {"kind": kind, "role": "WAREHOUSE", "unitsMax": units}
        await world.must(world.boss, "approvalPolicySet", "policies { kind }", **fields)
    lines = [{"sku": sku, "packSize": 4} for sku in world.skus]
    fields = {"code": "MAKER", "name": "Maker", "leadDays": 1, "lines": lines}
    await world.must(world.boss, "supplierSet", "supplier { code }", **fields)
    for house, sku in itertools.product(world.houses, world.skus[::3]):
        fields = {"sku": sku, "warehouse": house, "kind": "MIN_MAX", "minimum": 12, "maximum": 24, "supplier": "MAKER"}
        await world.must(world.boss, "replenishmentPolicySet", "policy { kind }", **fields)


@asynccontextmanager
async def open_company(folder: Path, seed: int, *, skus: int, markets: Sequence[str]) -> AsyncIterator[World]:
    """An instance in its own processes, stocked and connected. `markets`: kinds of marketplaces beside it."""
    with ExitStack() as processes:
        instance = processes.enter_context(running_instance(folder / "data", api_processes=1, environment=ENVIRONMENT))
        async with AsyncExitStack() as stack:
            http = httpx.AsyncClient(base_url=instance.info["url"], timeout=30)
            await stack.enter_async_context(http)
            state = await stack.enter_async_context(open_state(settings_of(instance), "onhand simulated week"))
            opened = []
            for kind in markets:
                make = MARKETS[kind]
                url = f"{instance.info['url']}/webhooks/{kind}/sim-{kind}"
                running = processes.enter_context(
                    running_marketplace(kind, folder, *make.arguments(url, folder / f"{kind}.json"))
                )
                opened.append(make(running, http))
            secrets = [await make_secret(state, Role.ADMIN), await make_secret(state, Role.OPERATIONS)]
            boss, second = (Client(http, secret) for secret in secrets)
            world = World(seed, instance, state, http, boss, second, opened, [f"SKU-{n}" for n in range(skus)])
            lines = [
                {"code": sku, "title": sku, "unitCost": {"amount": f"{5 + n}.00"}} for n, sku in enumerate(world.skus)
            ]
            await world.must(boss, "skuUpsert", "skus { code }", lines=lines)
            await _make_kits(world)
            for house in HOUSES:
                await world.open_house(house)
            await _connect_channels(world)
            await _set_rules(world)
            yield world
