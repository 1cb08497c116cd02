"""`alertRaised`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import strawberry

from api.channels.subscriptions import ChangeKind, names_of
from api.context import Context, Info
from api.directives import STAFF, requires
from api.remembered import Remembered
from api.replenishment.types import WarehouseAlert, alert_from_row
from api.source import Source
from app.feed.hub import FeedEvent
from app.replenishment.raise_alerts import AlertKind
from app.replenishment.read_purchases import read_alerts_by_ids
from app.replenishment.watch_alerts import AlertWatch, prepare_alert_watch, read_watched_alerts
from app.state import State


@strawberry.input
class AlertRaisedFilter:
    warehouses: list[str] | None = None
    kinds: list[AlertKind] | None = None


@strawberry.type(description="An alert that was raised, or that ended.")
class AlertChange:
    cursor: str = strawberry.field(description="Give it as `after` to go on from here.")
    kind: ChangeKind
    alert: WarehouseAlert | None = strawberry.field(description="Null when READY.")
    cursor_expired: bool = strawberry.field(
        default=False, description="Changes after what you had are not kept for you: this is a fresh snapshot."
    )


class AlertSource(Source):
    """Alerts to warehouses as a stream."""

    topic = "alert"

    def __init__(self, state: State) -> None:
        self._state = state
        self._alerts: Remembered[WarehouseAlert] = Remembered(state.database.hot, _read_alerts)

    async def prepare(self, context: Context, arguments: dict[str, Any]) -> AlertWatch:
        chosen = arguments.get("filter") or {}
        kinds = names_of(chosen.get("kinds"))
        return await prepare_alert_watch(self._state.lookup, context.principal, chosen.get("warehouses"), kinds)

    def accepts(self, watch: AlertWatch, event: FeedEvent) -> bool:
        return watch.accepts(event)

    async def load(self, events: list[FeedEvent]) -> None:
        await self._alerts.load(events)

    def knows(self, event: FeedEvent) -> bool:
        return self._alerts.knows(event)

    def change(self, event: FeedEvent, cursor: str) -> AlertChange:
        return AlertChange(cursor=cursor, kind=ChangeKind.CHANGE, alert=self._alerts.get(event))

    async def snapshot(
        self, connection: Any, watch: AlertWatch, cursor: str, expired: bool
    ) -> AsyncIterator[AlertChange]:
        after = None
        while rows := await read_watched_alerts(connection, watch, after):
            for row in rows:
                alert = alert_from_row(row)
                yield AlertChange(cursor=cursor, kind=ChangeKind.SNAPSHOT, alert=alert, cursor_expired=expired)
            after = rows[-1]["id"]

    def ready(self, cursor: str, expired: bool) -> AlertChange:
        return AlertChange(cursor=cursor, kind=ChangeKind.READY, alert=None, cursor_expired=expired)


async def _read_alerts(database: Any, keys: list[str]) -> dict[str, WarehouseAlert]:
    rows = await read_alerts_by_ids(database, [UUID(key) for key in keys])
    return {alert.key: alert for alert in map(alert_from_row, rows)}


@strawberry.type
class ReplenishmentSubscription:
    @strawberry.subscription(
        directives=requires(STAFF, "stock:read"),
        description="Without `after`: every alert that has not ended, READY, then those raised and ended.",
    )
    async def alert_raised(
        self, info: Info, filter: AlertRaisedFilter | None = None, after: str | None = None
    ) -> AsyncIterator[AlertChange]:
        if info:
            raise RuntimeError("Streams are run by api.streams.")
        yield AlertChange(cursor="", kind=ChangeKind.READY, alert=None)
