"""Two warehouses with everything there is in each, and callers who may see only one of them."""

from __future__ import annotations

import datetime
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import orjson
from cryptography.fernet import Fernet

from adapters.channels.base import Address, ChannelOrder, ChannelOrderLine
from api.ids import encode_id
from app.exceptions.open_cases import open_cases
from app.fulfillment.change_work import Ask, accept_work
from app.fulfillment.release_work import release_work
from app.fulfillment.ship_work import Parcel, ship_work
from app.orders.take_order import take_order
from app.replenishment.sweep_policies import sweep_policies
from app.settings import Settings
from app.state import State
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity
from domain.identity import Role
from domain.provenance import Provenance
from tests import floor_world
from tests.company import Client, make_secret, running_app
from tests.seed import TESTER

UNITS = 77_131
"""In the other warehouse: a number that is nowhere else."""
MARKERS = ("zanzibar", str(UNITS), "clove street", "both-shop", "aziza")
"""What gives the other warehouse away, in lower case."""
THINGS = {
    "warehouse": "ZANZIBAR",
    "channel": "zanzibar-shop",
    "external_id": "ZANZIBAR-1",
    "reference": "PO-ZANZIBAR",
    "rule": "zanzibar-rule",
    "tracking": "ZANZIBAR-T",
    "bin": "ZANZIBAR-BIN",
    "zone": "ZANZIBAR-ZONE",
    "partner": "zanzibar-partner",
    "sku": "SKU-0",
    "kit": "SKU-SET",
    "supplier": "SUPPLIER",
}
NOWHERE = {
    "warehouse": "ATLANTIS",
    "channel": "atlantis-shop",
    "external_id": "ATLANTIS-1",
    "reference": "PO-ATLANTIS",
    "rule": "atlantis-rule",
    "tracking": "ATLANTIS-T",
    "bin": "ATLANTIS-BIN",
    "zone": "ATLANTIS-ZONE",
    "partner": "atlantis-partner",
    "sku": "SKU-0",
    "kit": "SKU-SET",
    "supplier": "SUPPLIER",
}
"""The same names of what does not exist."""
_COLUMNS = """
SELECT table_name, column_name FROM information_schema.columns
WHERE table_schema = 'public' AND column_name IN ('warehouse_id', 'channel_id', 'order_id', 'case_id', 'rule_id', 'partner_id', 'source_id')
  AND table_name NOT LIKE 'pg_%' ORDER BY 1, 2
"""
_THEIRS = {
    "warehouse_id": "IN (SELECT id FROM warehouses WHERE code = 'ZANZIBAR')",
    "source_id": "IN (SELECT id FROM warehouses WHERE code = 'ZANZIBAR')",
    "channel_id": "IN (SELECT id FROM channels WHERE code IN ('zanzibar-shop', 'both-shop'))",
    "order_id": "IN (SELECT id FROM orders WHERE external_id LIKE 'ZANZIBAR%')",
    "case_id": "IN (SELECT id FROM exception_cases WHERE title LIKE '%Zanzibar%')",
    "partner_id": "IN (SELECT id FROM partners WHERE code = 'zanzibar-partner')",
    "rule_id": "IN (SELECT id FROM alert_rules WHERE name = 'zanzibar-rule')",
}
_NAMED = ("SELECT * FROM warehouses WHERE code = 'ZANZIBAR'", "SELECT * FROM channels WHERE code LIKE 'zanzibar%'")
_BINS = """
WITH z AS (
  INSERT INTO zones (warehouse_id, code) SELECT id, 'ZANZIBAR-ZONE' FROM warehouses WHERE code = 'ZANZIBAR'
  RETURNING id, warehouse_id
)
INSERT INTO bins (zone_id, warehouse_id, code) SELECT id, warehouse_id, $1 FROM z
"""
IDS = {
    "Warehouse": "SELECT id FROM warehouses WHERE code = 'ZANZIBAR'",
    "StockLevel": "SELECT sku_id || '.' || warehouse_id FROM stock_levels JOIN warehouses w ON w.id = warehouse_id "
    "WHERE w.code = 'ZANZIBAR'",
    "StockMovement": "SELECT m.id FROM stock_movements m JOIN warehouses w ON w.id = warehouse_id "
    "WHERE w.code = 'ZANZIBAR'",
    "Reservation": "SELECT id FROM reservations",
    "Channel": "SELECT id FROM channels WHERE code = 'zanzibar-shop'",
    "Listing": "SELECT l.id FROM listings l JOIN channels c ON c.id = l.channel_id WHERE c.code = 'zanzibar-shop'",
    "SyncAttempt": "SELECT id FROM sync_attempts",
    "ExceptionCase": "SELECT id FROM exception_cases WHERE warehouse_id IS NOT NULL",
    "InboundEvent": "SELECT id FROM inbound_events",
    "AlertRule": "SELECT id FROM alert_rules",
    "AlertDelivery": "SELECT id FROM alert_deliveries",
    "Order": "SELECT id FROM orders WHERE external_id = 'ZANZIBAR-1'",
    "FulfillmentOrder": "SELECT f.id FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id "
    "WHERE o.external_id = 'ZANZIBAR-1'",
    "Fulfillment": "SELECT id FROM fulfillments",
    "PickList": "SELECT id FROM pick_lists",
    "Count": "SELECT c.id FROM counts c JOIN warehouses w ON w.id = warehouse_id WHERE w.code = 'ZANZIBAR'",
    "Transfer": "SELECT t.id FROM transfers t JOIN warehouses w ON w.id = t.source_id WHERE w.code = 'ZANZIBAR'",
    "Return": "SELECT r.id FROM returns r JOIN warehouses w ON w.id = warehouse_id WHERE w.code = 'ZANZIBAR'",
    "Damage": "SELECT d.id FROM damages d JOIN warehouses w ON w.id = warehouse_id WHERE w.code = 'ZANZIBAR'",
    "PurchaseOrder": "SELECT p.id FROM purchase_orders p JOIN warehouses w ON w.id = warehouse_id "
    "WHERE w.code = 'ZANZIBAR'",
    "ReplenishmentRequest": "SELECT r.id FROM replenishment_requests r JOIN warehouses w ON w.id = warehouse_id "
    "WHERE w.code = 'ZANZIBAR'",
    "Partner": "SELECT id FROM partners WHERE code = 'zanzibar-partner'",
    "PartnerSnapshot": "SELECT p.id FROM partner_snapshots p JOIN warehouses w ON w.id = p.warehouse_id "
    "WHERE w.code = 'ZANZIBAR'",
    "PartnerEvent": "SELECT id FROM partner_deliveries",
    "ReplenishmentPolicy": "SELECT sku_id || '.' || warehouse_id FROM replenishment_policies p "
    "JOIN warehouses w ON w.id = warehouse_id WHERE w.code = 'ZANZIBAR'",
    "WarehouseAlert": "SELECT a.id FROM warehouse_alerts a JOIN warehouses w ON w.id = warehouse_id "
    "WHERE w.code = 'ZANZIBAR'",
    "Token": "SELECT id FROM tokens WHERE name = 'zanzibar-token'",
    **floor_world.IDS,
}
"""The key of one thing of theirs, by type. Types of no warehouse are in `COMMON`."""
READY = {
    f"fulfillmentOrder{verb}": f"UPDATE fulfillment_orders SET status = '{status}' WHERE status = 'RELEASED'"
    for verb, status in (("StartPicking", "ACCEPTED"), ("Pick", "PICKING"), ("Pack", "PICKED"), ("Ship", "ACCEPTED"))
} | {
    "pickListCreate": "UPDATE fulfillment_orders SET status = 'ACCEPTED' WHERE status = 'RELEASED'",
    "fulfillmentOrderCancel": "UPDATE fulfillment_order_lines SET cancel_requested = 1",
    **floor_world.READY,
}
"""What must be so that an order can be given, by root field."""
COMMON = frozenset({"Sku", "Supplier"})
"""Types that everybody sees alike: the catalogue."""


@dataclass
class World:
    """`partner`: the role PARTNER and nothing else. `every`: all roles. Both see MINE alone; `admin` sees all."""

    app: Any
    state: State
    admin: Client
    partner: Client
    every: Client
    ids: Mapping[str, str]
    none: Mapping[str, str]

    async def digest(self) -> list[Any]:
        """Every row that is the other warehouse's, of whatever table."""
        connection, found = self.state.database.hot, []
        for row in await connection.fetch(_COLUMNS):
            table, column = row["table_name"], row["column_name"]
            found.append((table, await connection.fetch(f"SELECT * FROM {table} WHERE {column} {_THEIRS[column]}")))
        found += [(query, await connection.fetch(query)) for query in _NAMED]
        return [(name, sorted(repr(tuple(row)) for row in rows)) for name, rows in found]


def leaks(answer: Any) -> list[str]:
    """The markers in an answer."""
    text = answer.lower() if isinstance(answer, str) else orjson.dumps(answer).decode().lower()
    return [marker for marker in MARKERS if re.search(rf"(?<![0-9a-z]){marker}", text)]


@dataclass(frozen=True)
class Furnished:
    """A database that has everything, to be copied. `secrets`: of admin, partner and every."""

    secret_key: str
    secrets: tuple[str, str, str]


async def furnish_world(settings: Settings) -> Furnished:
    """Leaves nobody connected to the database."""
    key = Fernet.generate_key().decode()
    async with running_app(_unbound(settings, key)) as (app, http):
        state: State = app._rest.state.onhand
        admin = Client(http, await make_secret(state))
        await _furnish(admin, state)
        mine = [(await state.lookup.warehouses())["MINE"].id]
        partner = await make_secret(state, Role.PARTNER, warehouse_ids=mine)
        every = await make_secret(state, *Role, warehouse_ids=mine)
        return Furnished(key, (admin.secret, partner, every))


@asynccontextmanager
async def open_world(settings: Settings, furnished: Furnished) -> AsyncIterator[World]:
    """On a copy of what `furnish_world` made."""
    async with running_app(_unbound(settings, furnished.secret_key)) as (app, http):
        state: State = app._rest.state.onhand
        admin, partner, every = (Client(http, secret) for secret in furnished.secrets)
        yield World(app, state, admin, partner, every, *(await _read_ids(state)))


def _unbound(settings: Settings, secret_key: str) -> Settings:
    more = {"secret_key": secret_key, "query_cost_max": 10**7, "query_depth_max": 20, "query_aliases_max": 10**4}
    return settings.model_copy(update=more)


async def _furnish(admin: Client, state: State) -> None:
    places = (("MINE", "Mine hall", "1 Main Street", 10), ("ZANZIBAR", "Zanzibar depot", "9 Clove Street", UNITS))
    skus = [{"code": f"SKU-{n}", "title": f"Thing {n}", "barcode": f"40000{n}"} for n in range(2)]
    await _do(admin, "skuUpsert", lines=[*skus, {"code": "SKU-2", "title": "Thing of one place", "barcode": "400002"}])
    for code, name, address, units in places:
        await _do(admin, "warehouseCreate", code=code, name=name, address=address, countryCode="TZ", kind="THIRD_PARTY")
        lines = [{"sku": sku["code"], "quantity": units} for sku in skus]
        await _do(admin, "stockReceive", warehouse=code, lines=lines, reference=f"PO-{code}", note=f"for {name}")
    await _do(admin, "stockReceive", warehouse="ZANZIBAR", lines=[{"sku": "SKU-2", "quantity": UNITS}])
    for code, houses in (("mine-shop", ["MINE"]), ("zanzibar-shop", ["ZANZIBAR"]), ("both-shop", ["MINE", "ZANZIBAR"])):
        sources = [{"warehouse": house} for house in houses]
        await _do(admin, "channelConnect", code=code, name=code.title(), warehouses=sources, b2b={})
        await _do(admin, "listingLink", channel=code, lines=[{"sku": "SKU-0", "externalId": f"{code}-item"}])
    for code, house in (("mine-partner", "MINE"), ("zanzibar-partner", "ZANZIBAR")):
        hook = {"url": f"https://{house.lower()}.example/hook"}
        await _do(admin, "partnerConnect", code=code, warehouse=house, webhook=hook)
    await state.database.hot.execute("UPDATE partners SET webhook = 'DISABLED' WHERE code = 'zanzibar-partner'")
    held = [{"sku": "SKU-1", "quantity": 1, "warehouse": "ZANZIBAR"}]
    await _do(admin, "reservationCreate", lines=held, expiresInSeconds=3_600, reference="zanzibar-cart")
    hook = {"url": "https://zanzibar.example/hook"}
    await _do(admin, "alertRuleSet", name="zanzibar-rule", channels=["zanzibar-shop"], webhook=hook)
    await _do(admin, "tokenCreate", name="zanzibar-token", roles=["WAREHOUSE"], warehouses=["ZANZIBAR"])
    await floor_world.furnish_floor(admin, state)
    await _happen(state)
    await _count(admin, state)
    await _handle(admin)
    await _buy(admin)
    await _plan(admin, state)


async def _happen(state: State) -> None:
    """Orders, cases, and what channels sent and were told."""
    connection = state.database.hot
    channels = {row["code"]: row["id"] for row in await connection.fetch("SELECT code, id FROM channels")}
    house = await connection.fetchval("SELECT id FROM warehouses WHERE code = 'ZANZIBAR'")
    for code in ("zanzibar-shop", "both-shop", "mine-shop"):
        await take_order(state, channels[code], _order(code))
    third = replace(_order("zanzibar-shop"), external_id="ZANZIBAR-3", name="#ZANZIBAR-3")
    await take_order(state, channels["zanzibar-shop"], third)
    await release_work(state)
    await connection.execute(
        "INSERT INTO pick_lists (id, warehouse_id, created_by) VALUES (gen_random_uuid(), $1, 'Zanzibar')", house
    )
    theirs = (
        "SELECT f.id FROM fulfillment_orders f JOIN orders o ON o.id = f.order_id WHERE o.external_id = 'ZANZIBAR-3'"
    )
    ask = Ask(await connection.fetchval(theirs), Provenance("test"))
    await accept_work(state, TESTER, ask)
    await ship_work(state, TESTER, ask, Parcel("Zanzibar post", "ZANZIBAR-T"))
    problems = [
        Problem(CaseKind.OVERSELL, Severity.HIGH, CauseClass.UNKNOWN, "warehouse:1", "Zanzibar lacks", warehouse_id=house),
        Problem(CaseKind.DRIFT, Severity.HIGH, CauseClass.UNKNOWN, "listing:1", "Zanzibar drifts", None, channels["both-shop"]),
        Problem(CaseKind.ORDER_PROBLEM, Severity.LOW, CauseClass.UNKNOWN, "order:1", "Zanzibar, of nobody"),
    ]  # fmt: skip
    async with connection.acquire() as one, one.transaction():
        (first, *_) = await open_cases(one, problems)
    now = datetime.datetime.now(datetime.UTC)
    await connection.execute(
        "INSERT INTO partner_deliveries (id, partner_id, type, body, due_at, error) "
        "SELECT gen_random_uuid(), id, 'fulfillment_order.released', $1, now(), 'Zanzibar answered 500' FROM partners "
        "WHERE code = 'zanzibar-partner'",
        '{"data": {"order": "#ZANZIBAR-1"}}',
    )
    await connection.execute(
        "INSERT INTO inbound_events (channel_id, external_id, topic, headers, body, error) "
        "VALUES ($1, 'ZANZIBAR-event', 'orders/create', '{}', '{}', 'Zanzibar is wrong')",
        channels["zanzibar-shop"],
    )
    await connection.execute(
        "INSERT INTO sync_attempts (channel_id, lane, started_at, seconds, listings, done, failed, cause, error) "
        "VALUES ($1, 'BULK', $2, 1, 1, 0, 1, 'OUTAGE', 'Zanzibar is away')",
        channels["zanzibar-shop"],
        now,
    )
    await connection.execute(
        "INSERT INTO alert_deliveries (id, rule_id, case_ids, due_at, state, error) "
        "SELECT gen_random_uuid(), id, ARRAY[$1::uuid], now(), 'FAILED', 'Zanzibar answered 500' FROM alert_rules",
        first,
    )


async def _buy(admin: Client) -> None:
    """What is asked for and ordered of a supplier, for each warehouse."""
    await _do(admin, "supplierSet", code="SUPPLIER", name="Supplier", leadDays=3)
    for code in ("MINE", "ZANZIBAR"):
        wanted = {"sku": "SKU-1", "quantity": 5}
        await _do(admin, "replenishmentRequestCreate", warehouse=code, supplier="SUPPLIER", note=f"of {code}", **wanted)
        await _do(admin, "purchaseOrderCreate", warehouse=code, supplier="SUPPLIER", note=f"of {code}", lines=[wanted])


async def _plan(admin: Client, state: State) -> None:
    """A kit of what is in one place only, and policies that want more than there is, which alerts tell of."""
    await _do(admin, "skuUpsert", lines=[{"code": THINGS["kit"], "title": "A set", "barcode": "400009"}])
    parts = [{"sku": "SKU-2", "quantity": 1}]
    await _do(admin, "kitSet", sku=THINGS["kit"], components=parts)
    for code in ("MINE", "ZANZIBAR"):
        levels = {"minimum": 3 * UNITS, "maximum": 4 * UNITS}
        await _do(admin, "replenishmentPolicySet", sku="SKU-0", warehouse=code, kind="MIN_MAX", **levels)
    await sweep_policies(state)


async def _handle(admin: Client) -> None:
    """What people on the floor do: transfers, returns, damage, and what waits for a second person."""
    await _do(admin, "warehouseCreate", code="ZANZIBAR-2", name="Zanzibar annex")
    moved = [{"sku": "SKU-1", "quantity": 1}]
    await _do(admin, "transferCreate", source="ZANZIBAR", destination="ZANZIBAR-2", lines=moved)
    for code in ("MINE", "ZANZIBAR"):
        lines = [{"sku": "SKU-1", "quantity": 1}]
        await _do(admin, "returnAuthorize", warehouse=code, lines=lines, note=f"to {code}")
        cause = f"fell in {code}"
        await _do(admin, "damageReport", warehouse=code, origin="STOCK", cause=cause, lines=lines)
        now = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)).isoformat()
        told = [{"sku": "SKU-1", "onHand": 1}]
        await _do(admin, "partnerSnapshotReport", warehouse=code, asOf=now, lines=told, reference=f"of {code}")


async def _count(admin: Client, state: State) -> None:
    """A bin, and in each warehouse a count that found what there should be and one that did not, which was posted."""
    boss = Client(admin.http, await make_secret(state))
    await state.database.hot.execute(_BINS, THINGS["bin"])
    for code, units in (("MINE", 10), ("ZANZIBAR", UNITS - 1)):
        made = await admin.mutate("countCreate", "count { id }", warehouse=code, skus=["SKU-1"], note=f"of {code}")
        key = made["count"]["id"]
        await _do(admin, "countSubmit", id=key, lines=[{"sku": "SKU-1", "quantity": units}])
        made = await admin.mutate("countCreate", "count { id }", warehouse=code, skus=["SKU-2"], note=f"of {code}")
        for _ in range(2):  # A difference is believed when it is found again.
            await _do(admin, "countSubmit", id=made["count"]["id"], lines=[{"sku": "SKU-2", "quantity": 9}])
        await _do(boss, "countReview", id=made["count"]["id"])


def _order(channel: str) -> ChannelOrder:
    word = "MINE-1" if channel == "mine-shop" else "ZANZIBAR-1" if channel == "zanzibar-shop" else "ZANZIBAR-2"
    return ChannelOrder(
        word,
        f"#{word}",
        datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC),
        (ChannelOrderLine(f"{word}-line", "SKU-2" if channel == "both-shop" else "SKU-0", "Thing", 1),),
        "TZ",
        address=Address("Aziza" if channel != "mine-shop" else "Bob", ("9 Clove Street",), "Town", None, "1", "TZ"),
    )


async def _read_ids(state: State) -> tuple[dict[str, str], dict[str, str]]:
    """Global ids of theirs by type, and ids of the same form that nothing has."""
    ids, none = {}, {}
    for kind, query in IDS.items():
        key = await state.database.hot.fetchval(f"{query} LIMIT 1")
        assert key is not None, kind
        ids[kind] = encode_id(kind, str(key))
        none[kind] = encode_id(kind, re.sub("[0-9a-f](?=[0-9a-f]*$)", "9", str(key)) if "-" in str(key) else "987654")
    for kind in ("StockLevel", "ReplenishmentPolicy"):
        none[kind] = encode_id(kind, "987654.987654")
    return ids, none


async def _do(client: Client, name: str, /, **fields: Any) -> None:
    made = await client.mutate(name, "", **fields)
    assert made["userErrors"] == [], (name, made)
