"""A refund is written and told, whoever made it. It says itself which of its units were put on sale again."""

from __future__ import annotations

from decimal import Decimal

from adapters.sandbox.shopify.change_stock import change_level
from adapters.sandbox.shopify.ids import write_gid
from adapters.sandbox.shopify.refunds import PLACES, Refund, RefundLine
from adapters.sandbox.shopify.render_event import render_refund
from adapters.sandbox.shopify.state import REFUNDS_CREATE, Line, Order, State, now

REFUNDS_MAX = PLACES - 1
"""Of an order; callers refuse one more."""


def record_refund(
    state: State,
    order: Order,
    lines: list[RefundLine],
    amount: str,
    *,
    note: str | None = None,
    status: str = "SUCCESS",
    of_return: int | None = None,
) -> Refund:
    index = order.index * PLACES + len(order.refunds)
    made = Refund(index, order.index, lines, amount, now(), note, status, of_return)
    order.refunds.append(made)
    whole = not any(line.current for line in order.lines)
    order.financial_status = "REFUNDED" if whole else "PARTIALLY_REFUNDED"
    state.emit(REFUNDS_CREATE, lambda: render_refund(state, order, made))
    return made


def add_up(order: Order, lines: list[RefundLine]) -> str:
    """What the units cost, as a price is written."""
    total = sum((Decimal(order.find_line(line.line).price) * line.quantity for line in lines), Decimal(0))
    return f"{total:.2f}"


def put_back(
    state: State, order: Order, location: int, line: Line, units: int, *, committed: int, restock: bool
) -> None:
    level = state.levels.get((location, line.item))
    if level is not None and state.products[line.item].tracked:
        available = level.available + (units if restock else 0)
        change_level(
            state,
            level,
            available=available,
            committed=level.committed - committed,
            cause="restock",
            order=write_gid("Order", order.index),
            removed=units,
        )
