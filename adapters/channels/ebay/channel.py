"""eBay as a channel: one seller account. Every operation is its own module; this puts them together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import httpx

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
    WriteResult,
)
from adapters.channels.ebay.announce_limits import LimitReader
from adapters.channels.ebay.answer_challenge import answer_challenge
from adapters.channels.ebay.client import EbayClient
from adapters.channels.ebay.confirm_shipment import confirm_shipment
from adapters.channels.ebay.fetch_key import PublicKeys
from adapters.channels.ebay.fetch_token import open_application_tokens, open_user_tokens
from adapters.channels.ebay.issue_refund import issue_refund
from adapters.channels.ebay.list_items import list_items
from adapters.channels.ebay.observe import observe
from adapters.channels.ebay.pull_orders import pull_orders
from adapters.channels.ebay.read_event import read_event
from adapters.channels.ebay.read_order import read_order
from adapters.channels.ebay.request import Requester
from adapters.channels.ebay.set_quantities import WRITES_MAX, QuantitySetter
from adapters.channels.ebay.settings import TOPICS, EbayCredentials, EbaySettings
from adapters.channels.ebay.spend_revisions import RevisionBudget
from adapters.channels.ebay.subscribe_events import Endpoint, subscribe_events
from adapters.channels.ebay.verify_event import verify_event
from adapters.channels.news import ChannelNews
from adapters.channels.refuse_call import NotOffered
from adapters.channels.returns import Refund, RefundingChannel
from adapters.channels.subscribe_events import ChallengedChannel, SubscribedChannel
from domain.cancellations import Cancellation
from domain.errors import CauseClass, Fault


@dataclass(frozen=True, slots=True)
class EbayChannel:
    client: EbayClient
    settings: EbaySettings
    setter: QuantitySetter
    keys: PublicKeys

    def batch_size(self, pending: int, *, urgent: bool) -> int:
        return max(1, min(WRITES_MAX, pending))

    def patience_seconds(self, writes: int, *, urgent: bool) -> float:
        return 0.0

    async def set_quantities(self, writes: Sequence[QuantityWrite], *, urgent: bool = False) -> list[WriteResult]:
        return await self.setter.set(writes, urgent=urgent)

    async def settle(self, receipt: str, keys: Sequence[str] = ()) -> Mapping[str, WriteResult] | None:
        """eBay answers at once: there is nothing to settle."""
        return {}

    async def observe(self, refs: Sequence[ListingRef]) -> list[Observation]:
        return await observe(self.client, refs)

    async def list_items(self, cursor: str | None = None) -> ItemPage:
        return await list_items(self.client, cursor)

    async def pull_orders(self, since: datetime, until: datetime, cursor: str | None = None) -> OrderPage:
        return await pull_orders(self.client, since, until, cursor)

    async def read_order(self, external_id: str) -> ChannelOrder | None:
        return await read_order(self.client, external_id)

    async def confirm_shipment(self, shipment: Shipment) -> WriteResult:
        return await confirm_shipment(self.client, shipment)

    async def issue_refund(self, refund: Refund) -> WriteResult:
        return await issue_refund(self.client, refund)

    async def cancel_order(self, cancellation: Cancellation) -> WriteResult:
        """The contract has no call for it: issue_refund pays the buyer, and leaves the order to be shipped."""
        raise NotOffered("eBay takes no cancellation from an application: cancel it in eBay's Seller Hub.")

    async def verify_event(self, headers: Mapping[str, str], body: bytes) -> InboundEvent | None:
        return await verify_event(self.keys, headers, body)

    def read_event(self, topic: str, body: bytes) -> Sequence[ChannelNews]:
        return read_event(topic, body)

    def answer_challenge(self, challenge: str, address: str | None = None) -> str:
        """Raises a permanent `Fault` when the channel has no endpoint."""
        endpoint = self._endpoint(address)
        return answer_challenge(challenge, endpoint.verification_token, endpoint.url)

    def lacks_for_events(self) -> str | None:
        lacking = [name for name in ("alert_email", "verification_token") if getattr(self.settings, name) is None]
        return f"the connection has no {' and no '.join(lacking)}" if lacking else None

    async def renew_subscriptions(self, address: str) -> Sequence[str]:
        """Empty: eBay does not say which were missing, and switches on again what it had switched off."""
        told = await self.subscribe_events(self.settings.alert_email or "", address=address)
        refused = [f"{topic}: {reason}" for topic, reason in told.items() if reason is not None]
        if refused:
            message = f"eBay does not send {len(refused)} topics. {'; '.join(refused)[:400]}"
            raise Fault(message, transient=False, cause=CauseClass.AUTH)
        return ()

    async def subscribe_events(
        self, alert_email: str, topics: Sequence[str] = TOPICS, address: str | None = None
    ) -> dict[str, str | None]:
        """For each topic None, or why eBay does not send it. Raises `Fault`."""
        return await subscribe_events(self.client, self._endpoint(address), alert_email, topics)

    def _endpoint(self, address: str | None = None) -> Endpoint:
        url = self.settings.endpoint or address
        if url is None or self.settings.verification_token is None:
            message = "The channel has no endpoint for events: set endpoint and verification_token."
            raise Fault(message, transient=False, cause=CauseClass.VALIDATION)
        return Endpoint(url, self.settings.verification_token)


def open_channel(
    http: httpx.AsyncClient, credentials: EbayCredentials, quota: Quota, settings: EbaySettings | None = None
) -> EbayChannel:
    """The channel, nothing sent yet. `http` is the caller's, with its timeouts. Raises ValueError for the settings."""
    chosen = settings or EbaySettings()
    base_url = chosen.base_url.rstrip("/")
    requester = Requester(
        http,
        base_url,
        chosen.locale,
        quota,
        open_user_tokens(http, base_url, credentials),
        open_application_tokens(http, base_url, credentials),
    )
    client = EbayClient(requester, LimitReader(requester, quota))
    budget = RevisionBudget(quota, chosen.revisions_per_day, ZoneInfo(chosen.time_zone))
    setter = QuantitySetter(client, budget, chosen.out_of_stock_control)
    return EbayChannel(client, chosen, setter, PublicKeys(client))


def open_ebay(
    http: httpx.AsyncClient, quota: Quota, config: Mapping[str, Any], secrets: Mapping[str, str]
) -> EbayChannel:
    """`config`: what `EbaySettings` has, all optional. `secrets`: client_id, client_secret, refresh_token, and
    verification_token where the channel has an endpoint. Raises a permanent `Fault` when something is missing or wrong.
    """
    try:
        credentials = EbayCredentials(secrets["client_id"], secrets["client_secret"], secrets["refresh_token"])
    except KeyError as error:
        message = f"The eBay channel needs {error.args[0]} among its credentials."
        raise Fault(message, transient=False, cause=CauseClass.AUTH) from None
    known = {one.name for one in fields(EbaySettings)} - {"verification_token"}
    given = {name: value for name, value in config.items() if name in known}
    try:
        settings = EbaySettings(**given, verification_token=secrets.get("verification_token"))
        return open_channel(http, credentials, quota, settings)
    except (TypeError, ValueError, ZoneInfoNotFoundError) as error:
        message = f"The eBay channel's settings are wrong: {error}."
        raise Fault(message, transient=False, cause=CauseClass.VALIDATION) from None


if TYPE_CHECKING:  # the port is met, says the type checker
    _channel: type[Channel] = EbayChannel
    _refunding: type[RefundingChannel] = EbayChannel
    _challenged: type[ChallengedChannel] = EbayChannel
    _subscribed: type[SubscribedChannel] = EbayChannel
