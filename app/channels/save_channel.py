"""Connect channels and change them: where they are, what they sell from and how much of it they show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.catalog.upsert import check_code
from app.channels.check_connection import Connection, choose_connection, merge_secrets
from app.channels.check_policy import check_policy
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.health import try_at_once
from app.channels.keep_subscribed import subscribe_again
from app.channels.open_channel import COLUMNS
from app.channels.openers import OPENERS
from app.channels.read_channels import read_channels_by_ids
from app.channels.relay_stock import recompute_desired
from app.channels.say_who import say_who
from app.channels.seal_credentials import open_credentials, seal_credentials
from app.channels.see_channels import find_channel
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Fault, Refusal, RefusalCode
from domain.identity import Principal

SOURCES_MAX = 1_000
_COLUMNS = ("name", "buffer", "share_percent", "maximum", "minimum", "multiple", "adaptive", "safety_stock", "frozen")
_HOUSES = "SELECT code, id FROM warehouses WHERE code = ANY($1::text[])"
_SOURCES = """
INSERT INTO channel_warehouses (channel_id, warehouse_id, location, status)
SELECT $1, g.id, g.location, g.status FROM unnest($2::int[], $3::text[], $4::text[]) AS g (id, location, status)
ON CONFLICT (channel_id, warehouse_id) DO UPDATE SET location = excluded.location, status = excluded.status
"""
_FEWER = "DELETE FROM channel_warehouses WHERE channel_id = $1 AND NOT warehouse_id = ANY($2::int[])"
_FORGET = "DELETE FROM channel_circuits WHERE channel_id = $1 AND scope = 'RETURNS'"
"""The new connection may not list returns, and would never prove that it does."""
_CONNECT = "UPDATE channels SET config = config || $2::jsonb, credentials = $3, connected_at = now() WHERE id = $1"
_OPEN = f"SELECT {COLUMNS} FROM channels WHERE id = $1"  # noqa: S608


@dataclass(frozen=True, slots=True)
class ChannelSource:
    """A warehouse by code, and which of the channel's locations shows its stock (empty: it has one pool)."""

    warehouse: str
    location: str = ""
    status: str = "LIVE"


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """What is to be: `values` by column, what is left out stays. `sources` are all of them; None: as they are."""

    code: str
    values: Mapping[str, Any] = field(default_factory=dict)
    sources: Sequence[ChannelSource] | None = None
    connections: Sequence[Connection | None] = ()


async def create_channel(
    state: State, principal: Principal, wanted: ChannelChange, call: IdempotentCall | None
) -> Answer:
    """Connect a new channel, SHADOW until it goes live; `channel` of the answer is its row.

    Raises `Refusal`: NOT_ALLOWED for a token limited to channels, then INVALID_INPUT for code, values or connection,
    WAREHOUSE_NOT_FOUND, DUPLICATE_LINE, ALREADY_EXISTS.
    """

    async def decide(connection: Any) -> Answer:
        if principal.channel_ids is not None:
            message = "Your token is limited to channels that exist: ask an admin to connect another."
            raise Refusal(RefusalCode.NOT_ALLOWED, message, ("code",))
        check_code(wanted.code, ("code",))
        _check_values(wanted.values)
        given = choose_connection(wanted.connections, required=True)
        assert given is not None
        if given.kind != "B2B" and given.kind not in OPENERS:
            raise Refusal(RefusalCode.INVALID_INPUT, f"{given.kind} cannot be connected here.", (given.name,))
        sources = await _find_sources(connection, principal, wanted.sources or ())
        if await connection.fetchval("SELECT EXISTS (SELECT FROM channels WHERE code = $1)", wanted.code):
            message = f"There is already a channel {wanted.code!r}: change it with channelUpdate."
            raise Refusal(RefusalCode.ALREADY_EXISTS, message, ("code",))
        await say_who(connection, principal)
        houses = {source.warehouse: source.location for source, _ in sources}
        name = wanted.values["name"]
        start = ChannelConnect(wanted.code, name, given.kind, houses, given.config, given.secrets)
        channel_id = await connect_channel(connection, state.settings, start)
        await _write_values(connection, channel_id, wanted.values)
        await _write_sources(connection, channel_id, sources)
        await _check_opens(state, connection, channel_id, given)
        return await answer_channel(connection, channel_id)

    return await run_once(state.database, call, decide)


async def update_channel(
    state: State, principal: Principal, wanted: ChannelChange, call: IdempotentCall | None
) -> Answer:
    """Change what is given and publish anew; `channel` of the answer is its row.

    Raises `Refusal`: CHANNEL_NOT_FOUND, then INVALID_INPUT for values or connection, WAREHOUSE_NOT_FOUND,
    DUPLICATE_LINE.
    """

    async def decide(connection: Any) -> Answer:
        channel_id = await find_channel(connection, principal, wanted.code, lock=True)
        _check_values(wanted.values)
        given = choose_connection(wanted.connections, required=False)
        sources = None
        if wanted.sources is not None:
            sources = await _find_sources(connection, principal, wanted.sources)
        await say_who(connection, principal)
        await _write_values(connection, channel_id, wanted.values)
        if given is not None:
            await _reconnect(state, connection, channel_id, given)
        if sources is not None:
            await _write_sources(connection, channel_id, sources)
        await recompute_desired(connection, channel_id=channel_id)
        return await answer_channel(connection, channel_id)

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("push")
    state.doorbell.ring("feed")
    return answer


async def answer_channel(connection: Any, channel_id: int) -> Answer:
    """The channel as it is now, as an answer that can be kept."""
    (row,) = await read_channels_by_ids(connection, [channel_id])
    return {"channel": dict(row)}


def _check_values(values: Mapping[str, Any]) -> None:
    if "name" in values and not str(values["name"] or "").strip():
        raise Refusal(RefusalCode.INVALID_INPUT, "Give the channel a name.", ("name",))
    check_text(values.get("name"), "name")
    for name in ("adaptive", "frozen"):
        if name in values and values[name] is None:
            raise Refusal(RefusalCode.INVALID_INPUT, f"{name} cannot be taken away: leave it out.", (name,))
    check_policy(values)


async def _find_sources(
    connection: Any, principal: Principal, sources: Sequence[ChannelSource]
) -> list[tuple[ChannelSource, int]]:
    if not sources:
        message = "A channel sells from warehouses: name at least one."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("warehouses",))
    if len(sources) > SOURCES_MAX:
        message = f"A channel sells from at most {SOURCES_MAX} warehouses."
        raise Refusal(RefusalCode.TOO_MANY_LINES, message, ("warehouses",))
    known = dict(await connection.fetch(_HOUSES, [source.warehouse for source in sources]))
    found: dict[str, tuple[ChannelSource, int]] = {}
    for index, source in enumerate(sources):
        path = ("warehouses", str(index))
        house = known.get(source.warehouse)
        if house is None or not principal.sees_warehouse(house):
            message = f"There is no warehouse {source.warehouse!r}."
            raise Refusal(RefusalCode.WAREHOUSE_NOT_FOUND, message, (*path, "warehouse"))
        if source.warehouse in found:
            message = f"Warehouse {source.warehouse!r} comes twice."
            raise Refusal(RefusalCode.DUPLICATE_LINE, message, (*path, "warehouse"))
        check_text(source.location, "location", path=path)
        found[source.warehouse] = (source, house)
    return list(found.values())


async def _write_values(connection: Any, channel_id: int, values: Mapping[str, Any]) -> None:
    names = [name for name in _COLUMNS if name in values]
    if names:
        sets = ", ".join(f"{name} = ${index}" for index, name in enumerate(names, 2))
        await connection.execute(f"UPDATE channels SET {sets} WHERE id = $1", channel_id, *(values[n] for n in names))  # noqa: S608


async def _write_sources(connection: Any, channel_id: int, sources: Sequence[tuple[ChannelSource, int]]) -> None:
    ids = [house for _, house in sources]
    locations, statuses = [source.location for source, _ in sources], [source.status for source, _ in sources]
    await connection.execute(_SOURCES, channel_id, ids, locations, statuses)
    await connection.execute(_FEWER, channel_id, ids)


async def _reconnect(state: State, connection: Any, channel_id: int, given: Connection) -> None:
    """New settings and credentials over those there are. What cannot be opened may be replaced as a whole."""
    record = await connection.fetchrow(_OPEN, channel_id)
    if record["kind"] != given.kind:
        message = f"This channel is of kind {record['kind']}: connect another one."
        raise Refusal(RefusalCode.INVALID_INPUT, message, (given.name,))
    try:
        known = open_credentials(state.settings, record["credentials"])
    except Fault:
        known = {}
    secrets = merge_secrets(known, given.secrets)
    sealed = seal_credentials(state.settings, secrets) if secrets else None
    await connection.execute(_CONNECT, channel_id, orjson.dumps(dict(given.config)).decode(), sealed)
    await subscribe_again(connection, channel_id)
    await connection.execute(_FORGET, channel_id)
    await try_at_once(connection, channel_id)
    await _check_opens(state, connection, channel_id, given)


async def _check_opens(state: State, connection: Any, channel_id: int, given: Connection) -> None:
    """Refuse a connection that no adapter can be made of: nothing is asked of the channel."""
    try:
        state.channels.open(await connection.fetchrow(_OPEN, channel_id))
    except Fault as fault:
        raise Refusal(RefusalCode.INVALID_INPUT, str(fault), (given.name,)) from fault
    except (KeyError, TypeError, ValueError) as error:
        message = f"The connection lacks something or is wrong ({error})."
        raise Refusal(RefusalCode.INVALID_INPUT, message, (given.name,)) from error
