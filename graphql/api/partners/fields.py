"""`partners`, `partnerEvents`, `partnerConnect`, `partnerEventReplay` and `partnerWebhookEnable`."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.ids import decode_uuid
from api.partners.types import (
    Partner,
    PartnerEvent,
    PartnerEventConnection,
    PartnerEventState,
    PartnerKind,
    PartnerState,
    event_from_row,
    partner_from_row,
)
from api.scalars import UserError, after_uuid, check_names, make_page, page_size
from app.calls import make_call
from app.partners.read_partners import EventFilter, count_events, read_event, read_events, read_partners
from app.partners.replay_events import enable_webhook, replay_event
from app.partners.save_partner import COLUMNS, PartnerChange, save_partner
from domain.errors import Refusal, RefusalCode
from domain.identity import Role

READERS = [Role.ADMIN, Role.OPERATIONS, Role.WAREHOUSE, Role.SUPPORT, Role.ENGINEER, Role.PARTNER, Role.VIEWER]
READ = requires(READERS, "fulfillment:read")
KEEP = requires([Role.ADMIN, Role.OPERATIONS, Role.ENGINEER], "fulfillment:write")
REPLAY = requires([Role.ADMIN, Role.OPERATIONS, Role.ENGINEER, Role.PARTNER], "fulfillment:write")


@strawberry.input(description="How we call it. What is left out stays.")
class PartnerConnection:
    base_url: str | None = None
    provider: str | None = strawberry.field(default=None, description="Its code at Connect.")
    api_key: str | None = None
    location: str | None = strawberry.field(default=None, description="Its own name of the warehouse.")
    snapshot_age_seconds: int | None = strawberry.field(
        default=None, description="How old its stock numbers may be when it gives them."
    )


@strawberry.input(description="Messages are signed as Standard Webhooks 1.0 says.")
class PartnerWebhook:
    url: str
    secret: str | None = strawberry.field(
        default=None, description="whsec_ and 24 to 64 bytes in base64. Left out: one is made and shown once."
    )


@strawberry.input(description="Create a partner or change it, by code. With connect we call it, else it calls us.")
class PartnerConnectInput:
    code: str
    warehouse: str = strawberry.field(description="One of the kind THIRD_PARTY.")
    connect: PartnerConnection | None = None
    webhook: PartnerWebhook | None = None
    rotate_secret: bool = strawberry.field(
        default=False, description="A new signing secret. The one before it goes on signing beside it for a day."
    )
    status: PartnerState | None = strawberry.UNSET
    tolerance_units: int | None = strawberry.UNSET
    tolerance_percent: int | None = strawberry.UNSET
    silent_seconds: int | None = strawberry.field(default=strawberry.UNSET, description="60 to 86,400.")
    idempotency_key: str | None = None


@strawberry.type
class PartnerConnectPayload:
    user_errors: list[UserError]
    partner: Partner | None = None
    secret: str | None = strawberry.field(
        default=None, description="The signing secret that was made, shown this once and under no repeated key."
    )


@strawberry.input
class PartnerEventReplayInput:
    id: strawberry.ID
    idempotency_key: str | None = None


@strawberry.type
class PartnerEventReplayPayload:
    user_errors: list[UserError]
    event: PartnerEvent | None = None


@strawberry.input
class PartnerWebhookEnableInput:
    partner: str = strawberry.field(description="Code.")
    replay_since: datetime.datetime | None = strawberry.field(
        default=None, description="Send again what failed since then, at most 30 days ago."
    )
    everything: bool = strawberry.field(default=False, description="And what was taken since then.")
    idempotency_key: str | None = None


@strawberry.type
class PartnerWebhookEnablePayload:
    user_errors: list[UserError]
    partner: Partner | None = None
    replayed: int | None = None


@strawberry.input
class PartnerEventFilter:
    partner: str | None = strawberry.field(default=None, description="Code.")
    states: list[PartnerEventState] | None = None


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _change(command: PartnerConnectInput) -> PartnerChange:
    values = {name: getattr(command, name) for name in COLUMNS if getattr(command, name) is not strawberry.UNSET}
    if values.get("status") is None:
        values.pop("status", None)
    else:
        values["status"] = values["status"].value
    given = command.connect
    names = ("base_url", "provider", "api_key", "location", "snapshot_age_seconds")
    connect = {} if given is None else {name: getattr(given, name) for name in names}
    return PartnerChange(
        command.code,
        command.warehouse,
        (PartnerKind.CONNECT if given is not None else PartnerKind.API).value,
        connect,
        None if command.webhook is None else command.webhook.url,
        None if command.webhook is None else command.webhook.secret,
        command.rotate_secret,
        values,
    )


async def _connect(context: Context, command: PartnerConnectInput) -> dict[str, Any]:
    wanted = _change(command)
    call = make_call(context.principal, "partner:connect", command.idempotency_key, wanted)
    made = await save_partner(context.state, context.principal, wanted, _now(), call)
    return {"partner": partner_from_row(made["partner"]), "secret": made.get("secret")}


async def _replay(context: Context, command: PartnerEventReplayInput) -> dict[str, Any]:
    event_id = decode_uuid(command.id, "PartnerEvent")
    call = make_call(context.principal, "partner:replay", command.idempotency_key, event_id)
    await replay_event(context.state, context.principal, event_id, _now(), call)
    row = await read_event(context.state.database, context.principal, event_id)
    if row is None:
        raise Refusal(RefusalCode.EVENT_NOT_FOUND, "There is no such event.", ("id",))
    return {"event": event_from_row(row)}


async def _enable(context: Context, command: PartnerWebhookEnableInput) -> dict[str, Any]:
    given = (command.partner, command.replay_since, command.everything)
    call = make_call(context.principal, "partner:enable", command.idempotency_key, given)
    made = await enable_webhook(context.state, context.principal, *given, _now(), call)
    return {"partner": partner_from_row(made["partner"]), "replayed": made["replayed"]}


@strawberry.type
class PartnerQuery:
    @strawberry.field(directives=READ, description="All that you may see, by code.")
    async def partners(self, info: Info) -> list[Partner]:
        return [partner_from_row(row) for row in await read_partners(info.context.state, info.context.principal)]

    @strawberry.field(directives=READ, description="What partners were told by webhook, newest first.")
    async def partner_events(
        self, info: Info, filter: PartnerEventFilter | None = None, first: int = 50, after: str | None = None
    ) -> PartnerEventConnection:
        size, before = page_size(first), after_uuid(after, "PartnerEventCursor")
        f = filter or PartnerEventFilter()
        states = None if f.states is None else [state.value for state in f.states]
        check_names(states, "states")
        chosen = EventFilter(f.partner, states)
        database, principal = info.context.state.database, info.context.principal
        rows = await read_events(database, principal, chosen, before, size + 1)
        page = make_page([event_from_row(row) for row in rows], size, "PartnerEventCursor", after)
        return PartnerEventConnection(count=partial(count_events, database, principal, chosen), **page)


@strawberry.type
class PartnerMutation:
    @strawberry.mutation(directives=KEEP, description="Create a partner or change it, by code.")
    async def partner_connect(self, info: Info, input: PartnerConnectInput) -> PartnerConnectPayload:
        return await answer(PartnerConnectPayload, _connect(info.context, input))

    @strawberry.mutation(directives=REPLAY, description="Send an event once more, under the id it had.")
    async def partner_event_replay(self, info: Info, input: PartnerEventReplayInput) -> PartnerEventReplayPayload:
        return await answer(PartnerEventReplayPayload, _replay(info.context, input))

    @strawberry.mutation(
        directives=REPLAY, description="Switch a webhook on again. What waited is sent, and what failed if you say so."
    )
    async def partner_webhook_enable(self, info: Info, input: PartnerWebhookEnableInput) -> PartnerWebhookEnablePayload:
        return await answer(PartnerWebhookEnablePayload, _enable(info.context, input))
