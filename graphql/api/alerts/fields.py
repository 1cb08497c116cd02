"""`alertRules`, `alertDeliveries`, `alertRuleSet` and `alertRuleDelete`."""

from __future__ import annotations

import datetime
from enum import StrEnum
from functools import partial
from typing import Any

import strawberry

from api.answer import answer
from api.context import Context, Info
from api.directives import requires
from api.ids import encode_id
from api.scalars import Counted, Edge, PageInfo, UserError, after_uuid, check_names, make_page, page_size
from api.stock.types import Node
from app.alerts.read_rules import DeliveryFilter, count_deliveries, read_deliveries, read_rules
from app.alerts.set_rule import COLUMNS, AlertRuleChange, delete_rule, set_rule
from app.calls import make_call
from domain.exceptions import CaseKind, Severity
from domain.identity import Role

READERS = [Role.ADMIN, Role.ENGINEER, Role.OPERATIONS, Role.ECOMMERCE, Role.SUPPORT]
READ = requires(READERS, "channels:read")
WRITE = requires([Role.ADMIN, Role.ENGINEER, Role.OPERATIONS], "channels:write")


@strawberry.enum(description="APPRISE: e-mail, chat and whatever else Apprise knows an address for.")
class AlertTarget(StrEnum):
    WEBHOOK = "WEBHOOK"
    APPRISE = "APPRISE"


@strawberry.enum(description="FAILED: given up after several tries over about an hour and a half.")
class AlertDeliveryState(StrEnum):
    PENDING = "PENDING"
    SENT = "SENT"
    FAILED = "FAILED"


@strawberry.type(
    description="Who is told of which exception cases: of those that match kinds, severities and channels."
)
class AlertRule(Node):
    name: str
    kinds: list[CaseKind] | None = strawberry.field(description="Null: all.")
    severities: list[Severity] | None = strawberry.field(description="Null: all.")
    channels: list[str] | None = strawberry.field(description="Codes; null: all, and what is of no channel.")
    target: AlertTarget
    destination: str | None = strawberry.field(
        description="Of the address only the kind of service, or the host. Null: no key of ours opens it."
    )
    group_seconds: int = strawberry.field(description="What comes within so long is told at once. 0: right away.")
    repeat_seconds: int = strawberry.field(
        description="A case is told again after so long while it is OPEN; acknowledged ones are quiet."
    )
    enabled: bool
    created_at: datetime.datetime


@strawberry.type(description="One message to one receiver.")
class AlertDelivery(Node):
    rule: str
    state: AlertDeliveryState
    exceptions: list[strawberry.ID] = strawberry.field(description="Ids of the cases it tells of.")
    attempts: int
    created_at: datetime.datetime
    next_attempt_at: datetime.datetime | None = strawberry.field(description="While PENDING.")
    sent_at: datetime.datetime | None
    error: str | None = strawberry.field(description="Of the last try.")


@strawberry.type
class AlertDeliveryConnection(Counted):
    edges: list[Edge[AlertDelivery]]
    nodes: list[AlertDelivery]
    page_info: PageInfo


@strawberry.input
class AlertDeliveryFilter:
    rule: str | None = strawberry.field(default=None, description="By name.")
    states: list[AlertDeliveryState] | None = None


@strawberry.input(description="Messages are signed as Standard Webhooks 1.0 says, by a secret known to you and us.")
class AlertWebhook:
    url: str
    secret: str | None = strawberry.field(
        default=None, description="whsec_ and 24 to 64 bytes in base64. Left out: one is made and shown once."
    )


@strawberry.input
class AlertApprise:
    url: str = strawberry.field(description="An Apprise address such as mailto://…, slack://… or msteams://….")


@strawberry.input(description="What is left out keeps its value; of a new rule it is all, told right away and hourly.")
class AlertRuleSetInput:
    name: str
    kinds: list[CaseKind] | None = strawberry.UNSET
    severities: list[Severity] | None = strawberry.UNSET
    channels: list[str] | None = strawberry.field(default=strawberry.UNSET, description="Codes; null: all.")
    webhook: AlertWebhook | None = None
    apprise: AlertApprise | None = None
    rotate_secret: bool = strawberry.field(
        default=False, description="Make a new signing secret. Messages are signed by it and by the one before it."
    )
    group_seconds: int | None = strawberry.field(default=strawberry.UNSET, description="0 to 3,600.")
    repeat_seconds: int | None = strawberry.field(default=strawberry.UNSET, description="60 or more.")
    enabled: bool | None = strawberry.UNSET
    idempotency_key: str | None = None


@strawberry.input
class AlertRuleDeleteInput:
    name: str
    idempotency_key: str | None = None


@strawberry.type
class AlertRuleSetPayload:
    user_errors: list[UserError]
    rule: AlertRule | None = None
    secret: str | None = strawberry.field(
        default=None, description="The signing secret that was made, shown this once and under no repeated key."
    )


@strawberry.type
class AlertRuleDeletePayload:
    user_errors: list[UserError]
    name: str | None = strawberry.field(default=None, description="Of the rule that is no more.")


_RULE = ("name", "channels", "target", "destination", "group_seconds", "repeat_seconds", "enabled", "created_at")


def rule_from_row(row: Any) -> AlertRule:
    kinds = None if row["kinds"] is None else [CaseKind(kind) for kind in row["kinds"]]
    severities = None if row["severities"] is None else [Severity(one) for one in row["severities"]]
    kept = {name: row[name] for name in _RULE}
    return AlertRule(key=str(row["id"]), kinds=kinds, severities=severities, **kept)


def delivery_from_row(row: Any) -> AlertDelivery:
    return AlertDelivery(
        key=str(row["id"]),
        rule=row["rule"],
        state=row["state"],
        exceptions=[strawberry.ID(encode_id("ExceptionCase", str(one))) for one in row["case_ids"]],
        attempts=row["attempts"],
        created_at=row["created_at"],
        next_attempt_at=row["due_at"] if row["state"] == "PENDING" else None,
        sent_at=row["sent_at"],
        error=row["error"],
    )


def _change(command: AlertRuleSetInput) -> AlertRuleChange:
    values: dict[str, Any] = {}
    for name in (*COLUMNS, "channels"):
        value = getattr(command, name)
        if value is not strawberry.UNSET and not (name == "enabled" and value is None):
            values[name] = [getattr(one, "value", one) for one in value] if isinstance(value, list) else value
    return AlertRuleChange(
        command.name,
        values,
        None if command.webhook is None else command.webhook.url,
        None if command.webhook is None else command.webhook.secret,
        None if command.apprise is None else command.apprise.url,
        command.rotate_secret,
    )


async def _set(context: Context, command: AlertRuleSetInput) -> dict[str, Any]:
    wanted = _change(command)
    call = make_call(context.principal, "alertRule:set", command.idempotency_key, wanted)
    made = await set_rule(context.state, context.principal, wanted, call)
    return {"rule": rule_from_row(made["rule"]), "secret": made.get("secret")}


async def _delete(context: Context, command: AlertRuleDeleteInput) -> dict[str, Any]:
    call = make_call(context.principal, "alertRule:delete", command.idempotency_key, command.name)
    return await delete_rule(context.state, context.principal, command.name, call)


@strawberry.type
class AlertQuery:
    @strawberry.field(directives=READ, description="All that you may see, by name.")
    async def alert_rules(self, info: Info) -> list[AlertRule]:
        return [rule_from_row(row) for row in await read_rules(info.context.state, info.context.principal)]

    @strawberry.field(directives=READ, description="Newest first.")
    async def alert_deliveries(
        self, info: Info, filter: AlertDeliveryFilter | None = None, first: int = 50, after: str | None = None
    ) -> AlertDeliveryConnection:
        size, before = page_size(first), after_uuid(after, "AlertDeliveryCursor")
        f = filter or AlertDeliveryFilter()
        states = None if f.states is None else [state.value for state in f.states]
        check_names(states, "states")
        chosen = DeliveryFilter(f.rule, states)
        database, principal = info.context.state.database, info.context.principal
        rows = await read_deliveries(database, principal, chosen, before, size + 1)
        page = make_page([delivery_from_row(row) for row in rows], size, "AlertDeliveryCursor", after)
        return AlertDeliveryConnection(count=partial(count_deliveries, database, principal, chosen), **page)


@strawberry.type
class AlertMutation:
    @strawberry.mutation(directives=WRITE, description="Create a rule or change it, by name.")
    async def alert_rule_set(self, info: Info, input: AlertRuleSetInput) -> AlertRuleSetPayload:
        return await answer(AlertRuleSetPayload, _set(info.context, input))

    @strawberry.mutation(directives=WRITE, description="Delete a rule, with what it delivered.")
    async def alert_rule_delete(self, info: Info, input: AlertRuleDeleteInput) -> AlertRuleDeletePayload:
        return await answer(AlertRuleDeletePayload, _delete(info.context, input))
