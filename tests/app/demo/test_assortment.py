"""The demo company's goods and warehouses: whole, plausible, and the same for the same seed."""

from __future__ import annotations

import pytest

from app.demo.assortment import build_assortment, check_digit
from app.demo.channels import DEMO_CHANNELS
from app.demo.company import WAREHOUSES, plan_stock
from app.demo.ranges import list_range
from app.demo.shoppers import SHOPPERS
from app.sandboxes import SANDBOXES


def test_three_hundred_skus_with_nothing_twice_and_nothing_missing() -> None:
    products = build_assortment()
    assert len(products) == len({product.code for product in products}) == 300
    assert len({product.title for product in products}) == len({product.barcode for product in products}) == 300
    for product in products:
        assert 0 < product.unit_cost < product.price
        assert min(product.weight_grams, product.volume_ml) > 0
    assert sum(product.demand for product in products) == pytest.approx(1)


@pytest.mark.parametrize("barcode", ["4006381333931", "5901234123457", "9780201379624", "0012345678905"])
def test_the_check_digit_is_that_of_real_barcodes(barcode: str) -> None:
    assert check_digit(barcode[:12]) == int(barcode[12])


def test_barcodes_are_ean_13() -> None:
    for product in build_assortment():
        digits = [int(digit) for digit in product.barcode]
        assert len(digits) == 13
        assert (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0


def test_the_seed_decides() -> None:
    products = build_assortment(7)
    assert products == build_assortment(7)
    assert products != build_assortment(8)
    assert plan_stock(products, 7) == plan_stock(products, 7) != plan_stock(products, 8)


def test_four_warehouses_in_four_cities_one_of_them_a_third_party() -> None:
    assert len({(house.latitude, house.longitude) for house in WAREHOUSES}) == 4
    assert len({house.time_zone for house in WAREHOUSES}) == 4
    assert [house.kind for house in WAREHOUSES].count("THIRD_PARTY") == 1


def test_the_opening_stock_fits_into_every_warehouse_and_leaves_some_sold_out() -> None:
    products = {product.code: product for product in build_assortment()}
    plan = plan_stock(tuple(products.values()))
    for house in WAREHOUSES:
        litres = sum(products[code].volume_ml * units for code, units in plan[house.code].items()) / 1_000
        assert 0.3 < litres / house.storage_capacity < 0.9
    assert any(units == 0 for planned in plan.values() for units in planned.values())
    assert plan["HAM-1"].keys() == products.keys()


def test_every_channel_of_the_demo_has_a_sandbox_and_shoppers() -> None:
    kinds = {channel.kind for channel in DEMO_CHANNELS}
    assert kinds <= SANDBOXES.keys()
    assert kinds <= SHOPPERS.keys()


@pytest.mark.parametrize(("kind", "count"), [("shopify", 300), ("amazon", 200), ("ebay", 150)])
def test_each_channel_sells_a_part_of_the_same_assortment_that_never_changes(kind: str, count: int) -> None:
    codes = [product.code for product in list_range(kind, build_assortment())]
    assert len(set(codes)) == len(codes) == count
    assert codes == [product.code for product in list_range(kind, build_assortment())]
