"""Long lists in statements of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

BATCH_LINES = 1_000
T = TypeVar("T")


def split_batches(rows: Sequence[T], size: int = BATCH_LINES) -> Iterator[Sequence[T]]:
    """In order, each of `size` but the last."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size]
