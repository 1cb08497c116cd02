"""A plan as the JSON that is kept and shown: the answer of a decision, and why."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from domain.routing.plan import Candidate, Parcel, Plan, Step, Terms


def keep_plan(plan: Plan) -> dict[str, Any]:
    """Plain JSON; costs in micros of the policy's currency."""
    return {
        "cost": plan.cost,
        "parcels": [_keep_parcel(parcel) for parcel in plan.parcels],
        "waiting": {str(line): units for line, units in plan.waiting.items()},
        "steps": [_keep_step(step) for step in plan.steps],
    }


def _keep_parcel(parcel: Parcel) -> dict[str, Any]:
    return {
        "site": parcel.site_id,
        "code": parcel.code,
        "day": parcel.day.isoformat(),
        "units": {str(line): units for line, units in parcel.units.items()},
        "km": parcel.distance_km,
        "late_days": parcel.late_days,
        "transit_days": parcel.transit_days,
        "joins": parcel.joins,
        "terms": keep_terms(parcel.terms),
    }


def revive_parcels(kept: Mapping[str, Any]) -> tuple[Parcel, ...]:
    """The parcels of a plan that `keep_plan` kept."""
    return tuple(
        Parcel(
            one["site"],
            one["code"],
            datetime.date.fromisoformat(one["day"]),
            {int(line): units for line, units in one["units"].items()},
            Terms(*one["terms"]),
            one["km"],
            one["late_days"],
            one["transit_days"],
            one["joins"],
        )
        for one in kept["parcels"]
    )


def keep_terms(terms: Terms) -> list[int]:
    """Shipping, parcel, late, load, cover."""
    return [terms.shipping, terms.parcel, terms.late, terms.load, terms.cover]


def _keep_step(step: Step) -> dict[str, Any]:
    return {
        "rule": step.rule,
        "lines": list(step.lines),
        "solver": step.solver,
        "cost": step.cost,
        "gap": step.gap,
        "cells": step.searched,
        "candidates": [_keep_candidate(candidate) for candidate in step.candidates],
    }


def _keep_candidate(candidate: Candidate) -> dict[str, Any]:
    kept: dict[str, Any] = {"site": candidate.site_id, "code": candidate.code, "km": candidate.distance_km}
    if candidate.removed is not None:
        return kept | {"removed": candidate.removed, "detail": candidate.detail}
    return kept | {
        "day": None if candidate.day is None else candidate.day.isoformat(),
        "late_days": candidate.late_days,
        "terms": None if candidate.terms is None else keep_terms(candidate.terms),
        "offered": {str(sku): units for sku, units in candidate.offered.items()},
    }
