"""The shop of the replay: warehouses, channels, SKUs and an opening stock that is short on purpose."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from itertools import islice
from typing import TypeVar

from app.catalog.save_warehouse import create_warehouse
from app.catalog.upsert import SkuLine, save_skus
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.progress import Progress
from app.state import State
from app.stock.move_stock import MoveLine, prepare_movement
from domain.identity import Principal, Role
from domain.online_retail import Invoice, InvoiceKind
from domain.provenance import Provenance, Remarks

T = TypeVar("T")
SHOPKEEPER = Principal("onhand replay", "onhand replay", frozenset({Role.ADMIN}))
CURRENCY = "GBP"
COST_SHARE = Decimal("0.5")
"""Of the lowest price: the file knows no costs."""
BATCH_LINES = 200
HOUSES: dict[str, dict[str, object]] = {
    "RETAIL-LON": {"name": "London", "country_code": "GB", "latitude": 51.51, "longitude": -0.13},
    "RETAIL-MAN": {"name": "Manchester", "country_code": "GB", "latitude": 53.48, "longitude": -2.24},
    "RETAIL-AMS": {"name": "Amsterdam", "country_code": "NL", "latitude": 52.37, "longitude": 4.89},
}
SHARES = {"RETAIL-LON": 50, "RETAIL-MAN": 30, "RETAIL-AMS": 20}
"""Percent of the stock of each SKU."""
CHANNELS = {
    "retail-uk": "Retail, United Kingdom",
    "retail-eu": "Retail, Europe",
    "retail-world": "Retail, overseas",
    "retail-counter": "Retail, without customer",
}
OVERSEAS = frozenset(("JP", "AU", "IL", "BH", "US", "ZA", "SG", "HK", "LB", "AE", "SA", "CA", "BR"))
SHORT_ONE_IN, SHORT_PERCENT, USUAL_PERCENT = 12, 70, 105
"""One SKU in so many is stocked with less than is wanted of it, the others with a little more."""
_KNOWN_WAREHOUSES = "SELECT code FROM warehouses WHERE code = ANY($1::text[])"
_KNOWN_SKUS = "SELECT code FROM skus WHERE code = ANY($1::text[])"
_STOCKED = """
SELECT DISTINCT s.code FROM stock_levels l JOIN skus s ON s.id = l.sku_id JOIN warehouses w ON w.id = l.warehouse_id
WHERE w.code = ANY($1::text[]) AND l.supplier <> 0
"""
_CHANNEL_IDS = "SELECT code, id FROM channels WHERE code = ANY($1::text[])"


def choose_channel(invoice: Invoice) -> str:
    """Customers are spread by where they are; who is nobody's customer bought over the counter."""
    if invoice.customer is None:
        return "retail-counter"
    if invoice.country in ("GB", "JE"):
        return "retail-uk"
    return "retail-world" if invoice.country is None or invoice.country in OVERSEAS else "retail-eu"


async def open_shop(state: State, invoices: Sequence[Invoice], progress: Progress) -> dict[str, int]:
    """What is missing of it; a second time nothing is. Returns the channels' ids by code."""
    progress.step("Warehouses and channels")
    known = {row[0] for row in await state.database.hot.fetch(_KNOWN_WAREHOUSES, list(HOUSES))}
    for code, columns in HOUSES.items():
        if code not in known:
            await create_warehouse(state.database, {"code": code, **columns}, None)
    async with state.database.hot.acquire() as connection:
        for code, name in CHANNELS.items():
            wanted = ChannelConnect(code, name, "B2B", dict.fromkeys(HOUSES, ""), status="LIVE")
            await connect_channel(connection, state.settings, wanted)
    await _stock_shop(state, [one for one in invoices if one.kind is InvoiceKind.SALE], progress)
    return {row[0]: row[1] for row in await state.database.hot.fetch(_CHANNEL_IDS, list(CHANNELS))}


async def _stock_shop(state: State, sales: Sequence[Invoice], progress: Progress) -> None:
    skus, wanted = _list_skus(sales), _count_demand(sales)
    known = {row[0] for row in await state.database.hot.fetch(_KNOWN_SKUS, list(skus))}
    missing = [line for code, line in skus.items() if code not in known]
    progress.step("SKUs")
    for done, batch in enumerate(_batches(missing), start=1):
        await save_skus(state.database, batch, None)
        progress.count(min(done * BATCH_LINES, len(missing)), len(missing))
    stocked = {row[0] for row in await state.database.hot.fetch(_STOCKED, list(HOUSES))}
    plan = {code: units for code, units in wanted.items() if code not in stocked}
    progress.step("Opening stock")
    for house, share in SHARES.items():
        lines = [
            MoveLine(code, units, unit_cost=skus[code].unit_cost, currency=CURRENCY)
            for code, total in plan.items()
            if (units := plan_stock(code, total) * share // 100)
        ]
        for delivery in _batches(lines):
            await _receive(state, house, delivery)


def plan_stock(code: str, demand: int) -> int:
    """Units to begin with; which SKUs are short follows from their code."""
    percent = SHORT_PERCENT if zlib.crc32(code.encode()) % SHORT_ONE_IN == 0 else USUAL_PERCENT
    return -(-demand * percent // 100)


def _list_skus(sales: Sequence[Invoice]) -> dict[str, SkuLine]:
    cheapest: dict[str, tuple[str, Decimal]] = {}
    for line in (line for invoice in sales for line in invoice.lines):
        title, price = cheapest.get(line.code, (line.title, line.unit_price))
        cheapest[line.code] = (title, min(price, line.unit_price))
    return {
        code: SkuLine(code, title[:200], None, (price * COST_SHARE).quantize(Decimal("0.0001")), CURRENCY, None, None)
        for code, (title, price) in cheapest.items()
    }


def _count_demand(sales: Sequence[Invoice]) -> Mapping[str, int]:
    demand: Counter[str] = Counter()
    for invoice in sales:
        for line in invoice.lines:
            demand[line.code] += line.units
    return demand


async def _receive(state: State, house: str, lines: Sequence[MoveLine]) -> None:
    command = await prepare_movement(
        *(state.lookup, SHOPKEEPER, "receive", house, list(lines)),
        provenance=Provenance(SHOPKEEPER.name),
        remarks=Remarks("OPENING_STOCK", reference="online-retail"),
        call=None,
    )
    await state.combiner.submit(command)


def _batches(rows: Sequence[T]) -> Iterator[list[T]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH_LINES)):
        yield batch
