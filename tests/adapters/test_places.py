"""Places are found offline, by the best that is known, and say by what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from adapters.places.find_place import Places, code_region, find_place, pack_path, read_pack
from adapters.places.pack_places import find_mean, hash_key, write_pack
from adapters.places.place import Precision


@pytest.fixture(scope="module")
async def places() -> Places:
    found = Places()
    await found.load()
    return found


@pytest.mark.parametrize(
    ("goal", "precision", "near"),
    [
        ({"country": "US", "postal_code": "94016-1234"}, "POSTAL_CODE", (37.7, -122.5)),
        ({"country": "DE", "city": "München", "postal_code": "80331"}, "CITY", (48.1, 11.6)),
        ({"country": "DE", "city": "MUNICH"}, "CITY", (48.1, 11.6)),
        ({"country": "US", "city": "Springfield", "region": "IL"}, "CITY", (39.8, -89.6)),
        ({"country": "US", "city": "Nowhere at all", "region": "Texas"}, "REGION", (31.1, -97.2)),
        ({"country": "DE", "city": "Nowhere at all", "region": "Hamburg"}, "REGION", (53.6, 10.0)),
        ({"country": "FR", "city": "Nowhere at all"}, "COUNTRY", (47.4, 2.9)),
        ({"country": "ZZ", "city": "Paris"}, "NONE", (None, None)),
        ({"city": "Paris"}, "NONE", (None, None)),
        ({"country": "DE", "latitude": 50.0, "longitude": 8.0}, "EXACT", (50.0, 8.0)),
    ],
)
async def test_by_the_best_that_is_known(
    places: Places, goal: dict[str, Any], precision: str, near: tuple[Any, Any]
) -> None:
    found = await places.find(goal)
    assert found.precision == precision
    if near[0] is None:
        assert (found.latitude, found.longitude) == near
    else:
        assert (found.latitude, found.longitude) == pytest.approx(near, abs=0.1)


def test_regions_have_codes() -> None:
    assert [code_region("US", name) for name in ("California", "ca", "US-NY", "Atlantis", None)] == [
        *("CA", "CA", "NY", None, None)
    ]
    assert code_region("DE", "Bayern") is None
    assert code_region("DE", "by") == "BY"


def test_the_mean_of_places_goes_over_the_date_line() -> None:
    latitude, longitude = find_mean([(0.0, 179.0), (0.0, -179.0)])
    assert (latitude, abs(longitude)) == pytest.approx((0.0, 180.0))


def test_a_broken_pack_is_none(tmp_path: Path) -> None:
    path = tmp_path / "sub" / "places.bin"
    write_pack(path, {hash_key("L", "DE"): (51.0, 10.0)})
    index = read_pack(path)
    assert find_place(index, {"country": "de"}, None)[:3] == (51.0, 10.0, Precision.COUNTRY)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="no pack"):
        read_pack(path)


async def test_without_a_pack_orders_are_routed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise OSError("no room")

    monkeypatch.setattr("adapters.places.find_place.load_index", fail)
    places = Places()
    for _ in range(2):
        assert (await places.find({"country": "DE", "city": "Berlin"})).precision is Precision.NONE
    assert (await places.find({"latitude": 1.0, "longitude": 2.0})).precision is Precision.EXACT


def test_the_pack_is_kept_per_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert pack_path().parent == tmp_path / "onhand"
