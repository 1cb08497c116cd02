"""Alert rules: who is told of which exception cases, and how often."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adapters.alerts.send_apprise import name_service
from adapters.postgres.database import WriteSession
from adapters.postgres.idempotency import IdempotentCall
from adapters.webhooks.sign_webhook import is_secret, make_secret
from app.alerts.read_rules import RULES, show_rule
from app.calls import URL_LENGTH_MAX, check_text, is_web
from app.channels.seal_credentials import open_credentials, seal_credentials
from app.run_once import Answer, transact_once
from app.state import State
from domain.errors import Fault, Refusal, RefusalCode
from domain.identity import Principal

NAME_LENGTH_MAX = 100
GROUP_SECONDS_MAX = 3_600
REPEAT_SECONDS_MIN, REPEAT_SECONDS_MAX = 60, 2_592_000
_CHANNELS = "SELECT code, id FROM channels WHERE code = ANY($1::text[])"
_LOCK = f"{RULES} WHERE r.name = $1 FOR UPDATE OF r"
_WRITE = """
INSERT INTO alert_rules
  (name, kinds, severities, channel_ids, target, sealed, group_seconds, repeat_seconds, enabled)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (name) DO UPDATE SET kinds = excluded.kinds, severities = excluded.severities,
  channel_ids = excluded.channel_ids, target = excluded.target, sealed = excluded.sealed,
  group_seconds = excluded.group_seconds, repeat_seconds = excluded.repeat_seconds, enabled = excluded.enabled
RETURNING id
"""
_DELETE = (
    "DELETE FROM alert_notices WHERE rule_id = $1",
    "DELETE FROM alert_deliveries WHERE rule_id = $1",
    "DELETE FROM alert_rules WHERE id = $1",
)
COLUMNS = ("kinds", "severities", "group_seconds", "repeat_seconds", "enabled")
DEFAULTS: Mapping[str, Any] = {
    "kinds": None,
    "severities": None,
    "channels": None,
    "group_seconds": 0,
    "repeat_seconds": 3_600,
    "enabled": True,
}


@dataclass(frozen=True, slots=True)
class AlertRuleChange:
    """What is to be: `values` by column (`channels` by code), what is left out stays, or is as `DEFAULTS` say.

    At most one of `webhook` and `address` (an Apprise URL). `signing`: the webhook's secret, when it is not to be
    made. `rotate`: a new secret beside the one before it.
    """

    name: str
    values: Mapping[str, Any]
    webhook: str | None = field(default=None, repr=False)
    signing: str | None = field(default=None, repr=False)
    address: str | None = field(default=None, repr=False)
    rotate: bool = False


async def set_rule(state: State, principal: Principal, wanted: AlertRuleChange, call: IdempotentCall | None) -> Answer:
    """Create or change a rule, by name. `rule` of the answer; `secret`: a new signing secret, this once.

    Raises `Refusal`: INVALID_INPUT, then NOT_ALLOWED for a limited token that names no channels, CHANNEL_NOT_FOUND,
    ALERT_RULE_NOT_FOUND for a name that is taken by a rule outside the token's limits.
    """

    service = None
    if wanted.address is not None and len(wanted.address) <= URL_LENGTH_MAX:
        service = await name_service(wanted.address)

    async def decide(session: WriteSession) -> Answer:
        connection = session.raw
        _check(wanted, service)
        found = await connection.fetchrow(_LOCK, wanted.name)
        if found is not None and not may_see_rule(principal, found):
            raise rule_not_found()
        values = _values(found, wanted)
        channel_ids = await _find_channels(connection, principal, found, wanted)
        target, secrets, shown = _address(state, found, wanted)
        sealed = seal_credentials(state.settings, secrets)
        given = (values["kinds"], values["severities"], channel_ids, target, sealed)
        rest = (values["group_seconds"], values["repeat_seconds"], values["enabled"])
        await connection.fetchval(_WRITE, wanted.name, *given, *rest)
        row = await connection.fetchrow(f"{RULES} WHERE r.name = $1", wanted.name)
        return {"rule": show_rule(state, row), "secret": shown}

    return await transact_once(state.database, call, decide, unkept="secret")


async def delete_rule(state: State, principal: Principal, name: str, call: IdempotentCall | None) -> Answer:
    """Delete a rule and what it delivered; `name` of the answer. Raises `Refusal` ALERT_RULE_NOT_FOUND."""

    async def decide(session: WriteSession) -> Answer:
        found = await session.raw.fetchrow(_LOCK, name)
        if found is None or not may_see_rule(principal, found):
            raise rule_not_found()
        for statement in _DELETE:
            await session.raw.execute(statement, found["id"])
        return {"name": name}

    return await transact_once(state.database, call, decide)


def may_see_rule(principal: Principal, row: Any) -> bool:
    """A limited token sees the rules that are of its channels alone."""
    if principal.warehouse_ids is not None:
        return False
    return principal.channel_ids is None or (
        row["channel_ids"] is not None and principal.channel_ids.issuperset(row["channel_ids"])
    )


def rule_not_found() -> Refusal:
    return Refusal(RefusalCode.ALERT_RULE_NOT_FOUND, "There is no such alert rule.", ("name",))


def _check(wanted: AlertRuleChange, service: str | None) -> None:
    check_text(wanted.name, "name", NAME_LENGTH_MAX)
    if not wanted.name.strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Give the rule a name.", ("name",))
    if wanted.webhook is not None and wanted.address is not None:
        raise Refusal(RefusalCode.INVALID_INPUT, "Give webhook or apprise, not both: a rule tells one.", ("apprise",))
    if wanted.webhook is not None and not is_web(wanted.webhook):
        message = "The webhook's url is an address such as https://hooks.example/onhand, without a user in it."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("webhook", "url"))
    if wanted.signing is not None and not is_secret(wanted.signing):
        message = "A signing secret is whsec_ and 24 to 64 bytes in base64; leave it out, and one is made."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("webhook", "secret"))
    if wanted.address is not None and service is None:
        message = "Apprise does not know such an address: it is like mailto://…, slack://… or msteams://…."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("apprise", "url"))
    _check_range(wanted.values, "group_seconds", "groupSeconds", 0, GROUP_SECONDS_MAX)
    _check_range(wanted.values, "repeat_seconds", "repeatSeconds", REPEAT_SECONDS_MIN, REPEAT_SECONDS_MAX)
    for name in ("kinds", "severities"):
        if wanted.values.get(name) == []:
            raise Refusal(RefusalCode.INVALID_INPUT, f"Without any {name} nobody is told: leave it out.", (name,))


def _check_range(values: Mapping[str, Any], name: str, shown: str, least: int, most: int) -> None:
    if name in values and (values[name] is None or not least <= values[name] <= most):
        raise Refusal(RefusalCode.INVALID_INPUT, f"{shown} is from {least} to {most}.", (shown,))


def _values(found: Any, wanted: AlertRuleChange) -> dict[str, Any]:
    known = {name: DEFAULTS[name] if found is None else found[name] for name in COLUMNS}
    return {name: wanted.values.get(name, known[name]) for name in COLUMNS}


async def _find_channels(
    connection: Any, principal: Principal, found: Any, wanted: AlertRuleChange
) -> Sequence[int] | None:
    if "channels" not in wanted.values and found is not None:
        kept: Sequence[int] | None = found["channel_ids"]
        return kept
    codes = wanted.values.get("channels")
    if principal.warehouse_ids is not None or (codes is None and principal.channel_ids is not None):
        message = "Your token is limited: name channels that it sees, or ask somebody whose token is not."
        raise Refusal(RefusalCode.NOT_ALLOWED, message, ("channels",))
    if codes is None:
        return None
    if not codes:
        raise Refusal(RefusalCode.INVALID_INPUT, "Without any channels nobody is told: leave them out.", ("channels",))
    known = {code: key for code, key in await connection.fetch(_CHANNELS, codes) if principal.sees_channel(key)}
    for index, code in enumerate(codes):
        if code not in known:
            message = f"There is no channel {code!r}."
            raise Refusal(RefusalCode.CHANNEL_NOT_FOUND, message, ("channels", str(index)))
    return sorted(known.values())


def _address(state: State, found: Any, wanted: AlertRuleChange) -> tuple[str, dict[str, str], str | None]:
    """The target, what is sealed of it, and a secret to show this once."""
    if wanted.address is not None:
        return "APPRISE", {"url": wanted.address}, None
    known = _open(state, found)
    if wanted.webhook is None and not known:
        raise Refusal(RefusalCode.INVALID_INPUT, "Say whom to tell: webhook or apprise.", ("webhook",))
    if wanted.webhook is None and "secret" not in known:
        return "APPRISE", known, None
    secret = known.get("secret")
    fresh = wanted.signing or (make_secret() if secret is None or wanted.rotate else None)
    sealed = {"url": wanted.webhook or known["url"], "secret": fresh or secret or ""}
    before = secret if fresh not in (None, secret) else known.get("previous_secret")
    if before is not None:
        sealed["previous_secret"] = before
    return "WEBHOOK", sealed, fresh if wanted.signing is None else None


def _open(state: State, found: Any) -> dict[str, str]:
    """What is sealed; nothing when no key opens it, so that it can be given anew."""
    if found is None:
        return {}
    try:
        return open_credentials(state.settings, found["sealed"])
    except Fault:
        return {}
