"""The External Fulfillment Returns API 2024-09-11: returns by when they were created, oldest first."""

from __future__ import annotations

import base64
import datetime
import uuid
from typing import Any

import orjson

from adapters.sandbox.amazon.answer_calls import Call, check_query, refuse_input
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.state import Order, Return, now, trim, write_time
from adapters.sandbox.read_body import OrderError

PAGE_DEFAULT, PAGE_MAX = 10, 100
RETURNS_MAX = 5_000
LOCATION = "SBX1"
STATUSES = (
    "CREATED", "CARRIER_NOTIFIED_TO_PICK_UP_FROM_CUSTOMER", "CARRIER_OUT_FOR_PICK_UP_FROM_CUSTOMER",
    "CUSTOMER_CANCELLED_PICK_UP", "CUSTOMER_RESCHEDULED_PICK_UP", "PICKED_FROM_CUSTOMER", "IN_TRANSIT",
    "OUT_FOR_DELIVERY", "DELIVERED", "REPLANNED", "CUSTOMER_DROPPED_OFF", "PARTIALLY_PROCESSED", "PROCESSED",
    "REJECTED", "CANCELLED",
)  # fmt: skip
KINDS = ("NORMAL", "REPLACEMENT", "EXCHANGE")
QUERY = frozenset({"createdSince", "createdUntil", "maxResults", "nextToken", "rmaId", "status"})


def list_returns(market: Market, call: Call) -> dict[str, Any]:
    check_query(call, QUERY)
    size = call.query.get("maxResults", str(PAGE_DEFAULT))
    if not size.isdecimal() or not 1 <= int(size) <= PAGE_MAX:
        raise refuse_input(f"maxResults is from 1 to {PAGE_MAX}.")
    since, until = _read_time(call, "createdSince", 0.0), _read_time(call, "createdUntil", float("inf"))
    chosen = {name: call.query[name] for name in ("rmaId", "status") if name in call.query}
    found = [
        known
        for known in market.state.returns.values()
        if since <= known.created_at <= until
        and chosen.get("rmaId", known.rma_id) == known.rma_id
        and chosen.get("status", known.status) == known.status
    ]
    start = _read_token(call)
    page = found[start : start + int(size)]
    answer: dict[str, Any] = {"returns": [render_return(market, known) for known in page]}
    if start + int(size) < len(found):
        answer["nextToken"] = base64.urlsafe_b64encode(orjson.dumps([start + int(size), _describe(call)])).decode()
    return answer


def _describe(call: Call) -> list[str]:
    return [call.query.get(name, "") for name in sorted(QUERY - {"nextToken"})]


def _read_token(call: Call) -> int:
    token = call.query.get("nextToken")
    if token is None:
        return 0
    try:
        start, described = orjson.loads(base64.urlsafe_b64decode(token))
    except ValueError:
        raise refuse_input("The nextToken is none of ours.") from None
    if described != _describe(call):
        raise refuse_input("The parameters do not match the nextToken's.")
    return int(start)


def _read_time(call: Call, name: str, default: float) -> float:
    if name not in call.query:
        return default
    try:
        return datetime.datetime.fromisoformat(call.query[name]).timestamp()
    except ValueError:
        raise refuse_input(f"{name} is not an ISO 8601 time.") from None


def render_return(market: Market, known: Return) -> dict[str, Any]:
    details: dict[str, Any] = {
        "channelSku": known.sku,
        "customerOrderId": known.order_id,
        "merchantId": market.config.seller_id,
        "returnLocationId": LOCATION,
        "marketplaceChannel": {"marketplaceName": "AMAZON_US", "channelName": "MFN"},
    }
    if known.kind != "NORMAL":
        details["exchangeOrderId"] = known.reference
    return {
        "id": known.return_id,
        "returnLocationId": LOCATION,
        "merchantSku": known.sku,
        "returnType": "CUSTOMER",
        "returnSubType": known.kind,
        "numberOfUnits": known.units,
        "status": known.status,
        "fulfillmentLocationId": LOCATION,
        "creationDateTime": write_time(known.created_at),
        "lastUpdatedDateTime": write_time(known.updated_at),
        "returnMetadata": {"returnReason": known.reason, "rmaId": known.rma_id},
        "returnShippingInfo": {"reverseTrackingInfo": {"carrierName": "UPSN", "trackingId": known.rma_id}},
        "marketplaceChannelDetails": details,
    }


def open_return(market: Market, order: Order, raw: dict[str, Any]) -> list[Return]:
    """The customer sends units back. Raises OrderError with nothing changed."""
    lines: Any = raw.get("lines")
    kind = raw.get("kind", "NORMAL")
    bad = not isinstance(lines, list) or not lines or not all(isinstance(entry, dict) for entry in lines)
    if bad or kind not in KINDS:
        raise OrderError(400, "BAD_RETURN", f"send lines of sku and quantity, and a kind of {', '.join(KINDS)}")
    rma, at, made = f"RMA{market.state.next_index('Rma'):08d}", now(), []
    for entry in lines:
        sku, units = entry.get("sku"), entry.get("quantity")
        shipped = sum(line.shipped for line in order.lines if line.sku == sku)
        if not isinstance(units, int) or not 0 < units <= shipped:
            raise OrderError(409, "BAD_QUANTITY", f"{sku}: {shipped} were shipped")
        reason, reference = str(raw.get("reason", "Missed")), str(uuid.uuid4())
        made.append(
            Return(str(uuid.uuid4()), rma, order.order_id, sku, units, reason, kind, "CREATED", at, at, reference)
        )
    for known in made:
        market.state.returns[known.return_id] = known
    trim(market.state.returns, RETURNS_MAX)
    market.state.touch()
    return made


def move_return(market: Market, raw: dict[str, Any]) -> Return:
    known = market.state.returns.get(str(raw.get("return")))
    if known is None:
        raise OrderError(404, "UNKNOWN_RETURN", f"there is no return {raw.get('return')}")
    if raw.get("status") not in STATUSES:
        raise OrderError(400, "BAD_STATUS", f"status is one of {', '.join(STATUSES)}")
    known.status, known.updated_at = raw["status"], max(now(), known.updated_at + 0.001)
    market.state.touch()
    return known
