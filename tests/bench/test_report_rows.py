"""A bar that is not met fails the run, so that nobody has to read the table."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench.__main__ import Row, report_rows

MET = Row("quick", 1.0, "ms", most=2)
FREE = Row("whatever it takes", 9.0)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([MET, FREE], 0),
        ([], 0),
        ([MET, Row("too slow", 3.0, "ms", most=2)], 1),
        ([Row("too little", 0.5, least=0.8), FREE], 1),
        ([Row("lost", 1.0, most=0.5)], 1),
    ],
)
def test_a_bar_that_is_not_met_is_the_exit_code(tmp_path: Path, rows: list[Row], code: int) -> None:
    path = tmp_path / "bench.json"
    assert report_rows(rows, 0.1, path) == code
    assert ("NO" in [row["met"] for row in json.loads(path.read_text())["rows"]]) == bool(code)
