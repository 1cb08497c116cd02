"""The states of orders, lines and fulfilment orders."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refusal, RefusalCode
from domain.fulfillment import ALLOWED, FulfillmentAction, FulfillmentStatus, check_action
from domain.orders import (
    PAYMENTS,
    LineCounts,
    LineStatus,
    OrderStatus,
    Payment,
    check_line_change,
    check_order_change,
    line_status,
    order_status,
)


@st.composite
def counts(draw: st.DrawFn) -> LineCounts:
    parts = [draw(st.integers(0, 9)) for _ in range(4)]
    return LineCounts(max(1, sum(parts)), *parts[1:])


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([LineCounts(3)], OrderStatus.BACKORDERED),
        ([LineCounts(3, allocated=1)], OrderStatus.PARTLY_ALLOCATED),
        ([LineCounts(3, allocated=3), LineCounts(1)], OrderStatus.PARTLY_ALLOCATED),
        ([LineCounts(3, allocated=2, cancelled=1)], OrderStatus.ALLOCATED),
        ([LineCounts(3, shipped=1)], OrderStatus.PARTLY_SHIPPED),
        ([LineCounts(3, shipped=2, cancelled=1)], OrderStatus.SHIPPED),
        ([LineCounts(3, cancelled=3)], OrderStatus.CANCELLED),
    ],
)
def test_status_follows_from_the_lines(lines: list[LineCounts], status: OrderStatus) -> None:
    assert order_status(lines) == status


@given(st.lists(counts(), min_size=1, max_size=5))
def test_every_order_has_one_status(lines: list[LineCounts]) -> None:
    status = order_status(lines)
    wanted = sum(line.backordered + line.allocated for line in lines)
    assert (status in (OrderStatus.SHIPPED, OrderStatus.CANCELLED)) == (wanted == 0)
    assert len(lines) > 1 or line_status(lines[0]).value == status.value


@given(counts(), st.integers(0, 3))
def test_what_happens_to_units_is_a_legal_change(line: LineCounts, kind: int) -> None:
    """Promising, shipping, giving up a promise, and cancelling one unit."""
    changes = [(1, 0, 0), (-1, 1, 0), (-1, 0, 0), (0, 0, 1)]
    allocated, shipped, cancelled = changes[kind]
    if (line.backordered if kind in (0, 3) else line.allocated) < 1:
        return
    then = LineCounts(line.quantity, line.allocated + allocated, line.shipped + shipped, line.cancelled + cancelled)
    check_order_change(order_status([line]), order_status([then]))
    check_line_change(line, then)


BECOMES = """
                  BACKORDERED PARTLY_ALLOCATED ALLOCATED PARTLY_SHIPPED SHIPPED CANCELLED
BACKORDERED       yes         yes              yes       yes            yes     yes
PARTLY_ALLOCATED  yes         yes              yes       yes            yes     yes
ALLOCATED         yes         yes              yes       yes            yes     yes
PARTLY_SHIPPED    no          no               no        yes            yes     no
SHIPPED           no          no               no        yes            yes     no
CANCELLED         no          no               no        no             no      yes
"""
"""What an order of each status may become."""
PAID_BACK = """
          PENDING PAID REFUNDED
PENDING   yes     yes  yes
PAID      no      yes  yes
REFUNDED  no      no   yes
"""
LINES_BECOME = """
                  BACKORDERED PARTLY_ALLOCATED ALLOCATED PARTLY_SHIPPED SHIPPED CANCELLED
BACKORDERED       yes         yes              yes       yes            yes     yes
PARTLY_ALLOCATED  yes         yes              yes       yes            yes     yes
ALLOCATED         yes         yes              yes       yes            yes     yes
PARTLY_SHIPPED    no          no               no        yes            yes     no
SHIPPED           no          no               no        yes            yes     no
CANCELLED         yes         yes              yes       no             no      yes
"""
MAY = """
                RELEASE ACCEPT REJECT TIME_OUT VACATE START_PICKING PICK PACK SHIP HOLD UNHOLD MOVE SPLIT CANCEL
SCHEDULED       yes     no     no     no       yes    no            no   no   no   yes  yes    yes  yes   yes
RELEASED        no      yes    yes    yes      yes    no            no   no   no   yes  yes    yes  yes   yes
ACCEPTED        no      no     yes    no       no     yes           no   no   yes  yes  yes    yes  yes   yes
PICKING         no      no     yes    no       no     no            yes  no   yes  yes  yes    no   no    yes
PICKED          no      no     yes    no       no     no            no   yes  yes  yes  yes    no   no    yes
PACKED          no      no     yes    no       no     no            no   no   yes  yes  yes    no   no    yes
PARTLY_SHIPPED  no      no     yes    no       no     yes           no   no   yes  yes  yes    no   no    yes
SHIPPED         no      no     no     no       no     no            no   no   no   no   no     no   no    no
REJECTED        no      no     no     no       no     no            no   no   no   no   no     no   no    no
CANCELLED       no      no     no     no       no     no            no   no   no   no   no     no   no    no
"""
"""What may be done to a fulfilment order of each status that is not held."""


def read_table(text: str) -> dict[tuple[str, str], bool]:
    head, *rows = (line.split() for line in text.strip().splitlines())
    return {(row[0], name): said == "yes" for row in rows for name, said in zip(head, row[1:], strict=True)}


def is_allowed(check: Callable[[], None]) -> bool:
    try:
        check()
    except Refusal as refusal:
        if refusal.code != RefusalCode.WRONG_STATE:
            raise
        return False
    return True


def test_each_status_becomes_what_the_table_says() -> None:
    found = {
        (now.value, then.value): is_allowed(partial(check_order_change, now, then))
        for now, then in itertools.product(OrderStatus, repeat=2)
    }
    assert found == read_table(BECOMES)


def test_each_line_becomes_what_the_table_says() -> None:
    made = {
        LineStatus.BACKORDERED: LineCounts(4),
        LineStatus.PARTLY_ALLOCATED: LineCounts(4, allocated=1),
        LineStatus.ALLOCATED: LineCounts(4, allocated=4),
        LineStatus.PARTLY_SHIPPED: LineCounts(4, shipped=1),
        LineStatus.SHIPPED: LineCounts(4, shipped=4),
        LineStatus.CANCELLED: LineCounts(4, cancelled=4),
    }
    assert {status: line_status(line) for status, line in made.items()} == {status: status for status in LineStatus}
    found = {
        (now.value, then.value): is_allowed(partial(check_line_change, made[now], made[then]))
        for now, then in itertools.product(LineStatus, repeat=2)
    }
    assert found == read_table(LINES_BECOME)


def test_each_payment_becomes_what_the_table_says() -> None:
    pairs = itertools.product(Payment, repeat=2)
    assert {(now.value, then.value): then in PAYMENTS[now] for now, then in pairs} == read_table(PAID_BACK)


def test_each_action_goes_with_the_statuses_of_the_table() -> None:
    found = {
        (status.value, action.value): is_allowed(partial(check_action, status, action, held=False))
        for status, action in itertools.product(FulfillmentStatus, FulfillmentAction)
    }
    assert found == read_table(MAY)


def test_a_held_one_is_let_go_first() -> None:
    check_action(FulfillmentStatus.ACCEPTED, FulfillmentAction.SHIP, held=False)
    for action in FulfillmentAction:
        status = next(iter(ALLOWED[action]))
        if action in {
            *(FulfillmentAction.HOLD, FulfillmentAction.UNHOLD),
            *(FulfillmentAction.CANCEL, FulfillmentAction.REJECT),
        }:
            check_action(status, action, held=True)
            continue
        with pytest.raises(Refusal, match="held"):
            check_action(status, action, held=True)
