"""Have eBay send its events here: alert address first, then the destination, then a subscription for each topic.

Everything is looked for before it is made, so this may run at every start. eBay marks a destination down that did
not answer for long: it is switched on again here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from adapters.channels.ebay.announce_limits import NOTIFICATION
from adapters.channels.ebay.client import EbayClient
from adapters.channels.ebay.read_errors import EbayFault
from adapters.channels.ebay.request import Reply, Request, as_object
from domain.errors import CauseClass, Fault

BASE = "/commerce/notification/v1"
NAME = "onhand"
PAGE_ENTRIES = 100
PAGES_MAX = 20
DESTINATION_EXISTS, SUBSCRIPTION_EXISTS, TOPIC_FORBIDDEN = 195021, 195012, 195011


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    verification_token: str


async def subscribe_events(
    client: EbayClient, endpoint: Endpoint, alert_email: str, topics: Sequence[str]
) -> dict[str, str | None]:
    """For each topic None, or why eBay does not send it: a topic may need a permission the account lacks.

    Raises `Fault`. eBay asks the endpoint for the challenge's answer meanwhile: it must be listening.
    """
    await _call(client, "PUT", "/config", {"alertEmail": alert_email})
    destination_id = await _ensure_destination(client, endpoint)
    return {topic: await _try_topic(client, topic, destination_id) for topic in topics}


async def _ensure_destination(client: EbayClient, endpoint: Endpoint) -> str:
    wanted = {
        "name": NAME,
        "status": "ENABLED",
        "deliveryConfig": {"endpoint": endpoint.url, "verificationToken": endpoint.verification_token},
    }
    known = await _find(client, "/destination", "destinations", lambda raw: _endpoint_of(raw) == endpoint.url)
    if known is None:
        return await _create(client, "/destination", wanted)
    destination_id = str(known["destinationId"])
    token = (known.get("deliveryConfig") or {}).get("verificationToken")
    if known.get("status") != "ENABLED" or token != endpoint.verification_token:
        await _call(client, "PUT", f"/destination/{destination_id}", wanted)
    return destination_id


def _endpoint_of(raw: dict[str, Any]) -> Any:
    return (raw.get("deliveryConfig") or {}).get("endpoint")


async def _try_topic(client: EbayClient, topic: str, destination_id: str) -> str | None:
    try:
        await _ensure_subscription(client, topic, destination_id)
    except EbayFault as fault:
        if TOPIC_FORBIDDEN in fault.error_ids or fault.status == 404:
            return str(fault)
        raise
    return None


async def _ensure_subscription(client: EbayClient, topic: str, destination_id: str) -> None:
    """A topic of a seller's events needs the seller's token, one of the application's the application's."""
    described = as_object((await _call(client, "GET", f"/topic/{topic}")).body)
    application = described.get("scope") != "USER"
    payload = as_object(next(iter(described.get("supportedPayloads") or []), None))
    wanted = {
        "destinationId": destination_id,
        "status": "ENABLED",
        "payload": {
            "format": "JSON",
            "schemaVersion": payload.get("schemaVersion", "1.0"),
            "deliveryProtocol": "HTTPS",
        },
    }
    known = await _find(
        client, "/subscription", "subscriptions", lambda raw: raw.get("topicId") == topic, application=application
    )
    if known is None:
        await _create(client, "/subscription", {"topicId": topic, **wanted}, application=application)
    elif known.get("status") != "ENABLED" or known.get("destinationId") != destination_id:
        path = f"/subscription/{known['subscriptionId']}"
        await _call(client, "PUT", path, wanted, application=application)


async def _find(client: EbayClient, path: str, name: str, is_it: Any, *, application: bool = True) -> Any:
    """The first entry of a paged list that is it; None when there is none. Raises `Fault`."""
    params = {"limit": str(PAGE_ENTRIES)}
    for _ in range(PAGES_MAX):
        request = Request("GET", f"{BASE}{path}", NOTIFICATION, params=params, application=application)
        body = as_object((await client.call(request)).body)
        found = next((raw for raw in body.get(name) or [] if is_it(raw)), None)
        if found is not None or not body.get("next"):
            return found
        params |= {"continuation_token": dict(parse_qsl(urlsplit(body["next"]).query)).get("continuation_token", "")}
    return None


async def _create(client: EbayClient, path: str, body: Any, *, application: bool = True) -> str:
    """The id of what was made, from the Location header."""
    reply = await _call(client, "POST", path, body, application=application)
    made = (reply.location or "").rstrip("/").rpartition("/")[2]
    if not made:
        raise Fault("eBay did not say what it made.", transient=True, cause=CauseClass.OUTAGE)
    return made


async def _call(client: EbayClient, method: str, path: str, body: Any = None, *, application: bool = True) -> Reply:
    return await client.call(
        Request(method, f"{BASE}{path}", NOTIFICATION, body=body, application=application)
    )  # fmt: skip
