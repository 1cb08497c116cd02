"""Counts: what scans come to, what is planned, what accuracy is."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.accuracy import CountedLine, measure_accuracy
from domain.count_plan import (
    INTERVAL_DAYS,
    Candidate,
    choose_lines,
    classify_abc,
    lines_limit,
    measure_rate,
    suspect,
)
from domain.counts import (
    ALLOWED,
    CountAction,
    CountCause,
    CountLineStatus,
    CountStatus,
    Tolerance,
    check_count_action,
    count_status,
    judge_scans,
    split_variance,
)
from domain.errors import Refusal

COUNTED, RECOUNT, OPEN = CountLineStatus.COUNTED, CountLineStatus.RECOUNT, CountLineStatus.OPEN


@pytest.mark.parametrize(
    ("variances", "tolerance", "found"),
    [
        ([0], Tolerance(), COUNTED),
        ([-1], Tolerance(), RECOUNT),
        ([-1], Tolerance(units=1), COUNTED),
        ([-5], Tolerance(percent=5), COUNTED),
        ([-6], Tolerance(percent=5), RECOUNT),
        ([-3, -3], Tolerance(), COUNTED),
        ([-3, -2], Tolerance(), RECOUNT),
        ([-3, 0], Tolerance(), COUNTED),
        ([-3, -2, -3], Tolerance(), COUNTED),
        ([-3, -2, -1], Tolerance(), COUNTED),
    ],
)
def test_a_difference_is_believed_when_it_is_found_again(
    variances: list[int], tolerance: Tolerance, found: CountLineStatus
) -> None:
    assert judge_scans(variances, 100, tolerance) is found


def test_a_count_is_what_its_lines_are() -> None:
    assert count_status([(OPEN, 0), (OPEN, 0)]) is CountStatus.PLANNED
    assert count_status([(OPEN, 0), (COUNTED, 0)]) is CountStatus.COUNTING
    assert count_status([(RECOUNT, -3), (COUNTED, 0)]) is CountStatus.COUNTING
    assert count_status([(COUNTED, -3), (COUNTED, 0)]) is CountStatus.REVIEW
    assert count_status([(COUNTED, 0), (COUNTED, 0)]) is CountStatus.POSTED


@pytest.mark.parametrize("action", CountAction)
@pytest.mark.parametrize("status", CountStatus)
def test_every_state_says_what_may_be_done(status: CountStatus, action: CountAction) -> None:
    if status in ALLOWED[action]:
        check_count_action(status, action)
    else:
        with pytest.raises(Refusal) as refused:
            check_count_action(status, action)
        assert refused.value.code == "WRONG_STATE"


@given(st.integers(-1_000, 1_000), st.integers(0, 1_000))
def test_only_what_is_free_is_written_off(variance: int, free: int) -> None:
    posted, rest = split_variance(variance, free)
    assert posted + rest == variance
    assert posted >= -free
    assert rest <= 0
    assert rest == 0 or posted == -free


def test_classes_follow_what_moves() -> None:
    found = classify_abc({1: 800.0, 2: 100.0, 3: 60.0, 4: 30.0, 5: 10.0, 6: 0.0})
    assert found == {1: "A", 2: "B", 3: "B", 4: "C", 5: "C", 6: "C"}
    assert classify_abc({1: 0.0}) == {1: "C"}


def candidate(sku: int, abc: str = "C", days: float = 1, handlings: int = 0, **signals: int) -> Candidate:
    return Candidate(sku, abc, days, handlings, {CountCause(name): times for name, times in signals.items()})


def test_what_is_likely_wrong_comes_first_and_turn_before_what_is_not() -> None:
    likely = [candidate(n, SHORT_PICK=1) for n in range(4)]
    vague = [candidate(50 + n, handlings=30) for n in range(20)]
    overdue = [candidate(100 + n, "A", INTERVAL_DAYS["A"] + n) for n in range(20)]
    causes = [one.cause for one in choose_lines(likely + vague + overdue, 10, 0.005)]
    assert causes == [CountCause.SHORT_PICK] * 4 + [CountCause.CYCLE] * 2 + [CountCause.HANDLING] * 4
    many = [candidate(n, SHORT_PICK=1) for n in range(20)]
    assert {one.cause for one in choose_lines(many + overdue, 10, 0.005)} == {CountCause.SHORT_PICK}
    assert len(choose_lines(overdue, 10, 0.005)) == 10


def test_nothing_is_counted_for_nothing() -> None:
    assert choose_lines([candidate(n) for n in range(10)], 5, 0.005) == []


@given(st.lists(st.tuples(st.floats(0, 400), st.integers(0, 500), st.integers(0, 2)), max_size=30), st.integers(0, 12))
def test_a_plan_is_bounded_and_has_no_line_twice(lines: list[tuple[float, int, int]], limit: int) -> None:
    candidates = [
        candidate(n, "ABC"[n % 3], days, handled, NEGATIVE=times) for n, (days, handled, times) in enumerate(lines)
    ]
    chosen = choose_lines(candidates, limit, 0.01)
    assert len(chosen) <= limit
    assert len({one.sku_id for one in chosen}) == len(chosen)


def test_evidence_and_handling_add_up() -> None:
    chance, cause = suspect(candidate(1, handlings=100, DRIFT=1), 0.001)
    alone, _ = suspect(candidate(1, DRIFT=1), 0.001)
    assert cause is CountCause.DRIFT
    assert alone < chance < 1
    assert suspect(candidate(1, handlings=1_000), 0.001)[1] is CountCause.HANDLING
    assert measure_rate(0, 0) < measure_rate(50, 2_000)


def test_the_share_is_a_bound() -> None:
    assert [lines_limit(lines, 5) for lines in (0, 1, 19, 20, 59, 1_000)] == [0, 1, 1, 1, 2, 50]


def test_accuracy_by_line_unit_and_value() -> None:
    found = measure_accuracy([CountedLine(10, 10, Decimal(2)), CountedLine(8, 10, Decimal(5)), CountedLine(0, 0)])
    assert (found.lines, found.lines_right, found.units, found.units_wrong) == (3, 2, 20, 2)
    assert found.by_line == pytest.approx(2 / 3)
    assert found.by_unit == pytest.approx(0.9)
    assert found.by_value == pytest.approx(1 - 10 / 70)
    assert measure_accuracy([]).by_line is None
