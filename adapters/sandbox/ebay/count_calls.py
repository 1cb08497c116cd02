"""The limits: requests of the application per API and day, revisions per listing and day. Windows start anew.

No answer carries what is left; only the Developer Analytics API tells.
"""

from __future__ import annotations

from typing import Any

from adapters.sandbox.ebay.state import State, now, write_time

# As the vendor's Analytics API files them: (context, API, version, resource).
RESOURCES = {
    "inventory": ("sell", "Inventory", "v1", "sell.inventory"),
    "fulfillment": ("sell", "Fulfillment", "v1", "sell.fulfillment"),
    "notification": ("commerce", "Notification", "v1", "commerce.notification"),
    "analytics": ("developer", "Analytics", "v1_beta", "developer.analytics"),
}


def count_call(state: State, api: str) -> bool:
    """Takes one request of today's. False when none is left; nothing is counted then."""
    day, count = _today(state), _count(state, state.calls, api)
    if count >= state.config.calls_per_day[api]:
        return False
    state.calls[api] = (day, count + 1)
    return True


def count_revision(state: State, listing_id: str) -> None:
    state.revisions[listing_id] = (_today(state), _count(state, state.revisions, listing_id) + 1)


def revisions_left(state: State, listing_id: str) -> int:
    return state.config.revisions_per_day - _count(state, state.revisions, listing_id)


def _today(state: State) -> int:
    return int(now() // state.config.day_seconds)


def _count(state: State, counts: dict[str, tuple[int, int]], key: str) -> int:
    day, count = counts.get(key, (0, 0))
    return count if day == _today(state) else 0


def show_limits(state: State, context: str | None, name: str | None) -> dict[str, Any] | None:
    """The body of getRateLimits; None when nothing matches."""
    found = [
        _show_limit(state, api)
        for api, (own_context, own_name, _, _) in RESOURCES.items()
        if context in {None, own_context} and name in {None, own_name, own_name.lower()}
    ]
    return {"rateLimits": found} if found else None


def _show_limit(state: State, api: str) -> dict[str, Any]:
    context, name, version, resource = RESOURCES[api]
    limit, count = state.config.calls_per_day[api], _count(state, state.calls, api)
    seconds = state.config.day_seconds
    rate = {
        "count": count,
        "limit": limit,
        "remaining": limit - count,
        "reset": write_time((_today(state) + 1) * seconds),
        "timeWindow": max(1, int(seconds)),
    }
    resources = [{"name": resource, "rates": [rate]}]
    return {"apiContext": context, "apiName": name, "apiVersion": version, "resources": resources}
