"""A request ends with what was ordered for it: the transfer or the purchase order that it became."""

from __future__ import annotations

from typing import Any

from domain.replenishment import RequestStatus

_END = "UPDATE replenishment_requests SET status = $2 WHERE document = $1 AND status = 'APPROVED'"


async def end_request(connection: Any, document: str, *, came: bool) -> None:
    """`document` as in `transfer:…`, which is locked and has ended. `came`: whether any of it did."""
    status = RequestStatus.DONE if came else RequestStatus.CANCELLED
    await connection.execute(_END, document, status.value)
