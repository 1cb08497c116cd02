"""`exceptionAcknowledge`, `…Assign`, `…Retry`, `…Recover`, `…Resolve`, `eventReprocess` and `eventsReprocess`."""

from __future__ import annotations

import datetime
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.exceptions.types import ExceptionCase, InboundEvent, case_from_row, inbound_event_from_row
from api.ids import BIGINT_MAX, decode_numbers, decode_uuid
from api.scalars import UserError
from app.calls import make_call
from app.channels.reprocess_event import MANY_MAX, ManyEvents, reprocess_event, reprocess_events
from app.exceptions.act_on_case import acknowledge_case, assign_case, settle_case
from app.exceptions.retry_case import retry_case
from app.orders.recover_order import Recovery, recover_order
from domain.identity import Role

ACTORS = requires([Role.ADMIN, Role.OPERATIONS, Role.ECOMMERCE, Role.ENGINEER, Role.SUPPORT], "channels:write")


@strawberry.input
class ExceptionAcknowledgeInput:
    id: strawberry.ID
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class ExceptionAssignInput:
    id: strawberry.ID
    owner: str = strawberry.field(description="A role, or a person.")
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class ExceptionRetryInput:
    id: strawberry.ID
    warehouses: list[str] | None = strawberry.field(
        default=None,
        description="Of REJECTION, SHORT_PICK and ALLOCATION_IMPOSSIBLE: warehouses that rejected the order or "
        "picked it short, and are to be asked again.",
    )
    idempotency_key: str | None = None


@strawberry.input
class ExceptionResolveInput:
    id: strawberry.ID
    note: str = strawberry.field(description="How it was settled.")
    idempotency_key: str | None = None


strawberry.enum(
    Recovery,
    name="ExceptionRecovery",
    description="BACKORDER: what is missing waits for stock. SUBSTITUTE: it ships from a warehouse that its channel "
    "does not sell from, or by way of a transfer from there. "
    "CANCEL: it is cancelled, and the order's timeline says that the buyer is to be notified.",
)


@strawberry.input
class ExceptionRecoverInput:
    id: strawberry.ID
    recovery: Recovery
    warehouse: str | None = strawberry.field(default=None, description="Of SUBSTITUTE: the code.")
    ship_from: str | None = strawberry.field(
        default=None,
        description="Of SUBSTITUTE: the warehouse to which the units are transferred first. Left out, `warehouse` "
        "ships them itself if the routing policy lets it, else they go to the nearest of the order's channel that may.",
    )
    note: str | None = None
    idempotency_key: str | None = None


@strawberry.input
class EventReprocessInput:
    id: strawberry.ID
    idempotency_key: str | None = None


@strawberry.input(description="Events of a channel that were processed, or set aside.")
class EventsReprocessInput:
    channel: str
    topics: list[str] | None = None
    failed: bool = strawberry.field(default=True, description="Only those with an error.")
    from_: datetime.datetime | None = strawberry.field(default=None, name="from", description="When they came.")
    to: datetime.datetime | None = strawberry.field(default=None, description="Left out itself.")
    idempotency_key: str | None = None


@strawberry.type
class ExceptionPayload:
    user_errors: list[UserError]
    exception: ExceptionCase | None = None


@strawberry.type
class ExceptionAcknowledgePayload(ExceptionPayload): ...


@strawberry.type
class ExceptionAssignPayload(ExceptionPayload): ...


@strawberry.type
class ExceptionRetryPayload(ExceptionPayload): ...


@strawberry.type
class ExceptionResolvePayload(ExceptionPayload): ...


@strawberry.type
class ExceptionRecoverPayload(ExceptionPayload): ...


@strawberry.type
class EventReprocessPayload:
    user_errors: list[UserError]
    event: InboundEvent | None = None


@strawberry.type
class EventsReprocessPayload:
    user_errors: list[UserError]
    events: int = strawberry.field(default=0, description="How many are due again.")
    left: int = strawberry.field(default=0, description="How many more there are: send it again.")


def _show(made: dict[str, Any]) -> dict[str, Any]:
    return {"exception": case_from_row(made["exception"])}


async def _acknowledge(context: Context, command: ExceptionAcknowledgeInput) -> dict[str, Any]:
    case_id, key = decode_uuid(command.id, "ExceptionCase"), command.idempotency_key
    call = make_call(context.principal, "exception:acknowledge", key, [case_id, command.note])
    provenance = context.provenance(key)
    return _show(await acknowledge_case(context.state, context.principal, case_id, command.note, provenance, call))


async def _assign(context: Context, command: ExceptionAssignInput) -> dict[str, Any]:
    case_id, key = decode_uuid(command.id, "ExceptionCase"), command.idempotency_key
    call = make_call(context.principal, "exception:assign", key, [case_id, command.owner, command.note])
    given = (command.owner, command.note, context.provenance(key), call)
    return _show(await assign_case(context.state, context.principal, case_id, *given))


async def _retry(context: Context, command: ExceptionRetryInput) -> dict[str, Any]:
    case_id, key = decode_uuid(command.id, "ExceptionCase"), command.idempotency_key
    houses = command.warehouses or []
    call = make_call(context.principal, "exception:retry", key, [case_id, *houses])
    return _show(await retry_case(context.state, context.principal, case_id, houses, context.provenance(key), call))


async def _resolve(context: Context, command: ExceptionResolveInput) -> dict[str, Any]:
    case_id, key = decode_uuid(command.id, "ExceptionCase"), command.idempotency_key
    call = make_call(context.principal, "exception:resolve", key, [case_id, command.note])
    provenance = context.provenance(key)
    return _show(await settle_case(context.state, context.principal, case_id, command.note, provenance, call))


async def _recover(context: Context, command: ExceptionRecoverInput) -> dict[str, Any]:
    case_id, key = decode_uuid(command.id, "ExceptionCase"), command.idempotency_key
    given = (command.recovery, command.warehouse, command.ship_from, command.note)
    call = make_call(context.principal, "exception:recover", key, [case_id, *given])
    provenance = context.provenance(key)
    return _show(await recover_order(context.state, context.principal, case_id, *given, provenance, call))


async def _reprocess(context: Context, command: EventReprocessInput) -> dict[str, Any]:
    (event_id,) = decode_numbers(command.id, "InboundEvent", limit=BIGINT_MAX)
    call = make_call(context.principal, "event:reprocess", command.idempotency_key, event_id)
    made = await reprocess_event(context.state, context.principal, event_id, call)
    return {"event": inbound_event_from_row(made["event"])}


async def _reprocess_many(context: Context, command: EventsReprocessInput) -> dict[str, Any]:
    wanted = ManyEvents(command.channel, command.topics, command.failed, command.from_, command.to)
    given = [wanted.channel, wanted.topics, wanted.failed, wanted.since, wanted.until]
    call = make_call(context.principal, "events:reprocess", command.idempotency_key, given)
    return await reprocess_events(context.state, context.principal, wanted, call)


@strawberry.type
class ExceptionMutation:
    @strawberry.mutation(directives=ACTORS, description="You have seen it: nobody is alerted any more.")
    async def exception_acknowledge(self, info: Info, input: ExceptionAcknowledgeInput) -> ExceptionAcknowledgePayload:
        return await answer(ExceptionAcknowledgePayload, _acknowledge(info.context, input))

    @strawberry.mutation(directives=ACTORS)
    async def exception_assign(self, info: Info, input: ExceptionAssignInput) -> ExceptionAssignPayload:
        return await answer(ExceptionAssignPayload, _assign(info.context, input))

    @strawberry.mutation(
        directives=ACTORS,
        description="Do what may put it right: tell the listing again, process the event again, try the channel again, "
        "route the order again. "
        "The case ends by itself when that worked.",
    )
    async def exception_retry(self, info: Info, input: ExceptionRetryInput) -> ExceptionRetryPayload:
        return await answer(ExceptionRetryPayload, _retry(info.context, input))

    @strawberry.mutation(
        directives=ACTORS,
        description="By hand: EVENT_FAILED, OVERSELL and ORDER_PROBLEM. The others end by themselves, with a proof.",
    )
    async def exception_resolve(self, info: Info, input: ExceptionResolveInput) -> ExceptionResolvePayload:
        return await answer(ExceptionResolvePayload, _resolve(info.context, input))

    @strawberry.mutation(
        directives=requires([Role.ADMIN, Role.OPERATIONS, Role.SUPPORT], "orders:write"),
        description="OVERSELL, ORDER_PROBLEM, ALLOCATION_IMPOSSIBLE, REJECTION and SHORT_PICK: carry out what you "
        "choose for the units that are missing.",
    )
    async def exception_recover(self, info: Info, input: ExceptionRecoverInput) -> ExceptionRecoverPayload:
        return await answer(ExceptionRecoverPayload, _recover(info.context, input))

    @strawberry.mutation(directives=ACTORS, description="Let a worker process it again, from its raw body.")
    async def event_reprocess(self, info: Info, input: EventReprocessInput) -> EventReprocessPayload:
        return await answer(EventReprocessPayload, _reprocess(info.context, input))

    @strawberry.mutation(
        directives=ACTORS,
        description=f"The same for many, the oldest {MANY_MAX} of them: after what made them fail was put right.",
    )
    async def events_reprocess(self, info: Info, input: EventsReprocessInput) -> EventsReprocessPayload:
        return await answer(EventsReprocessPayload, _reprocess_many(info.context, input))
