"""Commerce Notification API v1: alert address, destinations that answer a challenge, subscriptions, topics, key."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from adapters.sandbox.ebay.change_order import ORDER_CANCELLATION_ACTIVITY
from adapters.sandbox.ebay.config import VERIFICATION_TOKEN
from adapters.sandbox.ebay.deliver_notifications import SCHEMA_VERSION, Postman
from adapters.sandbox.ebay.issue_tokens import TokenKind
from adapters.sandbox.ebay.place_order import ORDER_CONFIRMATION
from adapters.sandbox.ebay.refuse import ApiError
from adapters.sandbox.ebay.serve_api import Answer, Call, read_whole
from adapters.sandbox.ebay.state import Destination, State, Subscription, now, write_time

BASE = "/commerce/notification/v1"
ACCOUNT_DELETION = "MARKETPLACE_ACCOUNT_DELETION"
# The tokens a subscription to a topic needs.
TOPICS = {
    ORDER_CONFIRMATION: TokenKind.USER,
    ORDER_CANCELLATION_ACTIVITY: TokenKind.USER,
    ACCOUNT_DELETION: TokenKind.APPLICATION,
}
PAGE_DEFAULT, PAGE_MIN, PAGE_MAX = 20, 10, 100
DESTINATIONS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Notifications:
    state: State
    postman: Postman

    def get_config(self, call: Call) -> Answer:
        if self.state.alert_email is None:
            raise ApiError(404, 195026, "Configuration Not Found.")
        return Answer({"alertEmail": self.state.alert_email})

    def put_config(self, call: Call) -> Answer:
        email = _text(call.body, "alertEmail")
        if not email or "@" not in email:
            raise ApiError(400, 195025, "Invalid or missing email.")
        self.state.alert_email = email
        self.state.touch()
        return Answer(status=204)

    def list_destinations(self, call: Call) -> Answer:
        shown = [_render_destination(known) for known in self.state.destinations.values()]
        return Answer(_cut_page(call, "destinations", shown))

    async def create_destination(self, call: Call) -> Answer:
        self._require_config()
        made = self._read_destination(call.body, str(uuid.uuid4()))
        known = list(self.state.destinations.values())
        if len(known) >= DESTINATIONS_MAX or any(one.endpoint == made.endpoint for one in known):
            raise ApiError(409, 195021, "Destination exists for this endpoint")
        await self._challenge(made)
        self.state.destinations[made.destination_id] = made
        self.state.touch()
        return Answer(status=201, headers={"Location": f"{BASE}/destination/{made.destination_id}"})

    async def update_destination(self, call: Call) -> Answer:
        known = self.state.destinations.get(call.path["destination_id"])
        if known is None:
            raise ApiError(404, 195022, "Invalid or missing destination id.")
        made = self._read_destination(call.body, known.destination_id)
        await self._challenge(made)
        self.state.destinations[made.destination_id] = made
        self.state.touch()
        return Answer(status=204)

    def _require_config(self) -> None:
        if self.state.alert_email is None:
            message = "Please provide configurations required for notifications. Refer to /config"
            raise ApiError(409, 195003, message)

    def _read_destination(self, raw: Any, destination_id: str) -> Destination:
        delivery = raw.get("deliveryConfig") if isinstance(raw, dict) else None
        status, name = _text(raw, "status"), _text(raw, "name") or ""
        endpoint, token = _text(delivery, "endpoint"), _text(delivery, "verificationToken")
        if status not in {"ENABLED", "DISABLED"}:
            raise ApiError(400, 195018, "Invalid or missing destination status. Supported values:[ENABLED,DISABLED]")
        if len(name) > 64:
            raise ApiError(400, 195016, "Invalid name. Markups or lengths greater than 64 not supported")
        schemes = {"https"} if self.state.config.require_https else {"http", "https"}
        if not endpoint or urlsplit(endpoint).scheme not in schemes:
            raise ApiError(400, 195017, "Invalid or missing endpoint.")
        if not token or not VERIFICATION_TOKEN.fullmatch(token):
            raise ApiError(400, 195019, "Invalid or missing verification token for this endpoint.")
        return Destination(destination_id, name, endpoint, token, status)

    async def _challenge(self, made: Destination) -> None:
        if made.status != "ENABLED":
            return
        code = uuid.uuid4().hex
        expected = hashlib.sha256(f"{code}{made.verification_token}{made.endpoint}".encode()).hexdigest()
        answer = await self.postman.ask(made.endpoint, code)
        if not isinstance(answer, dict) or answer.get("challengeResponse") != expected:
            raise ApiError(409, 195020, "Challenge verification failed for requested endpoint")

    def list_subscriptions(self, call: Call) -> Answer:
        shown = [_render_subscription(known) for known in self.state.subscriptions.values()]
        return Answer(_cut_page(call, "subscriptions", shown))

    def create_subscription(self, call: Call) -> Answer:
        self._require_config()
        made = self._read_subscription(call, str(uuid.uuid4()))
        if any(known.topic == made.topic for known in self.state.subscriptions.values()):
            raise ApiError(409, 195012, "Subscription already exists")
        self.state.subscriptions[made.subscription_id] = made
        self.state.touch()
        return Answer(status=201, headers={"Location": f"{BASE}/subscription/{made.subscription_id}"})

    def update_subscription(self, call: Call) -> Answer:
        known = self._find(call)
        given = {**(call.body if isinstance(call.body, dict) else {}), "topicId": known.topic}
        made = self._read_subscription(
            Call(call.path, call.query, given, call.kind, call.url), known.subscription_id
        )  # fmt: skip
        self.state.subscriptions[made.subscription_id] = made
        self.state.touch()
        return Answer(status=204)

    def _read_subscription(self, call: Call, subscription_id: str) -> Subscription:
        topic, status = _text(call.body, "topicId"), _text(call.body, "status")
        payload = call.body.get("payload") if isinstance(call.body, dict) else None
        destination = self.state.destinations.get(_text(call.body, "destinationId") or "")
        if topic not in TOPICS:
            raise ApiError(400, 195027, "Invalid or missing topic id.")
        if status not in {"ENABLED", "DISABLED"}:
            raise ApiError(400, 195006, "Invalid or missing subscription status.")
        if destination is None:
            raise ApiError(400, 195007, "Invalid or missing destination id.")
        if _text(payload, "schemaVersion") != SCHEMA_VERSION:
            raise ApiError(400, 195008, "Invalid or missing schema version.")
        if _text(payload, "format") != "JSON":
            raise ApiError(400, 195009, "Specified format is not supported for the topic.")
        if _text(payload, "deliveryProtocol") != "HTTPS":
            raise ApiError(400, 195010, "Invalid or missing protocol")
        if TOPICS[topic] is not call.kind:
            raise ApiError(403, 195011, "Not authorized for this topic.")
        if status == "ENABLED" and destination.status != "ENABLED":
            raise ApiError(409, 195015, "The subscription cannot be enabled since the destination is not enabled.")
        return Subscription(subscription_id, topic, destination.destination_id, status, now())

    def test_subscription(self, call: Call) -> Answer:
        """A made-up event, sent even while the subscription is disabled."""
        known = self._find(call)
        data = {"order": {"orderId": "00-00000-00000", "orderLineItems": []}}
        notification_id = self.postman.send(known.topic, known.destination_id, data)
        return Answer({"notificationId": notification_id}, 202)

    def _find(self, call: Call) -> Subscription:
        known = self.state.subscriptions.get(call.path["subscription_id"])
        if known is None:
            raise ApiError(404, 195013, "The subscription id does not exist.")
        return known

    def get_topic(self, call: Call) -> Answer:
        topic = call.path["topic_id"]
        if topic not in TOPICS:
            raise ApiError(404, 195002, "Invalid or missing topic id.")
        return Answer(_render_topic(topic))

    def list_topics(self, call: Call) -> Answer:
        shown = [_render_topic(topic) for topic in TOPICS]
        return Answer(_cut_page(call, "topics", shown))

    def get_public_key(self, call: Call) -> Answer:
        if call.path["key_id"] != self.postman.key.key_id:
            raise ApiError(404, 195001, "The specified key id is invalid.")
        return Answer(self.postman.key.show())


def _cut_page(call: Call, name: str, entries: list[dict[str, Any]]) -> dict[str, Any]:
    """One page; its `next` carries the token of the following one. Raises ApiError."""
    limit, start = (
        read_whole(call.query.get("limit"), PAGE_DEFAULT),
        read_whole(call.query.get("continuation_token"), 0),
    )
    if limit is None or not (PAGE_MIN <= limit <= PAGE_MAX or "limit" not in call.query):
        raise ApiError(400, 195004, f"Invalid limit. Supported ranges {PAGE_MIN} - {PAGE_MAX}.")
    if start is None or start > len(entries):
        raise ApiError(400, 195005, "Invalid continuation token.")
    page = {name: entries[start : start + limit], "total": len(entries), "limit": limit, "href": call.url}
    if start + limit < len(entries):
        page["next"] = f"{call.url.partition('?')[0]}?limit={limit}&continuation_token={start + limit}"
    return page


def _text(raw: Any, name: str) -> str | None:
    value = raw.get(name) if isinstance(raw, dict) else None
    return value if isinstance(value, str) else None


def _render_destination(known: Destination) -> dict[str, Any]:
    delivery = {"endpoint": known.endpoint, "verificationToken": known.verification_token}
    shown = {"destinationId": known.destination_id, "status": known.status, "deliveryConfig": delivery}
    return {**shown, "name": known.name} if known.name else shown


def _render_subscription(known: Subscription) -> dict[str, Any]:
    return {
        "subscriptionId": known.subscription_id,
        "topicId": known.topic,
        "status": known.status,
        "destinationId": known.destination_id,
        "creationDate": write_time(known.created_at),
        "payload": {"format": "JSON", "schemaVersion": SCHEMA_VERSION, "deliveryProtocol": "HTTPS"},
    }


def _render_topic(topic: str) -> dict[str, Any]:
    user = TOPICS[topic] is TokenKind.USER
    payload = {"format": ["JSON"], "schemaVersion": SCHEMA_VERSION, "deliveryProtocol": "HTTPS", "deprecated": False}
    return {
        "topicId": topic,
        "description": f"{topic.replace('_', ' ').capitalize()}.",
        "context": "SELL" if user else "COMMERCE",
        "scope": "USER" if user else "APPLICATION",
        "status": "ENABLED",
        "filterable": False,
        "authorizationScopes": ["https://api.ebay.com/oauth/api_scope"],
        "supportedPayloads": [payload],
    }
