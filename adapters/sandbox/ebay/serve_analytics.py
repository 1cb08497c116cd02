"""Developer Analytics API: what is left of the day's calls, for the application and for the user."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.sandbox.ebay.count_calls import show_limits
from adapters.sandbox.ebay.serve_api import Answer, Call
from adapters.sandbox.ebay.state import State


@dataclass(frozen=True, slots=True)
class Analytics:
    state: State

    def get_rate_limits(self, call: Call) -> Answer:
        limits = show_limits(self.state, call.query.get("api_context"), call.query.get("api_name"))
        return Answer(status=204) if limits is None else Answer(limits)

    def get_user_rate_limits(self, call: Call) -> Answer:
        """None of the APIs here is limited by user: the vendor then answers without content."""
        return Answer(status=204)
