"""What Prometheus sees of all channels together, measured now and then: every worker measures the same."""

from __future__ import annotations

from app.channels.listing_state import STATES
from app.channels.measure_exposure import measure_exposure
from app.channels.read_channels import count_listings_by_state
from app.metrics import CASES_OPEN, EXPOSURE_UNITS, LISTINGS
from app.state import State
from domain.exceptions import Severity
from domain.identity import Principal

_EVERYTHING = Principal("system", "system", frozenset())
_CHANNELS = "SELECT id, code FROM channels ORDER BY id"
_CASES = "SELECT severity, count(*)::int AS count FROM exception_cases WHERE state <> 'RESOLVED' GROUP BY severity"


async def set_gauges(state: State) -> int:
    """Set the gauges of exposure, listings and open cases; what is no more is set to zero. Returns 0."""
    codes = {row["id"]: row["code"] for row in await state.database.hot.fetch(_CHANNELS)}
    exposure = await measure_exposure(state.database, _EVERYTHING)
    units = {row["c_code"]: row["units"] for row in exposure.channels}
    counts = await count_listings_by_state(state.database, list(codes))
    listings = {(codes[row["channel_id"]], row["state"]): row["count"] for row in counts}
    for code in codes.values():
        EXPOSURE_UNITS.labels(code).set(units.get(code, 0))
        for name in STATES:
            LISTINGS.labels(code, name).set(listings.get((code, name), 0))
    cases = dict(await state.database.hot.fetch(_CASES))
    for severity in Severity:
        CASES_OPEN.labels(severity.value).set(cases.get(severity.value, 0))
    return 0
