"""A point on the map, and how well it is known."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Precision(StrEnum):
    """What a place was found by. `EXACT`: somebody told its coordinates."""

    EXACT = "EXACT"
    POSTAL_CODE = "POSTAL_CODE"
    CITY = "CITY"
    REGION = "REGION"
    COUNTRY = "COUNTRY"
    NONE = "NONE"


class Place(NamedTuple):
    """Degrees; None when nothing is known. `region_code`: of the region told, as in `CA`, when it has one."""

    latitude: float | None
    longitude: float | None
    precision: Precision
    region_code: str | None = None
