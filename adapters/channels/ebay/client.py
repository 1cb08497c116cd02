"""A call of eBay's REST APIs, with its failures sorted into transient and permanent."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.channels.base import Throttled
from adapters.channels.ebay.announce_limits import LimitReader
from adapters.channels.ebay.read_errors import fault_of
from adapters.channels.ebay.request import Reply, Request, Requester


@dataclass(frozen=True, slots=True)
class EbayClient:
    requester: Requester
    limits: LimitReader

    async def pay(self, api: str, *, urgent: bool = False) -> None:
        """Take one call from the day's budget, before something dearer is spent on it. Raises `Throttled`."""
        await self.limits.refresh()
        await self.requester.pay(api, urgent=urgent)

    async def call(self, request: Request, *, paid: bool = False) -> Reply:
        """The reply, of a status under 400 or with `responses` to read one by one. Raises `Fault`, `Throttled`."""
        if not paid:
            await self.pay(request.api, urgent=request.urgent)
        reply = await self.requester.send(request, paid=True)
        if reply.status == 429:
            wait_seconds = await self.limits.wait_after_refusal(request.api)
            raise Throttled(f"eBay takes no more {request.api} calls for now.", wait_seconds)
        judged = isinstance(reply.body, dict) and isinstance(reply.body.get("responses"), list)
        if reply.status >= 400 and not judged:
            raise fault_of(reply.status, reply.body)
        return reply
