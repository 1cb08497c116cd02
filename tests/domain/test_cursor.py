"""A client that starts from a snapshot and resumes anywhere gets each row exactly once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cursor import ID_MAX, RANGES_MAX, Cursor, Position, Seen, parse_cursor, see
from domain.errors import Refusal


@given(
    xids=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    line=st.integers(1, 20),
    running=st.sets(st.integers(1, 30)),
    xmax=st.integers(20, 25),
    resumes=st.sets(st.integers(0, 40)),
)
def test_each_row_comes_once_whatever_the_resumes(
    xids: list[int], line: int, running: set[int], xmax: int, resumes: set[int]
) -> None:
    rows = sorted(Position(xid, row_id) for row_id, xid in enumerate(xids, 1))
    in_snapshot = {row for row in rows if row.xid < line or (row.xid < xmax and row.id not in running)}
    above = {row.id for row in in_snapshot if row.xid >= line}
    cursor = Cursor(Position(line - 1, ID_MAX), see(xmax, above))
    received = []
    for index, position in enumerate(rows):
        if not cursor.skips(position):
            received.append(position)
            cursor = cursor.at(position)
        if index in resumes:
            cursor = parse_cursor(str(cursor))
        assert cursor.skips(position)
    assert received == [row for row in rows if row not in in_snapshot]


@given(st.sets(st.integers(1, 100)), st.integers(0, 101))
def test_seen_holds_its_ids_and_no_other(ids: set[int], asked: int) -> None:
    seen = see(1, ids)
    assert (seen is not None and seen.holds(asked)) == (asked in ids)


def test_adjoining_ids_are_one_range_and_the_oldest_ranges_go_first() -> None:
    assert see(1, [5, 3, 4, 9]) == Seen(1, ((3, 5), (9, 9)))
    many = see(1, range(0, 4 * RANGES_MAX, 2))
    assert many is not None
    assert (len(many.ranges), many.ranges[0][0]) == (RANGES_MAX, 2 * RANGES_MAX)
    assert parse_cursor(str(Cursor(Position(1, ID_MAX), many))).seen == many


@given(st.integers(0, ID_MAX), st.integers(0, ID_MAX), st.sets(st.integers(1, 100), min_size=1))
def test_text_form_round_trips(xid: int, row: int, ids: set[int]) -> None:
    for cursor in (Cursor(Position(xid, row)), Cursor(Position(xid, row), see(7, ids))):
        assert parse_cursor(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "1", "1.", "a.b", "-1.0", "1.1~x", "1.1~1:", "1.1~1:2", "1.1~1:2-", f"{2**63}.0"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        parse_cursor(text)
