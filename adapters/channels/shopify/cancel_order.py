"""Have the store cancel units that we shall not ship: the whole order, or some of it by an order edit.

What the store names already is read first, so that nothing is told twice. Units that were shipped and came back are
named no more: what was shipped and what is still to be shipped say together what it has left. It is never to put the
units back on sale by itself (`restock`): their number is published as every other one is, and would count twice. A
whole order's payment goes back the way it came; after an edit, which is all that an order with parcels can have, the
store shows what it owes the buyer. Refusals, in this order: no such order, more than the store lets be taken away,
whatever it answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.channels.base import ChannelOrder, WriteOutcome, WriteResult
from adapters.channels.shopify.client import ShopifyClient
from adapters.channels.shopify.pull_orders import pull_order
from adapters.channels.shopify.read_parcels import read_shipped
from domain.cancellations import Cancellation, CancelReason
from domain.errors import CauseClass

TRIES = 2
"""The second after a refusal, with what the store shows by then."""
MUTATION_COST = 10
LINES_MAX = 250
"""Of an order that can be edited: as many as one page shows."""
REASONS = {
    CancelReason.SELLER: "OTHER",
    CancelReason.BUYER: "CUSTOMER",
    CancelReason.STOCK: "INVENTORY",
    CancelReason.FRAUD: "FRAUD",
}
_CANCEL = """
mutation CancelOrder($id: ID!, $reason: OrderCancelReason!, $notify: Boolean!) {
  orderCancel(orderId: $id, reason: $reason, notifyCustomer: $notify, refund: true, restock: false) {
    job { id done }
    orderCancelUserErrors { field message code }
  }
}
"""
_BEGIN = """
mutation BeginEdit($id: ID!, $first: Int!) {
  orderEditBegin(id: $id) {
    calculatedOrder { id lineItems(first: $first) { nodes { id quantity editableQuantity } } }
    userErrors { field message }
  }
}
"""
_SET = """
mutation EditLine($id: ID!, $line: ID!, $quantity: Int!) {
  orderEditSetQuantity(id: $id, lineItemId: $line, quantity: $quantity, restock: false) { userErrors { field message } }
}
"""
_COMMIT = """
mutation CommitEdit($id: ID!, $notify: Boolean!) {
  orderEditCommit(id: $id, notifyCustomer: $notify) { userErrors { field message } }
}
"""


async def cancel_order(client: ShopifyClient, cancellation: Cancellation, *, notify: bool) -> WriteResult:
    """`ACCEPTED` for a whole order: the store does it in a job of its own. Raises `Fault`."""
    problem = ""
    for _ in range(TRIES):
        # Parcels first: one that leaves between the two reads then counts as nothing, and not twice.
        parcels = await read_shipped(client, cancellation.order_external_id)
        order = await pull_order(client, cancellation.order_external_id)
        if order is None or parcels is None:
            return _refuse("The store does not know the order.", CauseClass.MAPPING)
        cuts = _plan(order, parcels.shipped, cancellation)
        if order.cancelled or not cuts:
            return WriteResult(WriteOutcome.OK)
        if not parcels.shipped and sum(line.quantity for line in order.lines) == sum(cuts.values()):
            problem = await _cancel_whole(client, cancellation, notify=notify)
            if not problem:
                return WriteResult(WriteOutcome.ACCEPTED)
        else:
            problem = await _edit(client, order.external_id, cuts, notify=notify)
            if not problem:
                return WriteResult(WriteOutcome.OK)
    return _refuse(f"The store refused the cancellation: {problem}", CauseClass.VALIDATION)


def _refuse(message: str, cause: CauseClass) -> WriteResult:
    return WriteResult(WriteOutcome.REFUSED, message, cause)


def _plan(order: ChannelOrder, shipped: Mapping[str, int], cancellation: Cancellation) -> dict[str, int]:
    """Units to take from each line: what the store still has of them. What was added meanwhile stays."""
    named = {
        line.external_id: max(line.quantity, shipped.get(line.external_id, 0) + (line.unshipped or 0))
        for line in order.lines
    }
    cuts = {
        one.external_id: min(one.units, named.get(one.external_id, 0) - one.left)
        for one in cancellation.lines
        if named.get(one.external_id, 0) > one.left
    }
    return {line: units for line, units in cuts.items() if units > 0}


async def _cancel_whole(client: ShopifyClient, cancellation: Cancellation, *, notify: bool) -> str:
    """What is wrong with it; empty when the store took it."""
    given = {"id": cancellation.order_external_id, "reason": REASONS[cancellation.reason], "notify": notify}
    payload = (await client.call(_CANCEL, given, cost=MUTATION_COST))["orderCancel"]
    return _say(payload["orderCancelUserErrors"])


async def _edit(client: ShopifyClient, order_id: str, cuts: Mapping[str, int], *, notify: bool) -> str:
    """What is wrong with it; empty when the store took it. Nothing is changed before the last call of an edit."""
    given: dict[str, Any] = {"id": order_id, "first": LINES_MAX}
    begun = (await client.call(_BEGIN, given, cost=MUTATION_COST))["orderEditBegin"]
    if begun["calculatedOrder"] is None or begun["userErrors"]:
        return _say(begun["userErrors"]) or "no edit was begun"
    edit_id = begun["calculatedOrder"]["id"]
    # A line of an edit has the number of the order's line under another name.
    lines = {_number(node["id"]): node for node in begun["calculatedOrder"]["lineItems"]["nodes"]}
    for line, units in cuts.items():
        found = lines.get(_number(line))
        if found is None or found["editableQuantity"] < units:
            return f"{units} units of line {_number(line)} cannot be taken away any more"
        given = {"id": edit_id, "line": found["id"], "quantity": found["quantity"] - units}
        problem = _say((await client.call(_SET, given, cost=MUTATION_COST))["orderEditSetQuantity"]["userErrors"])
        if problem:
            return problem
    done = await client.call(_COMMIT, {"id": edit_id, "notify": notify}, cost=MUTATION_COST)
    return _say(done["orderEditCommit"]["userErrors"])


def _number(gid: str) -> str:
    return gid.rpartition("/")[2]


def _say(errors: list[dict[str, Any]]) -> str:
    return "; ".join(error["message"] for error in errors)
