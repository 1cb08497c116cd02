"""A policy document: read, written, and refused with every reason and its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from domain.routing.policy import DEFAULT_POLICY, MICROS
from domain.routing.read_document import PolicyError
from domain.routing.read_policy import named_warehouses, read_policy, write_policy

FULL: dict[str, Any] = {
    "name": "Europe first",
    "currency": "EUR",
    "unknownKm": 800,
    "tariffs": [
        {
            "warehouses": ["BER"],
            "destinations": ["DE", "AT"],
            "bands": [{"upToKm": 100, "perParcel": "3.9", "perKg": "0.2"}, {"perParcel": "6", "transitDays": 2}],
        },
        {"bands": [{"perParcel": "12.5"}]},
    ],
    "rules": [
        {
            "name": "Near",
            "orders": {"destinations": ["DE"], "postalPrefixes": ["1"], "valueMin": "10", "promised": True},
            "warehouses": {"codes": ["HAM"], "maxDistanceKm": 300, "cutOff": "14:30", "keepSafetyStock": True},
            "objective": {
                "parcel": "2.5",
                "lateDay": "8",
                "load": "1",
                "cover": "0.5",
                "coverWeeks": 6,
                "splitLines": True,
            },
        },
        {"name": "Any", "last": True},
    ],
}


def test_a_document_is_read_and_written_back_the_same() -> None:
    policy = read_policy(FULL)
    assert policy.rules[0].sites.cut_off is not None
    assert policy.rules[0].objective.parcel == 2_500_000
    assert policy.tariffs[0].bands[1].up_to_km is None
    assert policy.tariffs[1].bands[0].per_parcel == 12.5 * MICROS
    written = write_policy(policy)
    assert read_policy(written) == policy
    assert written["rules"][0]["objective"]["parcel"] == "2.5"
    assert named_warehouses(policy) == ["BER", "HAM"]
    assert read_policy(write_policy(DEFAULT_POLICY)) == DEFAULT_POLICY


@pytest.mark.parametrize(
    ("change", "path", "words"),
    [
        ({"rules": []}, "rules", "1 to 50"),
        ({"rules": [{"name": "a"}, {"name": "a"}]}, "rules", "different names"),
        ({"rules": [{"name": "a", "warehouse": {}}]}, "rules.0.warehouse", "not a field"),
        ({"rules": [{"name": "a", "warehouses": {"cutOff": "25:00"}}]}, "rules.0.warehouses.cutOff", "local time"),
        ({"rules": [{"name": "a", "warehouses": {"statuses": ["OPEN"]}}]}, "rules.0.warehouses.statuses", "'OPEN'"),
        ({"rules": [{"name": "a", "orders": {"postalPrefixes": ["1"]}}]}, "rules.0.orders.postalPrefixes", "need"),
        ({"rules": [{"name": "a", "orders": {"destinations": ["Berlin"]}}]}, "rules.0.orders.destinations", "Berlin"),
        ({"rules": [{"name": "a", "orders": {"valueMin": 3, "valueMax": 2}}]}, "rules.0.orders.valueMax", "below"),
        ({"rules": [{"name": "a", "objective": {"parcel": "-1"}}]}, "rules.0.objective.parcel", "amount"),
        ({"rules": [{"name": "a", "objective": {"parcel": "NaN"}}]}, "rules.0.objective.parcel", "amount"),
        ({"rules": [{"name": "a", "last": "yes"}]}, "rules.0.last", "true or false"),
        ({"rules": ["a"]}, "rules.0", "object"),
        ({"tariffs": [{"bands": [{"perParcel": 1}, {"perParcel": 2}]}]}, "tariffs.0.bands", "order of distance"),
        ({"tariffs": [{"bands": [{"upToKm": 5}]}]}, "tariffs.0.bands.0.perParcel", "given"),
        ({"currency": "euro"}, "currency", "ISO 4217"),
        ({"name": ""}, "name", "1 to 200"),
        ({"unknownKm": True}, "unknownKm", "number"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(change: dict[str, Any], path: str, words: str) -> None:
    with pytest.raises(PolicyError) as refused:
        read_policy(FULL | change)
    assert (".".join(refused.value.problems[0][0]), len(refused.value.problems)) == (path, 1)
    assert words in refused.value.problems[0][1]


def test_the_policy_in_the_docs_is_one() -> None:
    text = (Path(__file__).parents[3] / "docs" / "routing.md").read_text()
    document = json.loads(text.split("```json")[1].split("```")[0])
    assert [rule.name for rule in read_policy(document).rules][-1] == "Any"


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(PolicyError) as refused:
        read_policy({"rules": [{}, {"name": "b", "objective": {"load": []}}]})
    assert [".".join(path) for path, _ in refused.value.problems] == ["name", "rules.0.name", "rules.1.objective.load"]
    with pytest.raises(PolicyError):
        read_policy(["rules"])
