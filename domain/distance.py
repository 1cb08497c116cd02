"""Great-circle distance."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_KM = 6_371.0088


def measure_distance(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Kilometres between two points in degrees, by the haversine formula."""
    a, b = radians(latitude), radians(other_latitude)
    half_height, half_width = (b - a) / 2, radians(other_longitude - longitude) / 2
    part = sin(half_height) ** 2 + cos(a) * cos(b) * sin(half_width) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, part)))
