"""Amazon as a channel: one seller account in one marketplace.

Keep one of these per connection and process: it remembers the access token, the listings' terms and the feeds it sent.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from adapters.channels.amazon.call_api import AmazonApi
from adapters.channels.amazon.choose_route import Pace, Route, choose_route, size_batch, size_patches
from adapters.channels.amazon.confirm_shipment import confirm_shipment
from adapters.channels.amazon.connection import AmazonConnection
from adapters.channels.amazon.list_returns import list_returns
from adapters.channels.amazon.observe import list_items, observe
from adapters.channels.amazon.patch_quantities import patch_quantities
from adapters.channels.amazon.pull_orders import pull_order, pull_orders
from adapters.channels.amazon.read_event import read_event
from adapters.channels.amazon.read_listing import TermsBook
from adapters.channels.amazon.receive_messages import utc_now
from adapters.channels.amazon.refresh_token import TokenSource
from adapters.channels.amazon.settle_feed import settle_feed
from adapters.channels.amazon.submit_feed import UPLOAD_SECONDS, FeedBook, submit_feed
from adapters.channels.amazon.verify_event import seal_event, verify_event
from adapters.channels.base import (
    Channel,
    ChannelOrder,
    InboundEvent,
    ItemPage,
    ListingRef,
    Observation,
    OrderPage,
    QuantityWrite,
    Quota,
    Shipment,
    Throttled,
    WriteOutcome,
    WriteResult,
)
from adapters.channels.news import ChannelNews
from adapters.channels.refuse_call import NotOffered
from adapters.channels.returns import Refund, ReturnPage
from domain.cancellations import Cancellation
from domain.errors import CauseClass

FEED_SECONDS_MIN = 30.0
FEED_SECONDS_MAX = 3_600.0
FEED_CALLS_SECONDS = 60.0
"""For the calls before and after an upload, with what they wait for quota."""


@dataclass(slots=True)
class AmazonChannel:
    """`feed_seconds`: how long a feed takes, as last measured. `feeds_from`: when the next one may be created."""

    api: AmazonApi
    terms: TermsBook = field(default_factory=TermsBook)
    feeds: FeedBook = field(default_factory=FeedBook)
    feed_seconds: float | None = None
    feeds_from: float = 0.0
    now: Callable[[], datetime.datetime] = utc_now

    @property
    def connection(self) -> AmazonConnection:
        return self.api.connection

    def pace(self) -> Pace:
        rates = self.connection.rates
        return Pace(
            patch_rate=self.api.rate_of("patchListingsItem"),
            patch_burst=rates["patchListingsItem"].burst,
            feed_rate=self.api.rate_of("createFeed"),
            feed_burst=rates["createFeed"].burst,
            feed_seconds=self.feed_seconds or self.connection.feed_seconds,
            feed_wait_seconds=max(0.0, self.feeds_from - self.api.clock()),
        )

    def batch_size(self, pending: int, *, urgent: bool) -> int:
        return size_batch(pending, self.pace(), urgent=urgent)

    def patience_seconds(self, writes: int, *, urgent: bool) -> float:
        """A feed's document is large, and takes its time to upload."""
        route = choose_route(writes, self.pace(), urgent=urgent)
        return FEED_CALLS_SECONDS + UPLOAD_SECONDS if route is Route.FEED else 0.0

    async def set_quantities(self, writes: Sequence[QuantityWrite], *, urgent: bool = False) -> list[WriteResult]:
        if choose_route(len(writes), self.pace(), urgent=urgent) is Route.FEED:
            try:
                return await submit_feed(self.api, self.terms, self.feeds, writes)
            except Throttled as throttled:
                self.feeds_from = self.api.clock() + throttled.wait_seconds
        first = size_patches(self.pace())
        results = await patch_quantities(self.api, self.terms, writes[:first], urgent=urgent)
        return results + [_postpone(self.api)] * (len(writes) - len(results))

    async def settle(self, receipt: str, keys: Sequence[str] = ()) -> Mapping[str, WriteResult] | None:
        settled = await settle_feed(self.api, self.feeds, receipt, keys)
        if settled is None:
            return None
        if settled.took_seconds is not None:
            least = min(FEED_SECONDS_MIN, self.connection.feed_seconds)
            self.feed_seconds = min(FEED_SECONDS_MAX, max(least, settled.took_seconds))
        return settled.results

    async def observe(self, refs: Sequence[ListingRef]) -> list[Observation]:
        return await observe(self.api, refs)

    async def list_items(self, cursor: str | None = None) -> ItemPage:
        return await list_items(self.api, self.terms, cursor)

    async def pull_orders(
        self, since: datetime.datetime, until: datetime.datetime, cursor: str | None = None
    ) -> OrderPage:
        return await pull_orders(self.api, since, until, cursor, self.now())

    async def read_order(self, external_id: str) -> ChannelOrder | None:
        return await pull_order(self.api, external_id)

    async def confirm_shipment(self, shipment: Shipment) -> WriteResult:
        return await confirm_shipment(self.api, shipment)

    async def cancel_order(self, cancellation: Cancellation) -> WriteResult:
        """The contract has no call for it: confirmShipment is all that a seller who ships can say of an order."""
        raise NotOffered("Amazon takes no cancellation from an application: cancel it in Seller Central.")

    def seal_event(self, body: bytes) -> dict[str, str]:
        """The headers to hand a queue message's body in with, for `verify_event`."""
        return seal_event(self.connection, body)

    async def issue_refund(self, refund: Refund) -> WriteResult:
        """None of Amazon's contracts has one."""
        raise NotOffered(
            "Amazon lets no seller's software pay a refund: pay it in Seller Central, then say so with "
            "returnRefund(step: CONFIRMED)."
        )

    @property
    def lists_returns(self) -> bool:
        return self.connection.external_returns

    async def list_returns(self, since: datetime.datetime, cursor: str | None = None) -> ReturnPage:
        return await list_returns(self.api, since, cursor)

    async def verify_event(self, headers: Mapping[str, str], body: bytes) -> InboundEvent | None:
        return verify_event(self.connection, headers, body)

    def read_event(self, topic: str, body: bytes) -> Sequence[ChannelNews]:
        return read_event(self.connection, topic, body)


def _postpone(api: AmazonApi) -> WriteResult:
    """More than patches can carry now, and no feed to carry it."""
    return WriteResult(
        WriteOutcome.TRANSIENT,
        "More than Amazon's quota lets through now.",
        CauseClass.QUOTA,
        wait_seconds=1 / api.rate_of("patchListingsItem"),
    )


def build_channel(
    http: httpx.AsyncClient,
    connection: AmazonConnection,
    quota: Quota,
    *,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime.datetime] = utc_now,
) -> AmazonChannel:
    """`clock`: monotonic seconds, for waits and ages; `now`: the time of day."""
    api = AmazonApi(http, connection, TokenSource(http, connection, clock), quota, clock)
    return AmazonChannel(api, now=now)


if TYPE_CHECKING:
    _channel: type[Channel] = AmazonChannel
