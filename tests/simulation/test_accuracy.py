"""The short form of the week with mis-picks and losses: one warehouse, a hundred lines, three days."""

from __future__ import annotations

from app.settings import Settings
from tests.simulation.accuracy import MISHAPS, Way, run_week


async def test_the_plan_finds_what_is_wrong(settings: Settings) -> None:
    week, said = await run_week(settings, Way.CHECKS, seed=3, houses=1, lines=100, days=3, mishaps=MISHAPS)
    assert said.walked <= 15, "5 % of a hundred lines on each of three days"
    assert said.decided > said.walked, "pickers decide on lines that nobody walked to"
    assert said.wrong > said.decided / 3, "most of what is counted was worth it"
    assert week.accuracy[-1] >= 0.96
