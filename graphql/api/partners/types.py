"""Logistics partners, and what they were told, as clients see them."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Any

import orjson
import strawberry
from strawberry.scalars import JSON

from api.ids import encode_id
from api.scalars import Counted, Edge, PageInfo
from api.stock.types import Node


@strawberry.enum(
    description="CONNECT: we call it, by ShipEngine Connect's contract. API: it calls us, and is told by webhook."
)
class PartnerKind(StrEnum):
    CONNECT = "CONNECT"
    API = "API"


@strawberry.enum(description="PAUSED: nothing is given to it, nothing is asked of it.")
class PartnerState(StrEnum):
    LIVE = "LIVE"
    PAUSED = "PAUSED"


@strawberry.enum(description="DISABLED: it failed for more than a day; partnerWebhookEnable switches it on.")
class PartnerWebhookState(StrEnum):
    NONE = "NONE"
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"


@strawberry.enum(description="FAILED: given up.")
class PartnerEventState(StrEnum):
    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"


@strawberry.type(description="Another company that ships from a warehouse of its own. Its secrets are never shown.")
class Partner(Node):
    code: str
    warehouse: str = strawberry.field(description="Code.")
    kind: PartnerKind
    status: PartnerState
    base_url: str | None
    provider: str | None = strawberry.field(description="Its code at Connect.")
    webhook: PartnerWebhookState
    webhook_host: str | None = strawberry.field(description="Of its address only the host.")
    tolerance_units: int = strawberry.field(description="A difference of so many units is adjusted.")
    tolerance_percent: int = strawberry.field(description="Or of so much of what should be there.")
    silent_seconds: int = strawberry.field(description="Without an answer for so long, it is a case.")
    failures: int = strawberry.field(description="Calls that failed since the last one that worked.")
    failing_since: datetime.datetime | None
    webhook_failing_since: datetime.datetime | None
    last_success_at: datetime.datetime | None
    last_error: str | None = strawberry.field(description="Of the last failure, also after it is over.")
    changes_until: datetime.datetime | None = strawberry.field(description="What it said up to then was taken in.")
    snapshot_at: datetime.datetime | None = strawberry.field(description="As of when its stock was last compared.")
    open_orders: int = strawberry.field(description="Work that it has and that has not ended.")
    waiting_orders: int = strawberry.field(description="Of these, not taken by it yet.")
    waiting_events: int = strawberry.field(description="That it is to be told and was not.")
    created_at: datetime.datetime


@strawberry.type(description="Something that a partner was told, or is to be told, by its webhook.")
class PartnerEvent(Node):
    partner: str = strawberry.field(description="Code.")
    type: str = strawberry.field(description="As in fulfillment_order.released.")
    payload: JSON
    state: PartnerEventState
    attempts: int
    created_at: datetime.datetime
    next_attempt_at: datetime.datetime | None = strawberry.field(description="While PENDING.")
    sent_at: datetime.datetime | None
    error: str | None = strawberry.field(description="Of the last try.")
    fulfillment_order: strawberry.ID | None


@strawberry.type
class PartnerEventConnection(Counted):
    edges: list[Edge[PartnerEvent]]
    nodes: list[PartnerEvent]
    page_info: PageInfo


_SAME = (
    *("code", "warehouse", "base_url", "provider", "webhook_host", "tolerance_units", "tolerance_percent"),
    *("silent_seconds", "failures", "failing_since", "webhook_failing_since", "last_success_at", "last_error"),
    *("changes_until", "snapshot_at", "open_orders", "waiting_orders", "waiting_events", "created_at"),
)


def partner_from_row(row: Any) -> Partner:
    return Partner(
        key=str(row["id"]),
        kind=PartnerKind(row["kind"]),
        status=PartnerState(row["status"]),
        webhook=PartnerWebhookState(row["webhook"]),
        **{name: row[name] for name in _SAME},
    )


def event_from_row(row: Any) -> PartnerEvent:
    work = row["fulfillment_order_id"]
    return PartnerEvent(
        key=str(row["id"]),
        payload=orjson.loads(row["body"]),
        state=PartnerEventState(row["state"]),
        next_attempt_at=row["due_at"] if row["state"] == "PENDING" else None,
        fulfillment_order=None if work is None else strawberry.ID(encode_id("FulfillmentOrder", str(work))),
        **{name: row[name] for name in ("partner", "type", "attempts", "created_at", "sent_at", "error")},
    )
