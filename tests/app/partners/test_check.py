"""The conformance kit passes a good partner, and finds each way of being a bad one."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Sequence
from typing import Any

import pytest

from adapters.channels.threepl.call_provider import ConnectSettings
from adapters.sandbox.threepl.config import Defect, ProviderConfig
from adapters.sandbox.threepl.create_provider import create_provider
from adapters.sandbox.threepl.inject_faults import FaultKind
from adapters.webhooks.sign_webhook import make_secret
from app.partners.check.check_partner import check_partner
from app.partners.check.judge_day import Finding, Verdict
from app.partners.check.play_day import Script
from app.partners.check.play_hooks import HookTarget
from app.partners.check.rules import RULES
from tests.adapters.ebay.market import serve

SECRET = make_secret()
STOCK = {"TEA-1": 50, "CUP-1": 3}
KEY = {"api_key": "sandbox-key"}
QUICK = Script(wait_seconds=1.2, poll_seconds=0.04, settle_seconds=0.4, answer_seconds_max=1.0)
BROKEN = {
    Defect.LETS_ANYBODY_IN: "credentials",
    Defect.SLOW: "speed",
    Defect.BREAKS_SCHEMA: "contract",
    Defect.FORGETS_TRANSACTIONS: "idempotent",
    Defect.ONE_ID_FOR_ALL: "own-id",
    Defect.NEVER_SHIPS: "ship",
    Defect.SHIPS_WITHOUT_TRACKING: "tracking",
    Defect.SHIPS_TOO_MUCH: "no-excess",
    Defect.HIDES_SHORTAGE: "short-ship",
    Defect.SHIPS_WHAT_IS_NOT_THERE: "unknown-sku",
    Defect.REFUSES_CANCEL: "cancel-heard",
    Defect.CANCELS_AND_SHIPS: "one-end",
    Defect.UNSHIPS: "cancel-late",
    Defect.GOES_BACK: "forward",
    Defect.CHANGES_IDS: "stable-ids",
    Defect.IGNORES_SINCE: "since",
    Defect.LOOPS_PAGES: "pages-end",
    Defect.SAYS_TWO_THINGS: "one-truth",
    Defect.SNAPSHOT_IN_NUMBERS: "stock-strings",
    Defect.SNAPSHOT_DOES_NOT_ADD_UP: "stock-sums",
    Defect.SNAPSHOT_FORGETS: "stock-follows",
    Defect.HOOK_TAKES_FORGED: "event-forged",
    Defect.HOOK_TAKES_OLD: "event-old",
    Defect.HOOK_REFUSES_DUPLICATES: "event-twice",
    Defect.HOOK_REFUSES_REORDERED: "event-earlier",
}
"""Which rule finds which defect."""
SEEN_OTHERWISE = {"acknowledge", "cancel-ends", "event-right"}
"""Rules that are broken in other tests here."""


async def check(*defects: Defect, faults: Sequence[FaultKind] = (), **config: Any) -> dict[str, Finding]:
    given = {"stock": STOCK, "accept_seconds": 0.05, "ship_seconds": 0.25, "webhook_secret": SECRET, **config}
    app = create_provider(ProviderConfig(**given, slow_seconds=1.2, defects=frozenset(defects)))
    for fault in faults:
        app.state.provider.faults.add(fault, None if fault is FaultKind.ERROR_500 else 1)
    async with serve(app) as url:
        findings = await check_partner(
            ConnectSettings(url, "onhand_sandbox", KEY), QUICK, HookTarget(f"{url}/hooks", SECRET)
        )
    assert [finding.rule for finding in findings] == list(RULES)
    return {finding.rule.name: finding for finding in findings}


def broken(found: dict[str, Finding]) -> set[str]:
    return {name for name, finding in found.items() if finding.verdict is Verdict.FAIL}


@pytest.mark.parametrize("listed", [False, True])
async def test_a_good_partner_keeps_every_rule(listed: bool) -> None:
    found = await check(listed=listed)
    assert {name: one.detail for name, one in found.items() if one.verdict is not Verdict.PASS} == {}


def test_every_rule_is_seen_broken_and_every_defect_is_tried() -> None:
    assert set(BROKEN) == set(Defect)
    assert {*BROKEN.values(), *SEEN_OTHERWISE} == {rule.name for rule in RULES}


@pytest.mark.parametrize("defect", [defect for defect in Defect if defect is not Defect.SLOW])
async def test_each_defect_is_found_by_its_rule(defect: Defect) -> None:
    found = await check(defect)
    assert BROKEN[defect] in broken(found), {name: one.detail for name, one in found.items()}
    assert found[BROKEN[defect]].detail


async def test_a_slow_partner_is_found() -> None:
    async with serve(
        create_provider(ProviderConfig(stock=STOCK, slow_seconds=0.3, defects=frozenset({Defect.SLOW})))
    ) as url:
        script = Script(wait_seconds=0.1, poll_seconds=0.1, settle_seconds=0.1, answer_seconds_max=0.2)
        found = await check_partner(ConnectSettings(url, "onhand_sandbox", KEY), script)
    assert "speed" in {one.rule.name for one in found if one.verdict is Verdict.FAIL}


async def test_a_partner_that_takes_nothing_in_is_found_and_the_rest_is_not_guessed() -> None:
    found = await check(faults=[FaultKind.ERROR_500])
    assert {"acknowledge", "event-right"} & broken(found) == {"acknowledge"}
    assert found["ship"].verdict is Verdict.SKIPPED


async def test_a_partner_that_forgets_what_it_was_to_cancel_is_found() -> None:
    assert "cancel-ends" in broken(await check(ship_seconds=60.0))


async def test_an_endpoint_that_takes_no_events_is_found() -> None:
    found = await check(webhook_secret=None)
    assert {name for name in broken(found) if name.startswith("event-")} == {
        "event-right",
        "event-twice",
        "event-earlier",
    }


async def test_trouble_that_passes_is_nobodys_fault() -> None:
    """A lost reply, a duplicate, another order, a parcel too few: a good partner keeps the rules all the same."""
    kinds = [FaultKind.LOST_REPLY, FaultKind.DUPLICATE_EVENT, FaultKind.REORDERED_EVENT, FaultKind.CANCEL_RACE]
    assert broken(await check(faults=kinds)) == set()


@pytest.mark.parametrize(("defects", "code"), [((), 0), ((Defect.SNAPSHOT_IN_NUMBERS,), 1)])
async def test_the_command_prints_each_rule_and_says_it_by_its_exit_code(
    defects: tuple[Defect, ...], code: int
) -> None:
    config = ProviderConfig(stock=STOCK, accept_seconds=0.05, ship_seconds=0.2, defects=frozenset(defects))
    async with serve(create_provider(config)) as url:
        command = [sys.executable, "-m", "app.cli", "partner", "check", url, "--api-key", "sandbox-key"]
        command += ["--wait-seconds", "5", "--poll-seconds", "0.1"]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        told = (await process.communicate())[0].decode()
    assert process.returncode == code, told
    assert all(re.search(rf"^ *{rule.name} +(PASS|FAIL|SKIPPED) ", told, re.MULTILINE) for rule in RULES), told
    assert re.search(r"\d+ kept, [01] broken, 5 not seen\.", told)
