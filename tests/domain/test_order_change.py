"""What has to happen to lines so that they are what a channel wants: conserved, whatever it says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.order_change import KnownLine, compare_lines
from domain.orders import LineCounts


@st.composite
def known_lines(draw: st.DrawFn) -> list[KnownLine]:
    lines = []
    for number in range(draw(st.integers(0, 4))):
        backordered, allocated, shipped, cancelled = (draw(st.integers(0, 9)) for _ in range(4))
        quantity = backordered + allocated + shipped + cancelled
        requested = draw(st.integers(0, allocated))
        untold = draw(st.integers(0, cancelled + requested))
        counts = LineCounts(quantity, allocated, shipped, cancelled)
        lines.append(KnownLine(number, f"l{number}", counts, requested, untold))
    return lines


@given(known_lines(), st.dictionaries(st.sampled_from([f"l{n}" for n in range(6)]), st.integers(0, 30)))
def test_what_is_kept_becomes_what_is_wanted(lines: list[KnownLine], wanted: dict[str, int]) -> None:
    changes = compare_lines(lines, wanted)
    for line in lines:
        add, drop = changes.add.get(line.line, 0), changes.drop.get(line.line, 0)
        recall, late = changes.recall.get(line.line, 0), changes.late.get(line.line, 0)
        untold = changes.untold.get(line.line, line.untold)
        assert line.kept + add + recall - drop - late + untold == wanted.get(line.external_id, 0)
        assert 0 <= untold <= line.untold
        assert not (untold and (drop or late)), "what it names less is what it heard of"
        assert not ((add or recall) and (drop or late))
        assert recall <= line.requested
        assert drop <= line.kept - line.counts.shipped
        assert late <= line.counts.shipped
    known = {line.external_id for line in lines}
    assert set(changes.new) == {name for name, units in wanted.items() if units and name not in known}


@given(known_lines())
def test_saying_what_is_kept_changes_nothing(lines: list[KnownLine]) -> None:
    changes = compare_lines(lines, {line.external_id: line.kept + line.untold for line in lines})
    assert changes.empty
    assert changes.late == {}


def test_units_that_came_back_take_none_that_are_still_to_be_shipped() -> None:
    """Three ordered, two shipped and both refunded: the channel names one, and wants it shipped."""
    line = KnownLine(0, "l0", LineCounts(3, 1, 2, 0))
    assert compare_lines([line], {"l0": 1}).drop == {0: 1}, "without the other number nobody can tell"
    told = compare_lines([line], {"l0": 1}, {"l0": 1})
    assert (told.empty, told.late) == (True, {})
    given_up = compare_lines([line], {"l0": 0}, {"l0": 0})
    assert (given_up.drop, given_up.late) == ({0: 1}, {})


def test_a_parcel_that_the_channel_has_not_heard_of_adds_nothing() -> None:
    line = KnownLine(0, "l0", LineCounts(3, 2, 1, 0))
    assert compare_lines([line], {"l0": 3}, {"l0": 3}).empty
    assert compare_lines([line], {"l0": 5}, {"l0": 5}).add == {0: 2}
    later = compare_lines([line], {"l0": 2}, {"l0": 1})
    assert (later.drop, later.late) == ({0: 1}, {})
