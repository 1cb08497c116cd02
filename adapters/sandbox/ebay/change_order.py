"""What happens to an order after the sale: paid, asked to be cancelled, cancelled, shipped."""

from __future__ import annotations

import asyncio

from adapters.sandbox.ebay.place_order import confirm_order
from adapters.sandbox.ebay.state import Fulfillment, Order, Refund, State, now, write_time
from adapters.sandbox.read_body import OrderError

ORDER_CANCELLATION_ACTIVITY = "ORDER_CANCELLATION_ACTIVITY"
CANCEL_STEPS = ("request", "complete", "reject")


def find_order(state: State, order_id: object) -> Order:
    order = state.orders.get(str(order_id))
    if order is None:
        raise OrderError(404, "UNKNOWN_ORDER", f"there is no order {order_id}")
    return order


def pay_order(state: State, order: Order) -> None:
    order.paid = True
    _mark(state, order)
    confirm_order(state, order)


def cancel_order(state: State, order: Order, step: str) -> None:
    """`request`: the buyer asks. `complete`, `reject`: the seller answered. The stock does not come back by itself."""
    if step not in CANCEL_STEPS:
        raise OrderError(400, "BAD_STEP", f"step is one of {', '.join(CANCEL_STEPS)}")
    if order.cancel == "CANCELED":
        raise OrderError(409, "CANCELLED", f"{order.order_id} is cancelled already")
    at = write_time(now())
    if not order.cancel_requests:
        order.cancel_requests.append({
            "cancelRequestId": str(5_000_000_000 + state.next_index("Cancel")), "cancelInitiator": "BUYER",
            "cancelReason": "BUYER_ASKED_CANCEL", "cancelRequestedDate": at,
        })  # fmt: skip
    request = order.cancel_requests[-1]
    if step == "request":
        order.cancel, request["cancelRequestState"] = "IN_PROGRESS", "REQUESTED"
    elif step == "complete":
        order.cancel, order.cancelled_at, request["cancelRequestState"] = "CANCELED", now(), "COMPLETED"
        request["cancelCompletedDate"] = at
    else:
        order.cancel, request["cancelRequestState"] = "NONE_REQUESTED", "REJECTED"
    _mark(state, order)
    state.emit(ORDER_CANCELLATION_ACTIVITY, {"order": {"orderId": order.order_id}})


def ship_order(state: State, order: Order, fulfillment: Fulfillment) -> None:
    order.fulfillments.append(fulfillment)
    _mark(state, order)


def refund_order(state: State, order: Order, refund: Refund, *, fails: bool = False) -> None:
    """Taken now; through, or failed, `refund_seconds` later."""
    order.refunds.append(refund)
    _mark(state, order)
    asyncio.get_running_loop().call_later(state.config.refund_seconds, _finish_refund, state, order, refund, fails)


def _finish_refund(state: State, order: Order, refund: Refund, fails: bool) -> None:
    refund.status = "FAILED" if fails else "REFUNDED"
    refund.refunded_at = None if fails else now()
    _mark(state, order)


def touch_order(state: State, order: Order) -> None:
    """Something about the order changed that nobody asked for: it moves to the end of what is sorted by change."""
    _mark(state, order)


def _mark(state: State, order: Order) -> None:
    order.modified_at = max(now(), round(order.modified_at + 0.001, 3))
    state.touch()


def shipped_units(order: Order, line_item_id: str) -> int:
    return sum(
        int(quantity)
        for fulfillment in order.fulfillments
        for shipped_id, quantity in fulfillment.lines
        if shipped_id == line_item_id
    )
