"""Shopify's product export, read without a database."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.shopify_csv import derive_code, parse_products

HEADING = "Handle,Title,Option1 Value,Option2 Value,Variant SKU,Variant Grams,Variant Inventory Qty,Variant Price,Variant Barcode,Image Src,Cost per item\n"


def parse(*lines: str):
    return parse_products([HEADING, *(line + "\n" for line in lines)])


def test_continuation_rows_inherit_and_pictures_are_no_variants():
    parsed = parse(
        "shirt,Shirt,Small,Red,S-1,200,4,19.90,'0123456789012,a.jpg,7.25",
        ",,Large,Red,S-2,0,5,19.90,,,",
        "shirt,,,,,,,,,b.jpg,",
        "",
        "mug,Mug,Default Title,,,,,,,,",
    )
    assert parsed.problems == ()
    small, large, mug = parsed.rows
    assert (small.sku, small.title, small.quantity, small.barcode) == ("S-1", "Shirt - Small / Red", 4, "0123456789012")
    assert (small.unit_cost, small.price, small.weight_grams) == (Decimal("7.25"), Decimal("19.90"), 200)
    assert (large.row, large.title, large.weight_grams) == (3, "Shirt - Large / Red", None)
    assert (mug.sku, mug.title, mug.quantity, mug.derived, mug.row) == ("mug", "Mug", None, True, 6)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("a,A,,,X,,-1,,,,", "whole number"),
        ("a,A,,,X,,1.5,,,,", "whole number"),
        ("a,A,,,X,,99999999999,,,,", "whole number"),
        ("a,A,,,X,heavy,1,,,,", "Variant Grams"),
        ("a,A,,,X,,1,NaN,,,", "Variant Price"),
        ("a,A,,,X,,1,1e400,,,", "Variant Price"),
        ("a,A,,,X,,1,,,,0.00001", "Cost per item"),
        ("a,A,,,X", "5 cells"),
        ("a,,,,X,,1,,,,", "no Title"),
        (",A,,,X,,1,,,,", "no Handle"),
        (f"a,A,,,{'x' * 101},,1,,,,", "Variant SKU"),
        ("a,A\x00,,,X,,1,,,,", "NUL"),
    ],
)
def test_a_bad_row_is_named_and_the_rest_is_read(line: str, reason: str):
    parsed = parse(line, "b,B,,,Y,,1,,,,")
    assert [row.sku for row in parsed.rows] == ["Y"]
    assert [problem.row for problem in parsed.problems] == [2]
    assert reason in parsed.problems[0].reason


def test_what_comes_twice_names_the_first_row():
    parsed = parse("a,A,,,X,,1,,77,,", "b,B,,,X,,1,,,,", "c,C,,,Z,,1,,77,,")
    assert [(problem.row, "row 2" in problem.reason) for problem in parsed.problems] == [(3, True), (4, True)]


def test_files_that_are_none():
    assert parse_products([]).problems[0].reason == "The file is empty."
    assert "'Handle' is missing" in parse_products(["name,price\n"]).problems[0].reason
    assert "broken" in parse('a,"A,,,X,,1,,,,').problems[0].reason


def test_a_byte_order_mark_is_no_part_of_the_heading():
    assert parse_products(["\ufeff" + HEADING, "a,A,,,X,,1,,,,\n"]).problems == ()


@given(st.tuples(st.text(max_size=60), st.text(max_size=60)), st.tuples(st.text(max_size=60), st.text(max_size=60)))
def test_derived_codes_differ_where_the_options_do(one: tuple[str, str], other: tuple[str, str]):
    same = [value.casefold() for value in one] == [value.casefold() for value in other]
    assert (derive_code("shirt", one) == derive_code("shirt", other)) == same
    assert len(derive_code("shirt", one)) <= 100


def test_derived_codes_stay_what_they_are():
    assert derive_code("clay-plant-pot", ["Large"]) == "clay-plant-pot:large"
    assert derive_code("shirt", ["S/M"]).startswith("shirt:s-m~")


@pytest.mark.parametrize(("name", "variants", "units"), [("apparel", 22, 22), ("home-and-garden", 21, 65)])
def test_real_exports(name: str, variants: int, units: int):
    path = Path(__file__).parents[2].parent / "shared" / "data" / "shopify-products" / f"{name}.csv"
    if not path.is_file():
        pytest.skip("../shared/data is not here")
    with path.open(encoding="utf-8", newline="") as lines:
        parsed = parse_products(lines)
    assert parsed.problems == ()
    assert (len(parsed.rows), sum(row.quantity or 0 for row in parsed.rows)) == (variants, units)
