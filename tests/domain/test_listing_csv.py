"""A file of listings: read whole, every bad row told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.listing_csv import ListingRow, parse_listings


def test_columns_in_any_order_and_empty_cells() -> None:
    found = parse_listings(["\ufeffexternal_id, SKU ,reference\n", "i-1,MUG,\n", "\n", '"i,2",CUP,offer\n'])
    assert found.problems == ()
    assert found.rows == (ListingRow(2, "MUG", "i-1", None, None), ListingRow(4, "CUP", "i,2", None, "offer"))


def test_what_is_wrong_is_told_row_by_row() -> None:
    found = parse_listings(["sku,external_id\n", "MUG\n", ",\n", " ,x\n", "CUP,\n", f"A,{'x' * 501}\n", 'B,"y\n'])
    assert [problem.row for problem in found.problems] == [2, 4, 5, 6, 7]
    assert found.problems[1].reason == "sku is empty."
    for heading, words in (
        ("sku\n", "has no column external_id"),
        ("sku,external_id,price\n", "do not know: price"),
        ("sku,sku,external_id\n", "twice the column sku"),
    ):
        (problem,) = parse_listings([heading, "a,b\n"]).problems
        assert (problem.row, words in problem.reason) == (1, True)
    assert [problem.reason for problem in parse_listings([]).problems] == ["The file is empty."]


@given(st.lists(st.text(max_size=30), max_size=10))
def test_any_text_is_read_to_its_end(lines: list[str]) -> None:
    found = parse_listings(["sku,external_id,location\n", *lines])
    assert all(row.sku and row.external_id for row in found.rows)
