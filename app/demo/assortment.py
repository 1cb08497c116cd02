"""The 300 SKUs of the demo company, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from app.demo.families import FAMILIES, Family, Variant

SEED = 2026
CURRENCY = "EUR"
BARCODE_PREFIX = "290"
"""GS1 keeps 20 to 29 for use inside a company: no barcode here is anybody's product."""
COST_JITTER = 0.06
HEAD = 12
"""Flattens the curve of demand: about the first dozen SKUs sell equally well."""


@dataclass(frozen=True, slots=True)
class Product:
    """`demand`: its share of all units sold; the shares of an assortment add up to 1."""

    code: str
    title: str
    barcode: str
    unit_cost: Decimal
    price: Decimal
    weight_grams: int
    volume_ml: int
    demand: float


def build_assortment(seed: int = SEED) -> tuple[Product, ...]:
    """Every variant of every family. The seed decides costs within `COST_JITTER`, and what sells well."""
    dice = random.Random(f"assortment {seed}")  # noqa: S311
    variants = [(family, variant) for family in FAMILIES for variant in family.variants]
    demands = _share_demand(len(variants), dice)
    return tuple(
        _make_product(index, family, variant, demand, dice)
        for index, ((family, variant), demand) in enumerate(zip(variants, demands, strict=True))
    )


def _share_demand(count: int, dice: random.Random) -> Sequence[float]:
    """A few sell most, and most sell now and then."""
    weights = [1 / (rank + HEAD) for rank in range(count)]
    dice.shuffle(weights)
    return [weight / sum(weights) for weight in weights]


def _make_product(index: int, family: Family, variant: Variant, demand: float, dice: random.Random) -> Product:
    cents = round(family.cost * variant.scale * dice.uniform(1 - COST_JITTER, 1 + COST_JITTER))
    return Product(
        code="-".join(part for part in (family.code, variant.code) if part),
        title=" – ".join(part for part in (family.title, variant.label) if part),
        barcode=make_barcode(index),
        unit_cost=Decimal(cents) / 100,
        price=Decimal(cents * 24 // 1_000 + 1) - Decimal("0.10"),
        weight_grams=round(family.grams * variant.scale),
        volume_ml=round(family.millilitres * variant.scale),
        demand=demand,
    )


def make_barcode(index: int) -> str:
    """The EAN-13 of the company's `index`-th article."""
    digits = f"{BARCODE_PREFIX}{index + 1:09}"
    return digits + str(check_digit(digits))


def check_digit(digits: str) -> int:
    """GS1's check digit of an EAN-13: weights 1 and 3 in turn, completed to a multiple of ten."""
    return -sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(digits)) % 10
