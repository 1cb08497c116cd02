"""How long something that failed waits for its next try: the vendor's hint, or exponential with full jitter.

Full jitter, a number between nothing and a ceiling that doubles, spreads what failed together best: see "Exponential
Backoff And Jitter" of the AWS Architecture Blog.
"""

from __future__ import annotations

import random

FIRST_SECONDS = 0.5
MOST_SECONDS = 300.0
DOUBLINGS_MAX = 20
"""A power of what was tried a thousand times is no number any more."""


def draw_wait(
    attempts: int,
    hint_seconds: float | None = None,
    *,
    first_seconds: float = FIRST_SECONDS,
    most_seconds: float = MOST_SECONDS,
    share: float | None = None,
) -> float:
    """Seconds. `attempts`: failures before this one. `hint_seconds`: what the vendor asks for goes before all else.

    `share` of the ceiling, from 0 to 1, drawn when it is left out: one for all that shall be tried again together.
    """
    if hint_seconds is not None:
        return hint_seconds
    ceiling: float = min(most_seconds, first_seconds * 2.0 ** min(attempts, DOUBLINGS_MAX))
    return ceiling * (random.random() if share is None else share)  # noqa: S311
