"""The conformance kit: play a day against a partner's endpoint and judge it."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from adapters.channels.threepl.call_provider import ConnectSettings
from app.partners.check.judge_day import Finding, judge_day
from app.partners.check.play_day import Script, play_day
from app.partners.check.play_hooks import HookTarget
from app.partners.check.rules import RULES


async def check_partner(
    settings: ConnectSettings,
    script: Script | None = None,
    hooks: HookTarget | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Sequence[Finding]:
    """A finding for each rule. The orders are real to the partner: give it an account for tests."""
    day = await play_day(settings, script or Script(), hooks, transport or httpx.AsyncHTTPTransport())
    return judge_day(day, RULES)
