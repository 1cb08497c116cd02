"""Connect a partner to its warehouse, or change how it is reached."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters.postgres.idempotency import IdempotentCall
from adapters.webhooks.sign_webhook import is_secret, make_secret
from app.calls import check_text, is_web
from app.channels.seal_credentials import open_credentials, seal_credentials
from app.partners.read_partners import read_partner_row, show_partner
from app.run_once import Answer, transact_once
from app.state import State
from domain.errors import Fault, Refusal, RefusalCode
from domain.identity import Principal

CODE_LENGTH_MAX, SECRET_LENGTH_MAX = 64, 2_000
OVERLAP = datetime.timedelta(days=1)
"""How long the secret before the newest one still signs beside it."""
SILENT_SECONDS_MIN, SILENT_SECONDS_MAX = 60, 86_400
AGE_SECONDS_MAX = 86_400
_LOCK = (
    "SELECT id, sealed, kind, config::text AS config, warehouse_id, webhook FROM partners WHERE code = $1 FOR UPDATE"
)
_HOUSE = "SELECT id, kind FROM warehouses WHERE id = $1"
_OTHER = "SELECT code FROM partners WHERE warehouse_id = $1 AND code <> $2"
_WRITE = """
INSERT INTO partners (code, warehouse_id, kind, config, sealed, webhook)
VALUES ($1, $2, $3, $4::jsonb, $5, $6)
ON CONFLICT (code) DO UPDATE SET config = excluded.config, sealed = excluded.sealed, webhook = excluded.webhook
RETURNING id
"""
COLUMNS = ("status", "tolerance_units", "tolerance_percent", "silent_seconds")
RANGES = {
    "tolerance_units": ("toleranceUnits", 0, 1_000_000),
    "tolerance_percent": ("tolerancePercent", 0, 100),
    "silent_seconds": ("silentSeconds", SILENT_SECONDS_MIN, SILENT_SECONDS_MAX),
}


@dataclass(frozen=True, slots=True)
class PartnerChange:
    """`kind` is CONNECT or API. `connect`: of the connection what is given; the rest stays. `values` by column.

    `rotate`: a new signing secret beside the one before it, which goes on signing for a day.
    """

    code: str
    warehouse: str
    kind: str
    connect: Mapping[str, Any] = field(default_factory=dict, repr=False)
    webhook: str | None = field(default=None, repr=False)
    signing: str | None = field(default=None, repr=False)
    rotate: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)


async def save_partner(
    state: State, principal: Principal, wanted: PartnerChange, now: datetime.datetime, call: IdempotentCall | None
) -> Answer:
    """`partner` of the answer; `secret`: a new signing secret, this once.

    Raises `Refusal` INVALID_INPUT, WAREHOUSE_NOT_FOUND, WRONG_STATE for a warehouse that is our own, ALREADY_EXISTS
    for one that has another partner, or a code that is another warehouse's.
    """
    house = await state.lookup.find_warehouse(wanted.warehouse, principal, ("warehouse",), open_only=False)

    async def decide(session: Any) -> Answer:
        connection = session.raw
        _check(wanted)
        found = await connection.fetchrow(_LOCK, wanted.code)
        await _check_place(connection, wanted, house.id, found)
        known = {} if found is None else _open(state, found)
        config = {**({} if found is None else orjson.loads(found["config"])), **_config(wanted)}
        sealed, shown = _seal(wanted, known, now)
        _check_whole(wanted, config, sealed)
        webhook = "ENABLED" if wanted.webhook else found["webhook"] if found else "NONE"
        secrets = seal_credentials(state.settings, sealed) if sealed else None
        given = (wanted.code, house.id, wanted.kind, orjson.dumps(config).decode(), secrets, webhook)
        partner_id = await connection.fetchval(_WRITE, *given)
        for name, value in wanted.values.items():
            await connection.execute(f"UPDATE partners SET {name} = $2 WHERE id = $1", partner_id, value)  # noqa: S608
        return {"partner": show_partner(state, await read_partner_row(connection, partner_id)), "secret": shown}

    return await transact_once(state.database, call, decide, unkept="secret")


def _check(wanted: PartnerChange) -> None:
    check_text(wanted.code, "code", CODE_LENGTH_MAX)
    if not wanted.code.strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Give the partner a code.", ("code",))
    for name, url in (("connect", wanted.connect.get("base_url")), ("webhook", wanted.webhook)):
        if url is not None and not is_web(url):
            message = "The url is an address such as https://partner.example/onhand, without a user in it."
            raise Refusal(RefusalCode.INVALID_INPUT, message, (name, "url" if name == "webhook" else "baseUrl"))
    if wanted.signing is not None and not is_secret(wanted.signing):
        message = "A signing secret is whsec_ and 24 to 64 bytes in base64; leave it out, and one is made."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("webhook", "secret"))
    for name, value in wanted.values.items():
        if name in RANGES:
            shown, least, most = RANGES[name]
            if value is None or not least <= value <= most:
                raise Refusal(RefusalCode.INVALID_INPUT, f"{shown} is from {least} to {most}.", (shown,))
    age = wanted.connect.get("snapshot_age_seconds")
    if age is not None and not 0 <= age <= AGE_SECONDS_MAX:
        message = f"snapshotAgeSeconds is from 0 to {AGE_SECONDS_MAX}."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("connect", "snapshotAgeSeconds"))
    for name in ("api_key", "provider", "location"):
        check_text(wanted.connect.get(name), name, SECRET_LENGTH_MAX, path=("connect",))


async def _check_place(connection: Any, wanted: PartnerChange, house_id: int, found: Any) -> None:
    house = await connection.fetchrow(_HOUSE, house_id)
    if house["kind"] != "THIRD_PARTY":
        message = f"Warehouse {wanted.warehouse!r} is our own: only one of the kind THIRD_PARTY has a partner."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("warehouse",))
    if found is not None and (found["warehouse_id"] != house_id or found["kind"] != wanted.kind):
        message = "A partner of this code works elsewhere or otherwise: take another code."
        raise Refusal(RefusalCode.ALREADY_EXISTS, message, ("code",))
    other = await connection.fetchval(_OTHER, house_id, wanted.code)
    if other is not None:
        message = f"Warehouse {wanted.warehouse!r} is partner {other!r}'s."
        raise Refusal(RefusalCode.ALREADY_EXISTS, message, ("warehouse",))


def _config(wanted: PartnerChange) -> dict[str, Any]:
    names = ("base_url", "provider", "location", "snapshot_age_seconds")
    found = {name: wanted.connect[name] for name in names if wanted.connect.get(name) is not None}
    if "base_url" in found:
        found["base_url"] = found["base_url"].rstrip("/")
    return found


def _seal(wanted: PartnerChange, known: Mapping[str, str], now: datetime.datetime) -> tuple[dict[str, str], str | None]:
    """What is sealed, and a secret to show this once."""
    sealed = dict(known)
    if wanted.connect.get("api_key"):
        sealed["api_key"] = wanted.connect["api_key"]
    if wanted.webhook:
        sealed["webhook_url"] = wanted.webhook
    if "webhook_url" not in sealed:
        return sealed, None
    secret = known.get("secret")
    fresh = wanted.signing or (make_secret() if secret is None or wanted.rotate else None)
    if fresh is not None and secret is not None and fresh != secret:
        sealed |= {"previous_secret": secret, "previous_until": (now + OVERLAP).isoformat()}
    sealed["secret"] = fresh or secret or ""
    return sealed, fresh if wanted.signing is None else None


def _check_whole(wanted: PartnerChange, config: Mapping[str, Any], sealed: Mapping[str, str]) -> None:
    if wanted.kind == "CONNECT":
        for name, shown in (("base_url", "baseUrl"), ("provider", "provider")):
            if not config.get(name):
                raise Refusal(RefusalCode.INVALID_INPUT, f"Give {shown}.", ("connect", shown))
    if (wanted.rotate or wanted.signing) and "webhook_url" not in sealed:
        raise Refusal(RefusalCode.INVALID_INPUT, "There is no webhook to sign for: give its url.", ("webhook", "url"))


def _open(state: State, found: Any) -> dict[str, str]:
    """What is sealed; nothing when no key opens it, so that it can be given anew."""
    try:
        return open_credentials(state.settings, found["sealed"])
    except Fault:
        return {}
