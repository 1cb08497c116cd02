"""Have the store pay a refund, once, and never have it put the units back on sale: the warehouse has counted them.

A return that is open in the store is processed there (`returnProcess`, with no disposition); anything else is a
refund of the order (`refundCreate`, `NO_RESTOCK`). What the store shows already is read first. `refundCreate` has a
key of its own; `returnProcess` has none, and cannot process the same units twice. Refusals, in this order: no such
order, more payments than are read, another currency, more than is left of what was paid, whatever the store answers.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from adapters.channels.base import WriteOutcome, WriteResult
from adapters.channels.returns import Refund
from adapters.channels.shopify.client import ShopifyClient
from adapters.channels.shopify.read_refunds import (
    OrderMoney,
    find_refund,
    read_money,
    read_processable,
    read_refundable,
    write_mark,
)
from domain.errors import CauseClass

TRIES = 3
"""Each after a look at what the store shows by then; a key that was refused is never used again."""
LINES_MAX = 250
MUTATION_COST = 10
_CREATE = """
mutation IssueRefund($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) {
    refund { id }
    userErrors { field message }
  }
}
"""
_PROCESS = """
mutation ProcessReturn($input: ReturnProcessInput!) {
  returnProcess(input: $input) {
    return { id }
    userErrors { code field message }
  }
}
"""
Share = tuple[str, str, Decimal]


async def issue_refund(client: ShopifyClient, refund: Refund, *, notify: bool) -> WriteResult:
    """Safe to call again at any time. `notify`: the store tells the buyer. Raises `Fault`."""
    problem, key = "", f"{refund.key}.{refund.amount}"
    for _ in range(TRIES):
        # The return before the money: what is processed in between is seen in the money.
        parts = await read_processable(client, refund.return_external_id or "")
        money = await read_money(client, refund.order_external_id)
        if money is None:
            return _refuse("The store does not know the order.", CauseClass.MAPPING)
        found = find_refund(money, refund)
        if found is not None:
            return found
        refusal = _check_money(money, refund)
        if refusal is not None:
            return refusal
        shares = _share(money, refund.amount)
        given = _plan(refund, parts)
        if given:
            problem = await _process(client, refund, given, shares, money.currency, notify=notify)
        else:
            problem = await _create(client, refund, shares, money.currency, key, notify=notify)
            key = str(uuid.uuid4())
    if not problem:  # taken, and not shown yet
        return WriteResult(WriteOutcome.ACCEPTED)
    return _refuse(f"The store refused the refund: {problem}", CauseClass.VALIDATION)


async def look_refund(client: ShopifyClient, refund: Refund) -> WriteResult | None:
    """What the store shows of it; None for nothing. Raises `Fault`."""
    money = await read_money(client, refund.order_external_id)
    return None if money is None else find_refund(money, refund)


def _refuse(message: str, cause: CauseClass) -> WriteResult:
    return WriteResult(WriteOutcome.REFUSED, message, cause)


def _check_money(money: OrderMoney, refund: Refund) -> WriteResult | None:
    if not money.whole:
        return _refuse("The order has more payments than Onhand reads: pay it in the store.", CauseClass.POLICY)
    if money.currency != refund.currency:
        message = f"The buyer paid in {money.currency}: say the refund in it, not in {refund.currency}."
        return _refuse(message, CauseClass.VALIDATION)
    left = sum((payment.left for payment in money.payments), Decimal(0))
    if left < refund.amount:
        message = f"{left} {money.currency} of the order's payments are left to pay back, not {refund.amount}."
        return _refuse(message, CauseClass.POLICY)
    return None


def _share(money: OrderMoney, amount: Decimal) -> list[Share]:
    """(payment, gateway, amount) of each payment that gives some of it, the one with most first."""
    missing, shares = amount, []
    for payment in sorted(money.payments, key=lambda payment: -payment.left):
        part = min(missing, payment.left)
        if part > 0:
            shares.append((payment.id, payment.gateway, part))
            missing -= part
    return shares


def _plan(refund: Refund, parts: Sequence[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """Lines of the store's return that this refund is about."""
    wanted = Counter(dict(refund.lines))
    planned = []
    for part, line, processable in parts:
        units = min(wanted[line], processable)
        if units > 0:
            wanted[line] -= units
            planned.append({"id": part, "quantity": units})
    return planned


async def _process(
    client: ShopifyClient,
    refund: Refund,
    lines: list[dict[str, Any]],
    shares: Sequence[Share],
    currency: str,
    *,
    notify: bool,
) -> str:
    """What is wrong with it; empty when the store took it."""
    back = [
        {"parentId": payment, "transactionAmount": {"amount": str(amount), "currencyCode": currency}}
        for payment, _, amount in shares
    ]
    given = {
        "returnId": refund.return_external_id,
        "returnLineItems": lines,
        "financialTransfer": {"issueRefund": {"orderTransactions": back}},
        "notifyCustomer": notify,
        "note": refund.label,
    }
    answer = (await client.call(_PROCESS, {"input": given}, cost=MUTATION_COST))["returnProcess"]
    return _say(answer["userErrors"])


async def _create(
    client: ShopifyClient, refund: Refund, shares: Sequence[Share], currency: str, key: str, *, notify: bool
) -> str:
    """What is wrong with it; empty when the store took it."""
    wanted = [(line, units) for line, units in refund.lines if units > 0][:LINES_MAX]
    left = await read_refundable(client, [line for line, _ in wanted])
    lines = [
        {"lineItemId": line, "quantity": min(units, left.get(line, 0)), "restockType": "NO_RESTOCK"}
        for line, units in wanted
        if left.get(line, 0) > 0
    ]
    back = [
        {
            "orderId": refund.order_external_id,
            "parentId": payment,
            "gateway": gateway,
            "kind": "REFUND",
            "amount": str(amount),
        }
        for payment, gateway, amount in shares
    ]
    given = {
        "orderId": refund.order_external_id,
        "currency": currency,
        "note": f"{refund.label} {write_mark(refund)}",
        "notify": notify,
        "refundLineItems": lines,
        "transactions": back,
    }
    answer = (await client.call(_CREATE, {"input": given, "key": key}, cost=MUTATION_COST))["refundCreate"]
    return _say(answer["userErrors"])


def _say(errors: list[dict[str, Any]]) -> str:
    """Each with where in what was sent it is."""
    return "; ".join(f"{'.'.join(error['field'] or ())}: {error['message']}".lstrip(": ") for error in errors)
