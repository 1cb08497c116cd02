"""What the partner says it has: strings, as the contract wants them, and promised to open orders what is."""

from __future__ import annotations

from collections import Counter
from typing import Any

from adapters.sandbox.threepl.config import Defect
from adapters.sandbox.threepl.inject_faults import FaultKind
from adapters.sandbox.threepl.show_orders import read_next
from adapters.sandbox.threepl.state import ENDS, State

ODD = 3


def show_stock(state: State, body: dict[str, Any]) -> dict[str, Any]:
    """One level a page, as the contract's schema has it; a page of them when the configuration says `listed`."""
    if state.on_hand and state.faults.strike(FaultKind.OUTSIDE_CHANGE):
        first = next(iter(state.on_hand))
        state.on_hand[first] = max(0, state.on_hand[first] - 1)
    start = read_next(body, "sku")
    wanted = body.get("skus")
    known = [sku for sku in state.on_hand if not wanted or sku in wanted]
    size = state.config.page_size if state.config.listed else 1
    stale = state.faults.strike(FaultKind.STALE_SNAPSHOT)
    held = _count_open(state)
    levels = [_show(state, sku, (state.before if stale else state.on_hand)[sku], held[sku]) for sku in known]
    page = levels[start : start + size]
    more = {"next_request": {"sku": start + size}} if start + size < len(levels) else {}
    if not page:
        return {**more}
    return {"inventory": page if state.config.listed else page[0], **more}


def _show(state: State, sku: str, on_hand: int, held: int) -> dict[str, Any]:
    committed = min(held, on_hand)
    available = on_hand - committed + (ODD if state.has(Defect.SNAPSHOT_DOES_NOT_ADD_UP) else 0)
    numbers = {"available_quantity": available, "committed_quantity": committed, "on_hand_quantity": on_hand}
    shown = numbers if state.has(Defect.SNAPSHOT_IN_NUMBERS) else {name: str(n) for name, n in numbers.items()}
    return {"sku": sku, "warehouse_id": state.config.warehouse_id, **shown}


def _count_open(state: State) -> Counter[str]:
    held: Counter[str] = Counter()
    for order in state.orders.values():
        if order.status not in ENDS:
            held.update({item.sku: item.quantity for item in order.items})
    return held
