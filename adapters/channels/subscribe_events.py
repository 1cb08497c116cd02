"""What some channels need before they send events: an answered challenge, subscriptions that are looked at again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class ChallengedChannel(Protocol):
    """A channel whose vendor sends events only to an endpoint that answered its challenge."""

    def answer_challenge(self, challenge: str, address: str | None = None) -> str:
        """The JSON body that proves that the endpoint is ours. `address`: of the endpoint, unless it has its own."""
        ...


@runtime_checkable
class AccessChannel(Protocol):
    """A channel that tells when our access is taken away, and can be asked whether it was."""

    async def has_access(self) -> bool:
        """Whether it lets us in. Raises `Fault` when that cannot be said now."""
        ...


@runtime_checkable
class SubscribedChannel(Protocol):
    """A channel whose vendor drops a subscription that was not answered for a while: look again on a schedule."""

    def lacks_for_events(self) -> str | None:
        """What the connection lacks to be sent events, in words: the channel is polled then. None when nothing."""
        ...

    async def renew_subscriptions(self, address: str) -> Sequence[str]:
        """Have every topic that `read_event` needs sent to `address`; the topics that were not.

        Raises `Fault`; a permanent one when the vendor refuses a topic, after all others were tried.
        """
        ...
