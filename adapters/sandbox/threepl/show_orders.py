"""What the partner tells of its orders."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from adapters.sandbox.threepl.config import Defect
from adapters.sandbox.threepl.inject_faults import FaultKind
from adapters.sandbox.threepl.respond import Refused
from adapters.sandbox.threepl.state import Order, State

FORGETFUL_SECONDS = 0.05


def show_changes(state: State, body: dict[str, Any]) -> dict[str, Any]:
    """Orders that changed since then, a page of them, oldest change first."""
    since, first = _read_since(body), _read_page(body)
    now = state.now()
    if state.has(Defect.IGNORES_SINCE):
        since = max(since, now - FORGETFUL_SECONDS)
    known = [order for order in state.orders.values() if order.status and since <= order.changed_at]
    shown = sorted((order for order in known if order.shown_at <= now), key=lambda order: order.changed_at)
    page = shown[first : first + state.config.page_size]
    changes = [_show(state, order) for order in page]
    if changes and state.faults.strike(FaultKind.MISSING_EVENT):
        changes.pop()
    if changes and state.faults.strike(FaultKind.DUPLICATE_EVENT):
        changes.append(changes[0])
    if state.faults.strike(FaultKind.REORDERED_EVENT):
        changes.reverse()
    after = first + len(page)
    if state.has(Defect.LOOPS_PAGES):
        return {"changes": changes, "next_request": {"page": 0}}
    return {"changes": changes, **({"next_request": {"page": after}} if after < len(shown) else {})}


def show_fulfillments(state: State, order: Order) -> dict[str, Any]:
    if state.has(Defect.SAYS_TWO_THINGS):
        return {"fulfillment_provider_order_id": order.order_id, "status": "Processing"}
    final = order.status not in (None, "Processing")
    return {**_show(state, order), "polling": {"is_final_update_state": final, "max_age_seconds": 3_600}}


def _show(state: State, order: Order) -> dict[str, Any]:
    """An order that nothing was done with has no status yet, which the contract allows."""
    status = order.status
    if status == "Shipped" and state.has(Defect.GOES_BACK) and int(state.now() * 4) % 2:
        status = "Processing"
    if status and state.has(Defect.BREAKS_SCHEMA):
        status = f"STATE_{status.upper()}"
    shipments = order.shipments
    if state.has(Defect.CHANGES_IDS):
        shipments = [{**parcel, "notification_id": str(uuid.uuid4())} for parcel in shipments]
    fulfillments = [dict(one) for one in order.refusals]
    if order.status == "Processing":
        fulfillments.append({"status": "Processing"})
    return {
        "fulfillment_provider_order_id": order.order_id,
        **({"status": status} if status else {}),
        "fulfillments": fulfillments,
        "shipments": shipments,
    }


def _read_since(body: dict[str, Any]) -> float:
    try:
        return datetime.fromisoformat(body["since"]).timestamp()
    except (KeyError, TypeError, ValueError):
        raise Refused(400, "invalid", "since is a time in ISO 8601") from None


def _read_page(body: dict[str, Any]) -> int:
    return read_next(body, "page")


def read_next(body: dict[str, Any], name: str) -> int:
    """Where the page begins that `next_request` asks for."""
    given = body.get("next_request")
    if given is None:
        return 0
    found = given.get(name) if isinstance(given, dict) else None
    if not isinstance(found, int) or found < 0:
        raise Refused(400, "invalid", "next_request is not one that was given")
    return found
