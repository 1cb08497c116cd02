"""Alerts to a warehouse: one is open per kind and subject, raised once and ended when it is so no more."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from uuid_utils.compat import uuid7


class AlertKind(StrEnum):
    """`OVER_DELIVERY` and `UNDER_DELIVERY`: a purchase order came to more or less than was ordered."""

    BELOW_REORDER_POINT = "BELOW_REORDER_POINT"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    PURCHASE_OVERDUE = "PURCHASE_OVERDUE"
    OVER_DELIVERY = "OVER_DELIVERY"
    UNDER_DELIVERY = "UNDER_DELIVERY"


_RAISE = """
INSERT INTO warehouse_alerts (id, kind, warehouse_id, sku_id, subject, message)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::int[], $4::int[], $5::text[], $6::text[]) AS g (i, k, w, s, sub, m)
ORDER BY k, sub
ON CONFLICT (kind, subject) WHERE ended_at IS NULL DO NOTHING
"""
_END = """
UPDATE warehouse_alerts a SET ended_at = clock_timestamp()
FROM unnest($1::text[], $2::text[]) AS g (kind, subject)
WHERE a.kind = g.kind AND a.subject = g.subject AND a.ended_at IS NULL
"""
_BRIEF = """
INSERT INTO warehouse_alerts (id, kind, warehouse_id, sku_id, subject, message, ended_at)
VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp())
"""


class Alert(NamedTuple):
    """`subject`: what it is about, as in `stock:3.1` or `purchase:…`. `message`: a sentence for people."""

    kind: AlertKind
    warehouse_id: int
    sku_id: int | None
    subject: str
    message: str


async def raise_alerts(connection: Any, alerts: Sequence[Alert]) -> None:
    """Those that are open already are not raised again."""
    if alerts:
        await connection.execute(
            _RAISE,
            [uuid7() for _ in alerts],
            [one.kind.value for one in alerts],
            [one.warehouse_id for one in alerts],
            [one.sku_id for one in alerts],
            [one.subject for one in alerts],
            [one.message for one in alerts],
        )


async def end_alerts(connection: Any, ended: Sequence[tuple[AlertKind, str]]) -> None:
    """By kind and subject; what is not open stays as it is."""
    if ended:
        await connection.execute(_END, [kind.value for kind, _ in ended], [subject for _, subject in ended])


async def tell_once(connection: Any, alert: Alert) -> None:
    """Something that happened and is over: raised and ended at once."""
    await connection.execute(_BRIEF, uuid7(), alert.kind.value, *alert[1:])
