"""The day's calls, read from the Developer Analytics API, since no answer carries them, and told to the quota.

eBay counts in windows: `limit` calls until `reset`, then anew. A token bucket serves that when it fills by one call
in the time that is left: what is in it now is all there is until the reset, and the wait for one more is the wait
for the reset. At the reset the limits are read again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.channels.base import Quota
from adapters.channels.ebay.request import Request, Requester
from domain.errors import Fault

INVENTORY, FULFILLMENT, NOTIFICATION, ANALYTICS = "inventory", "fulfillment", "notification", "analytics"
# (context, API, the resource that stands for all of it), as the Analytics API files them.
APIS = {
    INVENTORY: ("sell", "inventory", "sell.inventory"),
    FULFILLMENT: ("sell", "fulfillment", "sell.fulfillment"),
    NOTIFICATION: ("commerce", "notification", "commerce.notification"),
    ANALYTICS: ("developer", "analytics", "developer.analytics"),
}
PATHS = (("/developer/analytics/v1_beta/rate_limit/", True), ("/developer/analytics/v1_beta/user_rate_limit/", False))
READ_SECONDS = 900.0
RETRY_SECONDS = 60.0
PAUSE_SECONDS = 5.0
FORCED_SECONDS = 30.0
"""Between two reads because of a refusal: the Analytics API has a limit of its own."""
AFTER_RESET_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """`reset_at`: seconds since the epoch."""

    limit: int
    remaining: int
    reset_at: float


@dataclass(slots=True)
class LimitReader:
    """Reads before the first call, then every quarter of an hour, at each reset, and when eBay says enough."""

    requester: Requester
    quota: Quota
    clock: Callable[[], float] = time.time
    windows: dict[str, Window] = field(default_factory=dict)
    tried_at: float = 0.0
    read_at: float = 0.0
    due_at: float = 0.0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def refresh(self) -> None:
        """Reads if it is time. What cannot be read is tried again soon: a call never fails for it."""
        if self.clock() < self.due_at or (self.lock.locked() and self.read_at):
            return
        async with self.lock:
            if self.clock() >= self.due_at:
                await self._read()

    async def wait_after_refusal(self, api: str) -> float:
        """Seconds until eBay takes calls of `api` again, after it refused one with 429."""
        async with self.lock:
            if self.clock() - self.tried_at >= FORCED_SECONDS:
                await self._read()
        window = self.windows.get(api)
        if window is None or window.remaining > 0:
            return PAUSE_SECONDS
        return max(PAUSE_SECONDS, window.reset_at - self.clock())

    async def _read(self) -> None:
        self.tried_at = self.clock()
        self.due_at = self.tried_at + RETRY_SECONDS
        found: dict[str, Window] = {}
        for path, application in PATHS:
            try:
                reply = await self.requester.send(Request("GET", path, ANALYTICS, application=application))
            except Fault:
                continue
            for api, window in _read_windows(reply.body if reply.status == 200 else None):
                known = found.get(api)
                if known is None or window.remaining < known.remaining:
                    found[api] = window
        if not found:
            return
        self.windows, self.read_at = found, self.clock()
        resets = [window.reset_at + AFTER_RESET_SECONDS for window in found.values()]
        self.due_at = max(self.read_at + AFTER_RESET_SECONDS, min(self.read_at + READ_SECONDS, *resets))
        for api, window in found.items():
            await self._announce(api, window)

    async def _announce(self, api: str, window: Window) -> None:
        seconds = max(1.0, window.reset_at - self.clock())
        await self.quota.announce(
            api, rate=1.0 / seconds, burst=float(window.limit), available=float(max(0, window.remaining))
        )  # fmt: skip


def _read_windows(body: Any) -> Iterator[tuple[str, Window]]:
    """(API, its tightest window) of an Analytics answer; what has no number is left out."""
    raw = body.get("rateLimits") if isinstance(body, dict) else None
    for entry in raw if isinstance(raw, list) else []:
        place = (str(entry.get("apiContext")).lower(), str(entry.get("apiName")).lower())
        for api, (context, name, resource) in APIS.items():
            windows = _windows_of(entry, resource) if place == (context, name) else []
            if windows:
                yield api, min(windows, key=lambda window: window.remaining)


def _windows_of(entry: dict[str, Any], wanted: str) -> list[Window]:
    """Of the resource that stands for the whole API; when there is none, of all its resources."""
    resources = [r for r in entry.get("resources") or [] if isinstance(r, dict)]
    whole = [r for r in resources if wanted in str(r.get("name")).lower()]
    rates = [rate for r in whole or resources for rate in r.get("rates") or []]
    return [window for rate in rates if (window := _read_window(rate)) is not None]


def _read_window(rate: Any) -> Window | None:
    try:
        reset_at = datetime.fromisoformat(rate["reset"]).timestamp()
        return Window(int(rate["limit"]), int(rate["remaining"]), reset_at)
    except (KeyError, TypeError, ValueError):
        return None
