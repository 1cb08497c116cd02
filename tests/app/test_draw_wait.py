"""Waits between tries: within bounds, longer each time, and as the vendor says where it does."""

from __future__ import annotations

import pytest

from app.draw_wait import FIRST_SECONDS, MOST_SECONDS, draw_wait

DRAWS = 300


@pytest.mark.parametrize("attempts", [0, 1, 5, 9, 10, 5_000])
def test_every_wait_up_to_the_ceiling_may_come(attempts: int) -> None:
    """The chance that 300 draws all miss a tenth at either end is below 1e-13."""
    ceiling = min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(attempts, 30))
    waits = [draw_wait(attempts) for _ in range(DRAWS)]
    assert 0 <= min(waits) < 0.1 * ceiling
    assert 0.9 * ceiling < max(waits) <= ceiling


def test_the_ceiling_doubles_until_it_stays() -> None:
    waits = [draw_wait(attempts, first_seconds=1.0, most_seconds=10.0, share=1.0) for attempts in range(6)]
    assert waits == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert draw_wait(2, first_seconds=1.0, share=0.5) == 2.0


@pytest.mark.parametrize("hint", [0.0, 0.3, 86_400.0])
def test_the_vendors_hint_goes_first(hint: float) -> None:
    assert draw_wait(9, hint) == hint
