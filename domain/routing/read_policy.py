"""A policy from and to its JSON document; `docs/routing.md` shows one."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

from domain.routing.policy import (
    DAYS_AHEAD_MAX,
    DEFAULT_POLICY,
    MICROS,
    Band,
    Objective,
    OrderFilter,
    Policy,
    Rule,
    SiteFilter,
    Tariff,
)
from domain.routing.read_document import PolicyError, Reader

RULES_MAX = 50
TARIFFS_MAX = 200
BANDS_MAX = 30
DESTINATION = r"[A-Z]{2}(-[A-Z0-9]{1,10})?"
KINDS = ("OWN", "THIRD_PARTY")
STATUSES = ("ONBOARDING", "SHADOW", "LIVE", "CLOSED")
CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def read_policy(document: Any) -> Policy:
    """Raises `PolicyError` with all that is wrong. Tariffs that are not given are those of the default policy."""
    problems: list[tuple[tuple[str, ...], str]] = []
    if not isinstance(document, Mapping):
        raise PolicyError([((), "must be a JSON object.")])
    reader = Reader(document, (), problems)
    name = reader.text("name")
    currency = reader.text("currency", DEFAULT_POLICY.currency)
    if re.fullmatch(r"[A-Z]{3}", currency) is None:
        reader.refuse("currency", "must be three capital letters of ISO 4217.")
    unknown_km = reader.number("unknownKm", DEFAULT_POLICY.unknown_km, 0, 40_000)
    tariffs = DEFAULT_POLICY.tariffs
    if document.get("tariffs") is None:
        reader.known.add("tariffs")
    else:
        tariffs = reader.items("tariffs", _read_tariff, 1, TARIFFS_MAX)
    rules = reader.items("rules", _read_rule, 1, RULES_MAX)
    names = [rule.name for rule in rules]
    if len(set(names)) < len(names):
        reader.refuse("rules", "must have different names.")
    reader.close()
    if problems:
        raise PolicyError(problems)
    return Policy(name, currency, tariffs, rules, unknown_km)


def _read_tariff(reader: Reader) -> Tariff:
    warehouses = frozenset(reader.texts("warehouses") or ())
    destinations = frozenset(reader.texts("destinations", DESTINATION) or ())
    bands = reader.items("bands", _read_band, 1, BANDS_MAX)
    for before, after in pairwise(bands):
        if before.up_to_km is None or (after.up_to_km is not None and after.up_to_km <= before.up_to_km):
            reader.refuse("bands", "must be in order of distance; only the last may be without upToKm.")
            break
    return Tariff(bands, warehouses, destinations)


def _read_band(reader: Reader) -> Band:
    if reader.given.get("perParcel") is None:
        reader.refuse("perParcel", "must be given.")
    return Band(
        reader.number("upToKm", None, 0, 40_000),
        reader.micros("perParcel", 0),
        reader.micros("perKg", 0),
        reader.whole("transitDays", 1, 0, 60),
    )


def _read_rule(reader: Reader) -> Rule:
    name = reader.text("name")
    orders, sites, objective = reader.item("orders"), reader.item("warehouses"), reader.item("objective")
    rule = Rule(name, _read_orders(orders), _read_sites(sites), _read_objective(objective), reader.flag("last", False))
    for inner in (orders, sites, objective):
        inner.close()
    return rule


def _read_orders(reader: Reader) -> OrderFilter:
    prefixes = reader.texts("postalPrefixes", r"[A-Z0-9-]{1,10}")
    destinations = frozenset(reader.texts("destinations", DESTINATION) or ())
    if prefixes and not destinations:
        reader.refuse("postalPrefixes", "need destinations: the same digits mean other places elsewhere.")
    low, high = reader.micros("valueMin", None), reader.micros("valueMax", None)
    if low is not None and high is not None and low > high:
        reader.refuse("valueMax", "must not be below valueMin.")
    return OrderFilter(
        frozenset(reader.texts("channels") or ()),
        destinations,
        tuple(prefixes or ()),
        frozenset(reader.texts("skuTags") or ()),
        low,
        high,
        reader.flag("promised", None),
        reader.whole("promiseDaysMax", None, 0, 365),
    )


def _read_sites(reader: Reader) -> SiteFilter:
    default = SiteFilter()
    statuses = reader.texts("statuses", "|".join(STATUSES))
    return SiteFilter(
        frozenset(reader.texts("codes") or ()),
        frozenset(reader.texts("kinds", "|".join(KINDS)) or ()),
        default.statuses if statuses is None else frozenset(statuses),
        frozenset(reader.texts("groups") or ()),
        reader.number("maxDistanceKm", None, 0, 40_000),
        reader.whole("capacityLeftMin", default.capacity_left_min, 1, 1_000_000),
        _read_clock(reader, "cutOff"),
        reader.whole("daysAheadMax", default.days_ahead_max, 0, DAYS_AHEAD_MAX),
        reader.flag("keepSafetyStock", False),
        reader.whole("keepBack", 0, 0, 1_000_000),
    )


def _read_clock(reader: Reader, name: str) -> datetime.time | None:
    if reader.given.get(name) is None:
        reader.known.add(name)
        return None
    text = reader.text(name)
    if CLOCK.fullmatch(text) is None:
        reader.refuse(name, 'must be a local time such as "14:00".')
        return None
    return datetime.time.fromisoformat(text)


def _read_objective(reader: Reader) -> Objective:
    default = Objective()
    return Objective(
        reader.whole("shippingPercent", default.shipping_percent, 0, 10_000),
        reader.micros("parcel", default.parcel),
        reader.micros("lateDay", default.late_day),
        reader.micros("load", default.load),
        reader.micros("cover", default.cover),
        reader.whole("coverWeeks", default.cover_weeks, 1, 104),
        reader.flag("splitLines", default.split_lines),
    )


def write_policy(policy: Policy) -> dict[str, Any]:
    """The whole document, defaults written out; `read_policy` of it is the same policy."""
    return {
        "name": policy.name,
        "currency": policy.currency,
        "unknownKm": policy.unknown_km,
        "tariffs": [
            {
                "warehouses": sorted(tariff.warehouses),
                "destinations": sorted(tariff.destinations),
                "bands": [_write_band(band) for band in tariff.bands],
            }
            for tariff in policy.tariffs
        ],
        "rules": [
            {
                "name": rule.name,
                "orders": _write_orders(rule.orders),
                "warehouses": _write_sites(rule.sites),
                "objective": _write_objective(rule.objective),
                "last": rule.last,
            }
            for rule in policy.rules
        ],
    }


def _write_band(band: Band) -> dict[str, Any]:
    return {
        "upToKm": band.up_to_km,
        "perParcel": write_amount(band.per_parcel),
        "perKg": write_amount(band.per_kg),
        "transitDays": band.transit_days,
    }


def _write_orders(wanted: OrderFilter) -> dict[str, Any]:
    return {
        "channels": sorted(wanted.channels),
        "destinations": sorted(wanted.destinations),
        "postalPrefixes": list(wanted.postal_prefixes),
        "skuTags": sorted(wanted.sku_tags),
        "valueMin": None if wanted.value_min is None else write_amount(wanted.value_min),
        "valueMax": None if wanted.value_max is None else write_amount(wanted.value_max),
        "promised": wanted.promised,
        "promiseDaysMax": wanted.promise_days_max,
    }


def _write_sites(wanted: SiteFilter) -> dict[str, Any]:
    return {
        "codes": sorted(wanted.codes),
        "kinds": sorted(wanted.kinds),
        "statuses": sorted(wanted.statuses),
        "groups": sorted(wanted.groups),
        "maxDistanceKm": wanted.max_distance_km,
        "capacityLeftMin": wanted.capacity_left_min,
        "cutOff": None if wanted.cut_off is None else wanted.cut_off.strftime("%H:%M"),
        "daysAheadMax": wanted.days_ahead_max,
        "keepSafetyStock": wanted.keep_safety_stock,
        "keepBack": wanted.keep_back,
    }


def _write_objective(objective: Objective) -> dict[str, Any]:
    return {
        "shippingPercent": objective.shipping_percent,
        "parcel": write_amount(objective.parcel),
        "lateDay": write_amount(objective.late_day),
        "load": write_amount(objective.load),
        "cover": write_amount(objective.cover),
        "coverWeeks": objective.cover_weeks,
        "splitLines": objective.split_lines,
    }


def write_amount(micros: int) -> str:
    """As in "4.5"."""
    return format((Decimal(micros) / MICROS).normalize(), "f")


def named_warehouses(policy: Policy) -> Iterable[str]:
    """Every warehouse code that the policy names."""
    codes = {code for tariff in policy.tariffs for code in tariff.warehouses}
    return sorted(codes.union(*(rule.sites.codes for rule in policy.rules)))
