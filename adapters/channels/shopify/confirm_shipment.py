"""Tell the store what a parcel holds, once: what it has under the tracking number already is not told again.

A parcel's lines may lie in several fulfilment orders; those at one location go into one call. Refusals, in this order:
no lines, no tracking number, no such order, cancelled, not routed yet (worth another try), not to be shipped.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.channels.base import Shipment, WriteOutcome, WriteResult
from adapters.channels.shopify.client import ShopifyClient
from adapters.channels.shopify.read_parcels import read_shipped
from adapters.channels.shopify.read_parts import Share, list_shares
from domain.errors import CauseClass

TRIES = 2
"""The second after a refusal, with what the store shows by then."""
LINES_MAX = 250
"""In one call; the vendor takes 512 of a fulfilment order, and 250 in most other lists."""
ROUTING_SECONDS = 2.0
"""The store makes fulfilment orders some time after the order."""
CREATE_COST = 10
_CREATE = """
mutation ConfirmShipment($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id }
    userErrors { field message }
  }
}
"""
Parcel = list[tuple[Share, int]]


async def confirm_shipment(client: ShopifyClient, shipment: Shipment, *, notify: bool) -> WriteResult:
    """Safe to call again at any time. `notify`: the store tells the buyer. Raises `Fault`."""
    wanted = Counter({line: units for line, units in shipment.lines if units > 0})
    number = shipment.tracking_number.strip()
    if not wanted or not number:
        missing = "lines" if not wanted else "a tracking number, by which it is told only once"
        return _refuse(f"The parcel needs {missing}.", CauseClass.VALIDATION)
    problem = ""
    for _ in range(TRIES):
        known = await read_shipped(client, shipment.order_external_id, number)
        if known is None:
            return _refuse("The store does not know the order.", CauseClass.MAPPING)
        left = wanted - known.shipped
        if not left:
            return WriteResult(WriteOutcome.OK)
        if known.cancelled:
            return _refuse("The order was cancelled before its parcel was confirmed.", CauseClass.POLICY)
        shares = await list_shares(client, shipment.order_external_id)
        if not shares:
            return WriteResult(
                WriteOutcome.TRANSIENT, "The store has not routed the order.", None, None, ROUTING_SECONDS
            )
        refusal = _check_shares(left, shares)
        if refusal is not None:
            return refusal
        problem = await _send(client, shipment, number, _plan(left, shares), notify=notify)
        if not problem:
            return WriteResult(WriteOutcome.OK)
    return _refuse(f"The store refused the parcel: {problem}", CauseClass.VALIDATION)


def _refuse(message: str, cause: CauseClass) -> WriteResult:
    return WriteResult(WriteOutcome.REFUSED, message, cause)


def _check_shares(left: Counter[str], shares: Sequence[Share]) -> WriteResult | None:
    """Why the units cannot be told now, or None."""
    lacking = left - _sum_shares(share for share in shares if share.open)
    if not lacking:
        return None
    units = sum(lacking.values())
    if not lacking - _sum_shares(share for share in shares if not share.open):
        return _refuse(f"The store holds back {units} units of the parcel: release them there.", CauseClass.POLICY)
    message = f"{units} units of the parcel are not to be shipped any more: cancelled, or shipped by somebody else."
    return _refuse(message, CauseClass.POLICY)


def _sum_shares(shares: Any) -> Counter[str]:
    found: Counter[str] = Counter()
    for share in shares:
        found[share.line] += share.remaining
    return found


def _plan(left: Mapping[str, int], shares: Sequence[Share]) -> list[Parcel]:
    """Calls of one location each; the location that can give the most comes first."""
    by_location: dict[str, list[Share]] = defaultdict(list)
    for share in shares:
        if share.open:
            by_location[share.location].append(share)
    missing = dict(left)
    plan: list[Parcel] = []
    for location in sorted(by_location, key=lambda name: -_count_useful(left, by_location[name])):
        taken: Parcel = []
        for share in by_location[location]:
            units = min(share.remaining, missing.get(share.line, 0))
            if units:
                missing[share.line] -= units
                taken.append((share, units))
        plan += [taken[start : start + LINES_MAX] for start in range(0, len(taken), LINES_MAX)]
    return plan


def _count_useful(left: Mapping[str, int], shares: Sequence[Share]) -> int:
    return sum(min(share.remaining, left.get(share.line, 0)) for share in shares)


async def _send(client: ShopifyClient, shipment: Shipment, number: str, plan: Sequence[Parcel], *, notify: bool) -> str:
    """What the store said against it; empty when it took everything."""
    for parcel in plan:
        by_part: dict[str, list[dict[str, Any]]] = defaultdict(list)
        for share, units in parcel:
            by_part[share.part].append({"id": share.id, "quantity": units})
        given = {
            "lineItemsByFulfillmentOrder": [
                {"fulfillmentOrderId": part, "fulfillmentOrderLineItems": lines} for part, lines in by_part.items()
            ],
            "trackingInfo": {"number": number, "company": shipment.carrier or None},
            "notifyCustomer": notify,
        }
        answer = (await client.call(_CREATE, {"fulfillment": given}, cost=CREATE_COST))["fulfillmentCreate"]
        if answer["userErrors"]:
            return "; ".join(error["message"] for error in answer["userErrors"])[:300]
    return ""
