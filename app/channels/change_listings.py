"""Link listings, take links away, set their policy, and tell the channel anew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.catalog.find_skus import find_skus
from app.catalog.lookup import sku_not_found
from app.channels.answer_listings import answer_listings
from app.channels.check_policy import check_policy
from app.channels.find_listings import ListingName, find_listings, read_locations
from app.channels.link_listing import ListingLink, link_listings
from app.channels.relay_stock import recompute_desired
from app.channels.resync_listings import resync_all, resync_listings
from app.channels.say_who import say_who
from app.channels.see_channels import find_channel
from app.exceptions.resolve_cases import resolve_cases
from app.run_once import Answer, run_once
from app.state import State
from app.stock.reserve_stock import check_line_count
from domain.errors import Refusal, RefusalCode
from domain.exceptions import CaseKind
from domain.identity import Principal

_TAKEN = """
SELECT l.external_id, l.location, l.sku_id, s.code FROM listings l JOIN skus s ON s.id = l.sku_id
WHERE l.channel_id = $1 AND l.external_id = ANY($2::text[])
"""
_LINKED = """
SELECT l.id FROM unnest($2::int[], $3::text[]) WITH ORDINALITY AS g (sku_id, location, place)
JOIN listings l ON l.channel_id = $1 AND l.sku_id = g.sku_id AND l.location = g.location ORDER BY g.place
"""
_SOURCES = """
SELECT l.id, array_agg(w.code) FROM listings l
JOIN channel_warehouses cw ON cw.channel_id = l.channel_id AND cw.location = l.location
JOIN warehouses w ON w.id = cw.warehouse_id WHERE l.id = ANY($1::bigint[]) GROUP BY l.id
"""
_UNLINK = "DELETE FROM listings WHERE id = ANY($1::bigint[]) RETURNING id"
_LOCK = "SELECT FROM listings WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE"
_POLICY = """
UPDATE listings l SET
  buffer = CASE WHEN g.given ? 'buffer' THEN (g.given ->> 'buffer')::int ELSE l.buffer END,
  share_percent = CASE WHEN g.given ? 'share_percent' THEN (g.given ->> 'share_percent')::int ELSE l.share_percent END,
  maximum = CASE WHEN g.given ? 'maximum' THEN (g.given ->> 'maximum')::int ELSE l.maximum END,
  minimum = CASE WHEN g.given ? 'minimum' THEN (g.given ->> 'minimum')::int ELSE l.minimum END,
  multiple = CASE WHEN g.given ? 'multiple' THEN (g.given ->> 'multiple')::int ELSE l.multiple END,
  safety_stock = CASE WHEN g.given ? 'safety_stock' THEN (g.given ->> 'safety_stock')::int ELSE l.safety_stock END,
  warehouses = CASE jsonb_typeof(g.given -> 'warehouses') WHEN 'null' THEN NULL
    WHEN 'array' THEN ARRAY(
      SELECT DISTINCT jsonb_array_elements_text(g.given -> 'warehouses') ORDER BY 1) ELSE l.warehouses END,
  frozen = coalesce((g.given ->> 'frozen')::bool, l.frozen)
FROM unnest($1::bigint[], $2::jsonb[]) AS g (id, given) WHERE l.id = g.id RETURNING l.sku_id
"""
HEALABLE = (CaseKind.SYNC_REJECTED.value, CaseKind.DRIFT.value)
TEXT_LENGTH_MAX = 500


@dataclass(frozen=True, slots=True)
class PolicyLine:
    """`values` by column: what is left out stays, None gives way to the channel's."""

    name: ListingName
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LinkLine:
    """A SKU by code or barcode and what the channel calls it; `location` may be left out where there is one."""

    sku: str
    external_id: str
    location: str | None = None
    reference: str | None = None


async def link_lines(
    state: State, principal: Principal, channel: str, lines: Sequence[LinkLine], call: IdempotentCall | None
) -> Answer:
    """Link SKUs to what the channel calls them, or link them anew; `listings` of the answer, in order.

    Raises `Refusal`: CHANNEL_NOT_FOUND, TOO_MANY_LINES, then for each line INVALID_INPUT, SKU_NOT_FOUND,
    DUPLICATE_LINE, ALREADY_EXISTS for an item that is linked to another SKU.
    """

    async def decide(connection: Any) -> Answer:
        channel_id = await find_channel(connection, principal, channel, lock=True)
        links = await _check_links(connection, channel_id, lines)
        await link_listings(connection, channel_id, [link for _, link in links])
        places = [sku_id for sku_id, _ in links], [link.location for _, link in links]
        rows = await connection.fetch(_LINKED, channel_id, *places)
        return await answer_listings(connection, [row[0] for row in rows])

    return _ring(state, await run_once(state.database, call, decide))


async def _check_links(connection: Any, channel_id: int, lines: Sequence[LinkLine]) -> list[tuple[int, ListingLink]]:
    check_line_count(len(lines))
    locations = await read_locations(connection, channel_id)
    skus = await find_skus(connection, [line.sku for line in lines])
    rows = await connection.fetch(_TAKEN, channel_id, [line.external_id for line in lines])
    taken = {(row["external_id"], row["location"]): (row["sku_id"], row["code"]) for row in rows}
    places: set[tuple[int, str]] = set()
    links: list[tuple[int, ListingLink]] = []
    for index, line in enumerate(lines):
        path = ("lines", str(index))
        _check_texts(line, path)
        location = _choose_location(line.location, locations, path)
        sku = skus.get(line.sku)
        if sku is None:
            raise sku_not_found(line.sku, (*path, "sku"))
        holder = taken.setdefault((line.external_id, location), (sku.id, sku.code))
        if (sku.id, location) in places:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"SKU {line.sku!r} comes twice.", (*path, "sku"))
        if holder[0] != sku.id:
            message = f"{line.external_id!r} is linked to SKU {holder[1]!r} already: unlink that first."
            raise Refusal(RefusalCode.ALREADY_EXISTS, message, (*path, "externalId"))
        places.add((sku.id, location))
        links.append((sku.id, ListingLink(sku.code, line.external_id, location, line.reference)))
    return links


def _check_texts(line: LinkLine, path: tuple[str, ...]) -> None:
    if not line.external_id.strip():
        message = "Say what the channel calls it."
        raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "externalId"))
    for name, value in (("externalId", line.external_id), ("location", line.location), ("reference", line.reference)):
        check_text(value, name, TEXT_LENGTH_MAX, path=path)


def _choose_location(given: str | None, known: Sequence[str], path: tuple[str, ...]) -> str:
    if given is None and len(known) == 1:
        return known[0]
    if given is None or given not in known:
        message = "No warehouse of the channel is shown at this location: see its warehouses."
        raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "location"))
    return given


async def unlink_lines(
    state: State, principal: Principal, channel: str, names: Sequence[ListingName], call: IdempotentCall | None
) -> Answer:
    """Forget listings: the channel is told nothing of them any more and keeps what it shows. `unlinked`: their ids.

    Their cases end with that. Raises `Refusal` CHANNEL_NOT_FOUND, then as `find_listings`.
    """

    async def decide(connection: Any) -> Answer:
        channel_id = await find_channel(connection, principal, channel, lock=True)
        ids = await find_listings(connection, channel_id, names)
        await connection.execute(_LOCK, ids)
        await connection.execute(_UNLINK, ids)
        await resolve_cases(connection, HEALABLE, {f"listing:{one}": {"unlinked": True} for one in ids})
        return {"unlinked": ids}

    return _ring(state, await run_once(state.database, call, decide))


async def set_policy(
    state: State, principal: Principal, channel: str, lines: Sequence[PolicyLine], call: IdempotentCall | None
) -> Answer:
    """Set what is published of single listings; `listings` of the answer, in order.

    Raises `Refusal`: CHANNEL_NOT_FOUND, as `find_listings`, then INVALID_INPUT for values.
    """

    async def decide(connection: Any) -> Answer:
        channel_id = await find_channel(connection, principal, channel, lock=True)
        ids = await find_listings(connection, channel_id, [line.name for line in lines])
        for index, line in enumerate(lines):
            check_policy(line.values, ("lines", str(index)), of_listing=True)
        await _check_warehouses(connection, ids, lines)
        await connection.execute(_LOCK, ids)
        await say_who(connection, principal)
        given = [orjson.dumps(dict(line.values)).decode() for line in lines]
        skus = await connection.fetch(_POLICY, ids, given)
        await recompute_desired(connection, sorted({row[0] for row in skus}), channel_id=channel_id)
        return await answer_listings(connection, ids)

    return _ring(state, await run_once(state.database, call, decide))


async def _check_warehouses(connection: Any, ids: Sequence[int], lines: Sequence[PolicyLine]) -> None:
    sources = dict(await connection.fetch(_SOURCES, ids))
    for index, (listing, line) in enumerate(zip(ids, lines, strict=True)):
        chosen, path = line.values.get("warehouses"), ("lines", str(index), "warehouses")
        if chosen is None:
            continue
        if not chosen:
            message = "Name a warehouse, or say null for all that its channel sells from there."
            raise Refusal(RefusalCode.INVALID_INPUT, message, path)
        for place, code in enumerate(chosen):
            if code not in sources.get(listing, ()):
                message = f"The channel sells from no warehouse {code!r} at this location: see its warehouses."
                raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, str(place)))


async def resync_lines(
    state: State, principal: Principal, channel: str, names: Sequence[ListingName] | None, call: IdempotentCall | None
) -> Answer:
    """Look what the channel shows and tell it again; None: everything it lists. `count` of the answer, and `listings`.

    Raises `Refusal` CHANNEL_NOT_FOUND, then as `find_listings`.
    """

    async def decide(connection: Any) -> Answer:
        channel_id = await find_channel(connection, principal, channel)
        if names is None:
            return {"count": await resync_all(connection, channel_id), "listings": [], "channels": []}
        ids = await find_listings(connection, channel_id, names)
        count = await resync_listings(connection, ids)
        return {"count": count, **await answer_listings(connection, ids)}

    return _ring(state, await run_once(state.database, call, decide))


def _ring(state: State, answer: Answer) -> Answer:
    for bell in ("push", "feed"):
        state.doorbell.ring(bell)
    return answer
