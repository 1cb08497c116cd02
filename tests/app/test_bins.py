"""Bins: where goods go, moves between them, how full a warehouse is; and a warehouse that begins without any."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.settings import Settings
from app.state import State
from domain.identity import Role
from domain.put_away import Shelf, suggest_places
from tests.company import Client, make_company, make_secret, running_app

MOVES = "moves { sku quantity from to fromHolds toHolds }"
SUGGEST = """query($w: String!, $l: [PutAwayLine!]!) {
  putAwaySuggestion(warehouse: $w, lines: $l) { sku places { bin quantity why } left } }"""
FULL = "{ warehouseUtilization { warehouse bins binsUsed unplaced stockLitres byStorage byVolume byBin } }"
_ZONE = """
INSERT INTO zones (warehouse_id, code, kind, sequence) SELECT id, $1, $2, $3 FROM warehouses WHERE code = 'BER'
RETURNING id
"""
_BIN = """
INSERT INTO bins (warehouse_id, zone_id, code, sequence, capacity_ml, status)
SELECT warehouse_id, id, $2, $3, $4, $5 FROM zones WHERE id = $1
"""


@dataclass
class Store:
    """BER with a hundred of each SKU, a litre each, and bins of ten litres; NYC has none."""

    state: State
    admin: Client

    async def move(self, *lines: dict[str, Any], warehouse: str = "BER") -> Any:
        return await self.admin.mutate("binMove", MOVES, warehouse=warehouse, lines=list(lines))

    async def suggest(self, *lines: tuple[str, int]) -> Any:
        given = [{"sku": sku, "quantity": units} for sku, units in lines]
        return (await self.admin.data(SUGGEST, w="BER", l=given))["putAwaySuggestion"]


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Store]:
    async with running_app(settings) as (app, http):
        state = app._rest.state.onhand
        store = Store(state, Client(http, await make_secret(state)))
        await make_company(store.admin)
        lines = [{"code": f"SKU-{n}", "volumeMl": 1_000} for n in range(3)]
        await store.admin.mutate("skuUpsert", "", lines=lines)
        await store.admin.mutate("warehouseUpdate", "", warehouse="BER", storageCapacity=1_000)
        pick = await state.database.hot.fetchval(_ZONE, "P", "PICK", 1)
        bulk = await state.database.hot.fetchval(_ZONE, "B", "BULK", 2)
        hold = await state.database.hot.fetchval(_ZONE, "Q", "QUARANTINE", 0)
        for zone, code, sequence, status in (
            *((pick, "P-1", 1, "ACTIVE"), (pick, "P-2", 2, "ACTIVE"), (pick, "P-3", 3, "BLOCKED")),
            *((bulk, "B-1", 1, "ACTIVE"), (hold, "Q-1", 1, "ACTIVE")),
        ):
            await state.database.hot.execute(_BIN, zone, code, sequence, 10_000, status)
        yield store


async def test_goods_go_to_their_own_kind_then_to_free_bins_near_the_pickers(store: Store) -> None:
    await store.move({"sku": "SKU-0", "quantity": 4, "to": "P-2"})
    (found,) = await store.suggest(("SKU-0", 30))
    assert found["places"] == [
        {"bin": "P-2", "quantity": 6, "why": "SAME_SKU"},
        {"bin": "P-1", "quantity": 10, "why": "EMPTY_PICK"},
        {"bin": "B-1", "quantity": 10, "why": "EMPTY_BULK"},
    ]
    assert found["left"] == 4
    first, second = await store.suggest(("SKU-1", 10), ("SKU-2", 5))
    assert [place["bin"] for place in first["places"]] == ["P-1"]
    assert [place["bin"] for place in second["places"]] == ["B-1"], "the line before took the other one"


async def test_moves_between_bins_and_back_onto_the_floor(store: Store) -> None:
    made = await store.move({"sku": "SKU-0", "quantity": 8, "to": "P-1"})
    assert made["moves"] == [
        {"sku": "SKU-0", "quantity": 8, "from": None, "to": "P-1", "fromHolds": None, "toHolds": 8}
    ]
    made = await store.move({"sku": "SKU-0", "quantity": 3, "from": "P-1", "to": "B-1"})
    assert (made["moves"][0]["fromHolds"], made["moves"][0]["toHolds"]) == (5, 3)
    made = await store.move({"sku": "SKU-0", "quantity": 5, "from": "P-1"})
    assert made["moves"][0]["fromHolds"] == 0
    (ber, nyc) = (await store.admin.data(FULL))["warehouseUtilization"]
    assert ber == {
        "warehouse": "BER",
        "bins": 5,
        "binsUsed": 1,
        "unplaced": 297,
        "stockLitres": 300.0,
        "byStorage": 0.3,
        "byVolume": 3 / 50,
        "byBin": 0.2,
    }
    assert (nyc["bins"], nyc["byBin"], nyc["unplaced"]) == (0, None, 300)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ({"sku": "SKU-0", "quantity": 11, "to": "P-1"}, "BIN_FULL"),
        ({"sku": "SKU-0", "quantity": 1, "to": "P-3"}, "INVALID_INPUT"),
        ({"sku": "SKU-0", "quantity": 1, "to": "X"}, "BIN_NOT_FOUND"),
        ({"sku": "SKU-0", "quantity": 1}, "INVALID_INPUT"),
        ({"sku": "SKU-0", "quantity": 1, "from": "P-1", "to": "P-2"}, "INSUFFICIENT_STOCK"),
        ({"sku": "SKU-0", "quantity": 0, "to": "P-1"}, "INVALID_QUANTITY"),
        ({"sku": "NONE", "quantity": 1, "to": "P-1"}, "SKU_NOT_FOUND"),
    ],
)
async def test_what_cannot_be_moves_nothing(store: Store, line: dict[str, Any], code: str) -> None:
    made = await store.move({"sku": "SKU-1", "quantity": 1, "to": "P-1"}, line)
    assert [error["code"] for error in made["userErrors"]] == [code]
    assert await store.state.database.hot.fetchval("SELECT coalesce(sum(quantity), 0)::int FROM bin_contents") == 0


async def test_no_more_is_put_away_than_stands_on_the_floor(store: Store) -> None:
    await store.admin.mutate("stockSet", "", warehouse="BER", lines=[{"sku": "SKU-0", "quantity": 5}])
    made = await store.move({"sku": "SKU-0", "quantity": 4, "to": "P-1"}, {"sku": "SKU-0", "quantity": 2, "to": "P-2"})
    assert [error["code"] for error in made["userErrors"]] == ["INSUFFICIENT_STOCK"]


async def test_another_warehouse_is_not_there(store: Store) -> None:
    house = await store.state.database.hot.fetchval("SELECT id FROM warehouses WHERE code = 'NYC'")
    secret = await make_secret(store.state, Role.WAREHOUSE, warehouse_ids=frozenset({house}))
    there = Client(store.admin.http, secret)
    line = {"sku": "SKU-0", "quantity": 1, "to": "P-1"}
    made = await there.mutate("binMove", MOVES, warehouse="BER", lines=[line])
    assert [error["code"] for error in made["userErrors"]] == ["WAREHOUSE_NOT_FOUND"]
    assert [one["warehouse"] for one in (await there.data(FULL))["warehouseUtilization"]] == ["NYC"]


SHELVES = st.lists(
    st.builds(
        lambda n, zone, capacity, used, held: Shelf(f"B{n}", zone, (0, n), capacity, used, not held and not used, held),
        *(st.integers(0, 999), st.sampled_from(["PICK", "BULK", "RETURNS"])),
        *(st.none() | st.integers(0, 5_000), st.integers(0, 3_000), st.integers(0, 3)),
    ),
    max_size=8,
)


@given(SHELVES, st.integers(1, 500), st.none() | st.integers(0, 900))
def test_a_suggestion_is_whole_and_fits(shelves: list[Shelf], quantity: int, unit_ml: int | None) -> None:
    places, left = suggest_places(shelves, quantity, unit_ml)
    assert sum(place.quantity for place in places) + left == quantity
    assert left >= 0
    assert all(place.quantity > 0 for place in places)
    usable = {shelf.code for shelf in shelves if shelf.zone != "RETURNS"}
    assert {place.bin for place in places} <= usable
