"""A true snapshot never proves anything wrong, whatever is on its way; a wrong one does when nothing is."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from domain.snapshots import Books, Tolerance, Verdict, judge_level, list_due

UNITS = st.integers(0, 1_000)


@given(st.data(), UNITS, UNITS, UNITS, UNITS, UNITS)
def test_whatever_a_true_snapshot_has_in_it_nothing_is_wrong(
    data: st.DataObject, then: int, came: int, went: int, unreported: int, unposted: int
) -> None:
    """The books know `came` and `went`; the snapshot may have any part of that, and of what they do not know yet."""
    books = Books(then + came - went, came, went, unreported, unposted)
    seen = [data.draw(st.integers(0, most)) for most in (came, went, unreported, unposted)]
    told = then + seen[0] - seen[1] - seen[2] + seen[3]
    if told >= 0:
        assert judge_level(told, books, Tolerance()).difference == 0


@given(UNITS, UNITS, st.integers(0, 50), st.integers(0, 20))
def test_with_nothing_on_its_way_every_difference_is_seen(told: int, on_hand: int, units: int, percent: int) -> None:
    verdict = judge_level(told, Books(on_hand), Tolerance(units, percent))
    assert verdict.difference == told - on_hand
    assert verdict.tolerable == (abs(told - on_hand) <= max(units, on_hand * percent // 100))


def test_numbers_beside_the_range_are_measured_from_its_edge() -> None:
    books = Books(on_hand=20, in_after=5, out_after=2, unreported=3, unposted=4)
    assert [judge_level(told, books, Tolerance(1)) for told in (11, 12, 26, 28)] == [
        Verdict(12, 26, -1, True),
        Verdict(12, 26, 0, True),
        Verdict(12, 26, 0, True),
        Verdict(12, 26, 2, False),
    ]


def test_how_often_lists_come_is_learned_with_their_weekends() -> None:
    monday = datetime.datetime(2026, 11, 23, 6, tzinfo=datetime.UTC)
    day = datetime.timedelta(days=1)
    nights = [monday, monday - 3 * day, monday - 4 * day, monday - 5 * day]
    assert list_due(nights[:2]) is None
    assert list_due(nights) == monday + 4.5 * day + datetime.timedelta(hours=1)
    assert list_due(nights[1:]) == monday - 1.5 * day + datetime.timedelta(hours=1), "it had never been silent longer"
