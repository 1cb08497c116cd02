"""Items of a channel are linked only when nothing speaks against it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.match_items import Candidate, Item, Known, match_items

MUG, CUP, OLD = Candidate(1, "MUG"), Candidate(2, "CUP"), Candidate(3, "OLD", archived=True)
KNOWN = Known({"MUG": MUG, "CUP": CUP, "OLD": OLD}, {"111": MUG, "222": CUP}, {("a-0", ""): 2}, frozenset({""}))


def reasons(*items: Item) -> list[str]:
    return [one.reason for one in match_items(items, KNOWN).review]


def test_by_code_and_else_by_barcode() -> None:
    found = match_items([Item("a-1", "MUG", None), Item("a-0", "CUP", "222")], KNOWN)
    assert [(one.item.external_id, one.sku.code) for one in found.links] == [("a-1", "MUG")]
    assert (found.known, found.review) == (1, ())
    assert [one.sku.code for one in match_items([Item("a-1", "mug?", "111")], KNOWN).links] == ["MUG"]


def test_every_doubt_has_its_reason() -> None:
    assert reasons(Item("x", None, None)) == ["It has neither a SKU nor a barcode."]
    assert reasons(Item("x", "NONE", "999")) == ["We know no SKU 'NONE' and no barcode '999'."]
    assert reasons(Item("x", "MUG", "222")) == ["Its SKU is 'MUG', and its barcode that of 'CUP'."]
    assert reasons(Item("x", "OLD", None)) == ["SKU 'OLD' is archived."]
    assert reasons(Item("x", "CUP", None)) == ["SKU 'CUP' is linked to 'a-0' already."]
    assert reasons(Item("x", "MUG", None, location="moon")) == ["No warehouse of ours is shown at its location 'moon'."]
    assert reasons(Item("x", "MUG", None), Item("y", None, "111")) == ["2 items of the channel are SKU 'MUG'."] * 2


def test_an_item_without_a_location_is_at_the_only_one() -> None:
    one = Known(KNOWN.by_code, {}, {}, frozenset({"loc"}))
    two = Known(KNOWN.by_code, {}, {}, frozenset({"loc", "other"}))
    item = Item("x", "MUG", None)
    assert [match.location for match in match_items([item], one).links] == ["loc"]
    assert match_items([item], two).links == ()


codes = st.sampled_from([None, "MUG", "CUP", "OLD", "NONE"])
barcodes = st.sampled_from([None, "111", "222", "999"])
items = st.builds(Item, st.uuids().map(str), codes, barcodes)


@given(st.lists(items, max_size=12))
def test_no_sku_is_linked_twice_and_nothing_is_lost(given_items: list[Item]) -> None:
    found = match_items(given_items, KNOWN)
    assert len(found.links) + len(found.review) + found.known == len(given_items)
    places = [(one.sku.id, one.location) for one in found.links]
    assert len(places) == len(set(places))
    assert all(one.sku.id != 2 for one in found.links), "it is linked already"
