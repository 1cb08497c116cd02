"""`channelChanges`: the trail of what people and the system changed of channels."""

from __future__ import annotations

import datetime
from enum import StrEnum
from functools import partial
from typing import Any

import orjson
import strawberry
from strawberry.scalars import JSON

from api.context import Info
from api.directives import requires
from api.ids import BIGINT_MAX
from api.scalars import Counted, Edge, PageInfo, after_numbers, make_page, page_size
from app.channels.read_changes import count_changes, read_changes
from domain.identity import Role

READERS = requires([Role.ADMIN, Role.ENGINEER, Role.ECOMMERCE, Role.OPERATIONS], "channels:read")


@strawberry.enum
class ChannelAction(StrEnum):
    CONNECTED = "CONNECTED"
    RECONNECTED = "RECONNECTED"
    UPDATED = "UPDATED"
    WENT_LIVE = "WENT_LIVE"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    SOURCE_ADDED = "SOURCE_ADDED"
    SOURCE_CHANGED = "SOURCE_CHANGED"
    SOURCE_REMOVED = "SOURCE_REMOVED"
    POLICY_SET = "POLICY_SET"
    SKU_FROZEN = "SKU_FROZEN"
    SKU_UNFROZEN = "SKU_UNFROZEN"


@strawberry.type(description="A change of a channel. Of credentials it is only told that they were given anew.")
class ChannelChange:
    key: strawberry.Private[str]
    channel: str
    at: datetime.datetime
    action: ChannelAction
    subject: str | None = strawberry.field(description="The warehouse or SKU that it is about, if it is about one.")
    actor: str = strawberry.field(description="`system` when nobody asked for it.")
    token: str | None
    before: JSON = strawberry.field(description="What changed, as it was.")
    after: JSON = strawberry.field(description="The same, as it is since.")


@strawberry.type
class ChannelChangeConnection(Counted):
    edges: list[Edge[ChannelChange]]
    nodes: list[ChannelChange]
    page_info: PageInfo


def change_from_row(row: Any) -> ChannelChange:
    kept = ("channel", "at", "subject", "actor", "token")
    return ChannelChange(
        key=str(row["id"]),
        action=ChannelAction(row["action"]),
        before=orjson.loads(row["before"]),
        after=orjson.loads(row["after"]),
        **{name: row[name] for name in kept},
    )


@strawberry.type
class ChangeQuery:
    @strawberry.field(directives=READERS, description="Newest first. Rows are only ever added.")
    async def channel_changes(
        self, info: Info, channel: str | None = None, first: int = 50, after: str | None = None
    ) -> ChannelChangeConnection:
        size, (before,) = page_size(first), after_numbers(after, "ChannelChangeCursor", limit=BIGINT_MAX)
        database, principal = info.context.state.database, info.context.principal
        rows = await read_changes(database, principal, channel, before, size + 1)
        page = make_page([change_from_row(row) for row in rows], size, "ChannelChangeCursor", after)
        return ChannelChangeConnection(count=partial(count_changes, database, principal, channel), **page)
