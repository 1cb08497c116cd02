"""Payloads: what was made or changed, or why nothing was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from api.scalars import user_error
from app.metrics import MUTATIONS
from domain.errors import Refusal

P = TypeVar("P")


async def answer(payload: Callable[..., P], work: Awaitable[dict[str, Any]]) -> P:
    """`payload` filled with what `work` made, or with its refusal as `userErrors`."""
    name: str = getattr(payload, "__name__", "").removesuffix("Payload")
    try:
        made = payload(**await work, user_errors=[])
    except Refusal as refusal:
        MUTATIONS.labels(name, refusal.code.value).inc()
        return payload(user_errors=[user_error(refusal)])
    MUTATIONS.labels(name, "OK").inc()
    return made
