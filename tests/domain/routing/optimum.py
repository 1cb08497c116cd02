"""The true optimum of a facility-location instance, by HiGHS: what the solver of the product is held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import highspy

from domain.routing.solve import Facility, Source

PARCEL = 1e-4
"""Added for each parcel: a hundred of them are less than the smallest difference between two costs, 0.01."""


def find_optimum(
    facilities: Sequence[Facility], demands: Sequence[tuple[int, Sequence[Source]]], *, splits: bool = False
) -> tuple[float, int]:
    """(least cost, least parcels at that cost). Costs are to be multiples of 10,000 micros."""
    model = highspy.Highs()
    model.silent()
    model.setOptionValue("mip_rel_gap", 0.0)
    model.setOptionValue("mip_abs_gap", 1e-7)
    opened = [model.addBinary() for _ in facilities]
    cost = [(facility.fixed / 1e6 + PARCEL) * use for facility, use in zip(facilities, opened, strict=True)]
    for wanted, sources in demands:
        cost += _fill(model, opened, wanted, sources, splits)
    model.minimize(sum(cost))
    status = model.getModelStatus()
    assert status == highspy.HighsModelStatus.kOptimal, status
    found = float(model.getInfo().objective_function_value)
    parcels = round(sum(model.val(use) for use in opened))
    return found - PARCEL * parcels, parcels


def _fill(
    model: highspy.Highs, opened: Sequence[Any], wanted: int, sources: Sequence[Source], splits: bool
) -> list[Any]:
    """The costs of one demand's units. One that a warehouse can fill alone is not split unless `splits`."""
    usable = [] if splits else [source for source in sources if source.units >= wanted]
    whole = bool(usable)
    usable = usable or list(sources)
    amount = min(wanted, sum(source.units for source in usable))
    costs, given = [], []
    for source in usable:
        units = min(source.units, amount)
        share = model.addBinary() if whole else model.addIntegral(0, units)
        part = share * amount if whole else share * 1
        model.addConstr(share <= opened[source.site] * (1 if whole else units))
        costs.append(source.price / 1e6 * part)
        given.append(part)
    if given:
        model.addConstr(sum(given) == amount)
    return costs
