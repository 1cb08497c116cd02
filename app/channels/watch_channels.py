"""What the streams of channels show: which changes a watcher may see, and the snapshots they start from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from adapters.postgres.feed import FeedEvent
from app.catalog.lookup import sku_not_found
from app.channels.read_listings import LISTINGS, ORDER, Key
from app.channels.see_channels import find_channel, see_channels
from app.conditions import Conditions
from app.exceptions.read_cases import CASES
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

SNAPSHOT_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class ChannelWatch:
    """Channels watched; None for all. Equal watches share one stream.

    `skus`: of listings. `lanes`: of failures. `kinds`, `severities` and `owner`: of cases. None leaves a filter out.
    """

    channel_ids: frozenset[int] | None
    sku_ids: frozenset[int] | None = None
    lanes: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    severities: frozenset[str] | None = None
    owner: str | None = None

    def accepts(self, event: FeedEvent) -> bool:
        """A case without a channel is for those whose channels are not limited."""
        return (self.channel_ids is None or event.channel_id in self.channel_ids) and (
            self.sku_ids is None or event.sku_id in self.sku_ids
        )

    def accepts_attempt(self, event: FeedEvent) -> bool:
        return self.accepts(event) and (self.lanes is None or orjson.loads(event.payload)["lane"] in self.lanes)

    def accepts_case(self, event: FeedEvent) -> bool:
        if not self.accepts(event):
            return False
        case = orjson.loads(event.payload)
        return (
            (self.kinds is None or case["kind"] in self.kinds)
            and (self.severities is None or case["severity"] in self.severities)
            and (self.owner is None or case["owner"] == self.owner)
        )


async def watch_channels(
    state: State, principal: Principal, channel: str | None, skus: Sequence[str] | None = None, **limits: Any
) -> ChannelWatch:
    """Resolve a filter within what the principal may see.

    Raises `Refusal` CHANNEL_NOT_FOUND, SKU_NOT_FOUND, and NOT_ALLOWED for a token limited to warehouses: which
    channels sell from them alone may change while the stream lives.
    """
    if principal.warehouse_ids is not None:
        message = "Your token is limited to warehouses, and a channel may sell from others any moment: use the queries."
        raise Refusal(RefusalCode.NOT_ALLOWED, message)
    connection = state.database.hot
    if channel is not None:
        channels: list[int] | None = [await find_channel(connection, principal, channel, ("filter", "channel"))]
    else:
        channels = await see_channels(connection, principal)
    sku_ids = None
    if skus is not None:
        found = await state.lookup.find_skus(skus)
        for index, code in enumerate(skus):
            if code not in found:
                raise sku_not_found(code, ("filter", "skus", str(index)))
        sku_ids = frozenset(found.values())
    return ChannelWatch(None if channels is None else frozenset(channels), sku_ids, **limits)


async def read_watched_listings(connection: Any, watch: ChannelWatch, after: Key) -> Sequence[Any]:
    """Up to `SNAPSHOT_PAGE` listings after a key, on the caller's snapshot."""
    found = Conditions()
    if watch.channel_ids is not None:
        found.add("l.channel_id = ANY({}::int[])", sorted(watch.channel_ids))
    if watch.sku_ids is not None:
        found.add("l.sku_id = ANY({}::int[])", sorted(watch.sku_ids))
    found.add("(l.channel_id, l.sku_id, l.id) > ({}::bigint, {}::bigint, {}::bigint)", *after)
    rows: Sequence[Any] = await connection.fetch(
        f"{LISTINGS} {found.where} {ORDER} LIMIT {SNAPSHOT_PAGE}", *found.values
    )
    return rows


async def read_watched_cases(connection: Any, watch: ChannelWatch, after: Any) -> Sequence[Any]:
    """Up to `SNAPSHOT_PAGE` cases that are not resolved, after an id (None: from the oldest)."""
    found = Conditions()
    found.add("x.state <> 'RESOLVED'")
    if watch.channel_ids is not None:
        found.add("x.channel_id = ANY({}::int[])", sorted(watch.channel_ids))
    for column, values in (("kind", watch.kinds), ("severity", watch.severities)):
        if values is not None:
            found.add(f"x.{column} = ANY({{}}::text[])", sorted(values))
    if watch.owner is not None:
        found.add("x.owner = {}", watch.owner)
    if after is not None:
        found.add("x.id > {}::uuid", after)
    rows: Sequence[Any] = await connection.fetch(
        f"{CASES} {found.where} ORDER BY x.id LIMIT {SNAPSHOT_PAGE}", *found.values
    )
    return rows
