"""Lindmoor: an invented company that sells household goods, with four warehouses and what each of them keeps."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.demo.assortment import SEED, Product

COMPANY = "Lindmoor"
UNITS_LEAST, UNITS_BY_DEMAND = 14, 24_000
"""Units a warehouse with everything keeps of a SKU nobody asks for, and on top of it per share of demand."""
SOLD_OUT_SHARE = 0.02


@dataclass(frozen=True, slots=True)
class DemoWarehouse:
    """`share`: of the company's trade. `range_share`: how much of the assortment it keeps, best sellers first.

    `storage_capacity` in litres, `daily_order_capacity` in orders.
    """

    code: str
    name: str
    kind: str
    address: str
    country_code: str
    latitude: float
    longitude: float
    time_zone: str
    storage_capacity: int
    daily_order_capacity: int
    share: float
    range_share: float

    def columns(self) -> dict[str, Any]:
        """As `create_warehouse` takes it."""
        return {name: value for name, value in asdict(self).items() if not name.endswith("share")}


WAREHOUSES = (
    DemoWarehouse(
        code="HAM-1",
        name="Hamburg Wilhelmsburg",
        kind="OWN",
        address="Reiherstieg 14, 21107 Hamburg",
        country_code="DE",
        latitude=53.5015,
        longitude=9.9852,
        time_zone="Europe/Berlin",
        storage_capacity=85_000,
        daily_order_capacity=1_400,
        share=0.45,
        range_share=1.0,
    ),
    DemoWarehouse(
        code="LYO-1",
        name="Lyon Corbas",
        kind="OWN",
        address="Rue des Marandiers 6, 69960 Corbas",
        country_code="FR",
        latitude=45.6680,
        longitude=4.9020,
        time_zone="Europe/Paris",
        storage_capacity=52_000,
        daily_order_capacity=800,
        share=0.30,
        range_share=0.85,
    ),
    DemoWarehouse(
        code="POZ-1",
        name="Poznań Komorniki",
        kind="OWN",
        address="ul. Magazynowa 3, 62-052 Komorniki",
        country_code="PL",
        latitude=52.3386,
        longitude=16.8130,
        time_zone="Europe/Warsaw",
        storage_capacity=38_000,
        daily_order_capacity=650,
        share=0.20,
        range_share=0.80,
    ),
    DemoWarehouse(
        code="EWR-3PL",
        name="Newark, run by Harborline Fulfilment",
        kind="THIRD_PARTY",
        address="201 Port Street, Newark, NJ 07114",
        country_code="US",
        latitude=40.7003,
        longitude=-74.1606,
        time_zone="America/New_York",
        storage_capacity=18_000,
        daily_order_capacity=500,
        share=0.15,
        range_share=0.40,
    ),
)
PARTNER = "harborline"
"""Runs the THIRD_PARTY warehouse, and works through our API."""
THIRD_PARTY = next(house for house in WAREHOUSES if house.kind == "THIRD_PARTY")
StockPlan = Mapping[str, Mapping[str, int]]


def plan_stock(products: Sequence[Product], seed: int = SEED) -> StockPlan:
    """Units by SKU code by warehouse code: what each opens with, and is filled up to again."""
    dice = random.Random(f"stock {seed}")  # noqa: S311
    ranked = sorted(products, key=lambda product: -product.demand)
    return {house.code: _fill(house, ranked, dice) for house in WAREHOUSES}


def _fill(house: DemoWarehouse, ranked: Sequence[Product], dice: random.Random) -> dict[str, int]:
    kept = ranked[: round(len(ranked) * house.range_share)]
    found = {}
    for product in kept:
        units = (UNITS_LEAST + UNITS_BY_DEMAND * product.demand) * house.share * dice.uniform(0.7, 1.3)
        found[product.code] = 0 if dice.random() < SOLD_OUT_SHARE else max(1, round(units))
    return found
