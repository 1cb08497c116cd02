"""A client that starts from a snapshot and resumes anywhere gets each row exactly once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cursor import Cursor, Position, Snapshot, parse_cursor
from domain.errors import Refusal


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    running = draw(st.frozensets(st.integers(5, 20)))
    xmax = draw(st.integers(max(running, default=4) + 1, 22))
    return Snapshot(min(running, default=xmax), xmax, running)


@given(
    snapshots(), st.sets(st.tuples(st.integers(1, 30), st.integers(1, 60)), max_size=40), st.sets(st.integers(0, 40))
)
def test_each_row_comes_once_whatever_the_resumes(
    snapshot: Snapshot, rows: set[tuple[int, int]], resumes: set[int]
) -> None:
    cursor, received = Cursor(snapshot.start(), snapshot), []
    for index, position in enumerate(Position(*row) for row in sorted(rows)):
        if not cursor.skips(position):
            received.append(position)
            cursor = cursor.at(position)
        if index in resumes:
            cursor = parse_cursor(str(cursor))
        assert cursor.skips(position)
    finished = set(range(snapshot.xmax)) - snapshot.xip
    assert received == [row for row in sorted(rows) if row[0] not in finished]


@given(snapshots(), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_text_form_round_trips(snapshot: Snapshot, xid: int, row: int) -> None:
    for cursor in (Cursor(Position(xid, row)), Cursor(Position(xid, row), snapshot)):
        assert parse_cursor(str(cursor)) == cursor


@pytest.mark.parametrize("text", ["", "1", "1.", "a.b", "-1.0", "1.1~x", "1.1~1:2", f"{2**63}.0"])
def test_other_text_is_refused(text: str) -> None:
    with pytest.raises(Refusal):
        parse_cursor(text)
