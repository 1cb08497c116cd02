"""Which lines units that came back are of: none twice, and those that were announced first."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.returned_lines import LinePart, name_lines

LINES = {"a": [LinePart(1, 1, 2)], "b": [LinePart(2, 1, 1)], "c": [LinePart(1, 1, 3)]}
KIT = {"kit": [LinePart(1, 2, 4), LinePart(2, 1, 2)], "one": [LinePart(2, 1, 1)]}


def test_a_sku_on_two_lines_is_named_line_by_line() -> None:
    assert name_lines(LINES, {1: 3}, {}, {}) == {"a": 2, "c": 1}
    assert name_lines(LINES, {1: 3}, {}, {"a": 2, "c": 1}) == {"c": 2}, "what is of others is not named again"
    assert name_lines(LINES, {1: 1}, {"c": 1}, {}) == {"c": 1}, "the channel has named it"
    assert name_lines(LINES, {1: 3}, {"c": 1}, {"a": 1}) == {"a": 1, "c": 2}
    assert name_lines(LINES, {2: 2, 7: 1}, {}, {}) == {"b": 1}


def test_of_a_kit_only_what_is_whole() -> None:
    assert name_lines(KIT, {1: 3, 2: 2}, {}, {}) == {"kit": 1, "one": 1}
    assert name_lines(KIT, {1: 4, 2: 2}, {}, {"kit": 2}) == {"one": 1}
    assert name_lines(KIT, {1: 1, 2: 1}, {"kit": 1}, {}) == {"one": 1}


@given(
    st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 2), st.dictionaries(st.sampled_from("abc"), st.integers(1, 3))),
        max_size=5,
    )
)
def test_no_unit_is_named_twice_however_returns_follow_each_other(
    returns: list[tuple[int, int, dict[str, int]]],
) -> None:
    """(Units of either SKU, lines that the channel names) of one return after the other."""
    taken: Counter[str] = Counter()
    for first, second, announced in returns:
        named = name_lines(LINES, {1: first, 2: second}, announced, taken)
        free = {name: parts[0].shipped - taken[name] for name, parts in LINES.items()}
        assert all(0 < units <= free[name] for name, units in named.items())
        assert named.get("a", 0) + named.get("c", 0) == min(first, free["a"] + free["c"])
        assert named.get("b", 0) == min(second, free["b"])
        taken.update(named)
