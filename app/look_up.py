"""Look up what a transaction will need before it begins.

Whoever waits for a second connection while holding one can wait for ever, when everybody does: the pool is empty then.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from domain.errors import Refusal

T = TypeVar("T")


async def look_up(finding: Awaitable[T]) -> Callable[[], T]:
    """What gives that was found, or raises the `Refusal` that came of it: in its place among the other refusals."""
    try:
        found = await finding
    except Refusal as refusal:
        return _refuse(refusal)
    return lambda: found


def _refuse(refusal: Refusal) -> Callable[[], Any]:
    def give() -> Any:
        raise refusal

    return give
