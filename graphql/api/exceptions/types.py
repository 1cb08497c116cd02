"""Exception cases and stored events as clients see them."""

from __future__ import annotations

import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import orjson
import strawberry
from strawberry.scalars import JSON

from api.context import Info
from api.directives import Cost
from api.ids import encode_id
from api.scalars import Counted, Edge, PageInfo
from api.stock.types import Node
from domain.errors import CauseClass
from domain.exceptions import CaseKind, CaseState, Severity

strawberry.enum(
    CaseKind,
    name="ExceptionKind",
    description="CHANNEL_DOWN: it does not answer, or lets nobody in. SYNC_REJECTED: it refuses a listing's number. "
    "DRIFT: it shows another number than it took. EVENT_FAILED: what it sent cannot be processed. NOT_SUBSCRIBED: it "
    "does not send all its events. OVERSELL: it sold what nobody has. ORDER_PROBLEM: an order cannot be filled for "
    "another reason. CHANGE_REFUSED: a channel changes an order too late. PROMISE_AT_RISK: an order is due soon "
    "and has not shipped. PAYMENT_OVERDUE: an order holds stock and is not paid for long. "
    "ALLOCATION_IMPOSSIBLE: no warehouse can promise what an order wants. REJECTION: a warehouse "
    "does not ship, and no other can. SHORT_PICK: units were not where they should be. CONFIRMATION_REFUSED: a channel "
    "does not take a parcel. CANCELLATION_REFUSED: an order is to be cancelled at its channel by hand. "
    "PARTNER_SILENT: a logistics partner does not answer. PARTNER_EVENTS_STOPPED: its webhook was "
    "switched off. PARTNER_CONTRADICTION: it says what cannot be. STOCK_DIFFERENCE: it has other stock than it should. "
    "SNAPSHOT_OVERDUE: its stock lists have stopped.",
)
strawberry.enum(Severity, name="ExceptionSeverity", description="To be taken up within 15 min, 1 h, 8 h or 3 days.")
strawberry.enum(
    CaseState, name="ExceptionState", description="ACKNOWLEDGED: somebody has seen it, nobody is alerted any more."
)
SUBJECTS = {
    "partner": "Partner",
    "stock": "StockLevel",
    "warehouse": "Warehouse",
    "listing": "Listing",
    "channel": "Channel",
    "order": "Order",
    "event": "InboundEvent",
    "sku": "Sku",
    "transfer": "Transfer",
    "return": "Return",
    "adjustment": "Adjustment",
    "fulfillment": "Fulfillment",
}


@strawberry.enum(description="AUTO: seen healthy, `proof` says how. MANUAL: settled by a person, `proof` says whom.")
class ExceptionResolution(StrEnum):
    AUTO = "AUTO"
    MANUAL = "MANUAL"


@strawberry.type(description="Something that happened to a case, or that somebody did about it.")
class ExceptionEvent:
    at: datetime.datetime
    actor: str
    action: str = strawberry.field(
        description="OPENED, ACKNOWLEDGED, ASSIGNED, RETRIED, TRANSFER_AWAITED, REOPENED, RESOLVED."
    )
    note: str | None
    data: JSON | None = strawberry.field(description="Of actions of people: the token and the request.")


@strawberry.type(description="Something that is not as it should be. One is open per kind, subject and cause.")
class ExceptionCase(Node):
    kind: CaseKind
    severity: Severity
    state: CaseState
    cause: CauseClass
    subject: str = strawberry.field(description="As in listing:12, channel:3, order:…, event:7.")
    title: str
    detail: str | None = strawberry.field(description="Of the last time it happened.")
    channel: str | None
    sku: str | None
    warehouse: str | None
    owner: str | None = strawberry.field(description="A role until somebody takes it.")
    due_at: datetime.datetime = strawberry.field(description="When somebody must have taken it up.")
    count: int = strawberry.field(description="How often it happened.")
    opened_at: datetime.datetime
    last_seen_at: datetime.datetime
    resolved_at: datetime.datetime | None
    resolution: ExceptionResolution | None
    proof: JSON | None = strawberry.field(description="What showed it healthy, or how it was settled.")
    events: strawberry.Private[list[ExceptionEvent] | None] = None

    @strawberry.field(description="The subject's global id.")
    def subject_id(self) -> strawberry.ID | None:
        kind, _, key = self.subject.partition(":")
        return strawberry.ID(encode_id(SUBJECTS[kind], key)) if kind in SUBJECTS else None

    @strawberry.field(directives=[Cost(weight=5)], description="Oldest first; the last 200.")
    def timeline(self, info: Info) -> list[ExceptionEvent]:
        if self.events is not None:
            return self.events
        return self._load_timeline(info)  # type: ignore[return-value]

    async def _load_timeline(self, info: Info) -> list[ExceptionEvent]:
        return events_from_rows(await info.context.loaders.timeline_of_case.load(UUID(self.key)))


@strawberry.type(description="What a channel sent, stored as it came. Its body is not shown: it holds personal data.")
class InboundEvent(Node):
    channel: str
    external_id: str
    topic: str
    occurred_at: datetime.datetime | None
    received_at: datetime.datetime
    processed_at: datetime.datetime | None = strawberry.field(description="Null: a worker will process it.")
    attempts: int
    error: str | None


@strawberry.type
class ExceptionCaseConnection(Counted):
    edges: list[Edge[ExceptionCase]]
    nodes: list[ExceptionCase]
    page_info: PageInfo


@strawberry.type
class InboundEventConnection(Counted):
    edges: list[Edge[InboundEvent]]
    nodes: list[InboundEvent]
    page_info: PageInfo


_CASE = (
    *("kind", "severity", "state", "cause", "subject", "title", "detail", "channel", "sku", "warehouse", "owner"),
    *("due_at", "count", "opened_at", "last_seen_at", "resolved_at", "resolution"),
)
_EVENT = ("channel", "external_id", "topic", "occurred_at", "received_at", "processed_at", "attempts", "error")


def case_from_row(row: Any, events: list[ExceptionEvent] | None = None) -> ExceptionCase:
    """`events`: its timeline, when that has been read already."""
    kept = {name: row[name] for name in _CASE}
    return ExceptionCase(key=str(row["id"]), proof=_json(row["proof"]), events=events, **kept)


def events_from_rows(rows: list[Any]) -> list[ExceptionEvent]:
    return [
        ExceptionEvent(
            at=row["at"], actor=row["actor"], action=row["action"], note=row["note"], data=_json(row["data"])
        )
        for row in rows
    ]


def inbound_event_from_row(row: Any) -> InboundEvent:
    return InboundEvent(key=str(row["id"]), **{name: row[name] for name in _EVENT})


def _json(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
