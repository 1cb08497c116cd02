"""Put the demo company into a database: warehouses, SKUs, and their opening stock through the ledger.

Every step looks at what is there first, and writes in one transaction: a second run changes nothing, and a run
that was killed is completed by the next one. What people changed since stays as they left it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from app.catalog.save_warehouse import create_warehouse
from app.catalog.upsert import SkuLine, save_skus
from app.demo.assortment import CURRENCY, SEED, Product, build_assortment
from app.demo.company import COMPANY, PARTNER, THIRD_PARTY, WAREHOUSES, plan_stock
from app.partners.save_partner import PartnerChange, save_partner
from app.progress import Progress
from app.state import State
from app.stock.move_stock import MoveLine, prepare_movement
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal, Role
from domain.provenance import Provenance, Remarks

SEEDER = Principal("onhand seed", "onhand seed", frozenset({Role.ADMIN}))
T = TypeVar("T")
BATCH_LINES = 100
_KNOWN_WAREHOUSES = "SELECT code FROM warehouses"
_KNOWN_SKUS = "SELECT code FROM skus WHERE code = ANY($1::text[])"
_ANY_SKU = "SELECT EXISTS (SELECT FROM skus)"
_HAS_PARTNER = """
SELECT EXISTS (SELECT FROM partners p JOIN warehouses w ON w.id = p.warehouse_id WHERE w.code = $1)
"""
_POSTED = "SELECT DISTINCT reference FROM stock_movements WHERE reference = ANY($1::text[])"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One delivery of the opening stock. `reference` is unique: what is on the ledger under it is posted."""

    warehouse: str
    reference: str
    units: Mapping[str, int]


async def holds_another_company(state: State) -> bool:
    """Whether there are SKUs or warehouses in the database that are not of a seeding: no place for a demo."""
    known = {record[0] for record in await state.database.hot.fetch(_KNOWN_WAREHOUSES)}
    if known:
        return not known & {house.code for house in WAREHOUSES}
    return bool(await state.database.hot.fetchval(_ANY_SKU))


async def seed_company(state: State, progress: Progress, seed: int = SEED) -> bool:
    """Complete the demo company; whether anything was missing. Raises `Refusal` when another company is there.

    The caller keeps other seedings out (`seed_demo`).
    """
    if await holds_another_company(state):
        message = "This database holds another company: the demo company goes into an empty one."
        raise Refusal(RefusalCode.NOT_ALLOWED, message)
    products = build_assortment(seed)
    changed = await _seed_warehouses(state, progress)
    changed |= await _seed_partner(state, progress)
    changed |= await _seed_skus(state, progress, products)
    changed |= await _seed_stock(state, progress, products, seed)
    return changed


async def _seed_warehouses(state: State, progress: Progress) -> bool:
    known = {record[0] for record in await state.database.hot.fetch(_KNOWN_WAREHOUSES)}
    missing = [house for house in WAREHOUSES if house.code not in known]
    if not missing:
        return False
    progress.step(f"Founding {COMPANY}: warehouses")
    for number, house in enumerate(missing, start=1):
        await create_warehouse(state.database, house.columns(), None)
        progress.count(number, len(missing))
    return True


async def _seed_partner(state: State, progress: Progress) -> bool:
    """Whoever runs the third party's warehouse is a partner who works through our API."""
    if await state.database.hot.fetchval(_HAS_PARTNER, THIRD_PARTY.code):
        return False
    progress.step(f"Connecting {PARTNER}, the logistics partner")
    wanted = PartnerChange(PARTNER, THIRD_PARTY.code, "API")
    await save_partner(state, SEEDER, wanted, datetime.datetime.now(datetime.UTC), None)
    return True


async def _seed_skus(state: State, progress: Progress, products: Sequence[Product]) -> bool:
    records = await state.database.hot.fetch(_KNOWN_SKUS, [product.code for product in products])
    known = {record[0] for record in records}
    missing = [product for product in products if product.code not in known]
    if not missing:
        return False
    progress.step("SKUs")
    done = 0
    for batch in _batches(missing):
        await save_skus(state.database, [_sku_line(product) for product in batch], None)
        done += len(batch)
        progress.count(done, len(missing))
    return True


def _sku_line(product: Product) -> SkuLine:
    return SkuLine(
        product.code,
        product.title,
        product.barcode,
        product.unit_cost,
        CURRENCY,
        product.weight_grams,
        product.volume_ml,
    )


async def _seed_stock(state: State, progress: Progress, products: Sequence[Product], seed: int) -> bool:
    receipts = list(_plan_receipts(products, seed))
    records = await state.database.hot.fetch(_POSTED, [receipt.reference for receipt in receipts])
    posted = {record[0] for record in records}
    missing = [receipt for receipt in receipts if receipt.reference not in posted]
    if not missing:
        return False
    progress.step("Opening stock, by delivery")
    by_code = {product.code: product for product in products}
    for number, receipt in enumerate(missing, start=1):
        await _post_receipt(state, receipt, by_code)
        progress.count(number, len(missing))
    return True


def _plan_receipts(products: Sequence[Product], seed: int) -> Iterator[Receipt]:
    for warehouse, units in plan_stock(products, seed).items():
        wanted = [(code, quantity) for code, quantity in units.items() if quantity]
        for number, batch in enumerate(_batches(wanted), start=1):
            yield Receipt(warehouse, f"OPENING-{warehouse}-{number}", dict(batch))


async def _post_receipt(state: State, receipt: Receipt, products: Mapping[str, Product]) -> None:
    lines = [
        MoveLine(code, quantity, unit_cost=products[code].unit_cost, currency=CURRENCY)
        for code, quantity in receipt.units.items()
    ]
    command = await prepare_movement(
        *(state.lookup, SEEDER, "receive", receipt.warehouse, lines),
        provenance=Provenance(SEEDER.name),
        remarks=Remarks("OPENING_STOCK", reference=receipt.reference),
        call=None,
    )
    await state.combiner.submit(command)


def _batches(rows: Sequence[T]) -> Iterator[list[T]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, BATCH_LINES)):
        yield batch
