"""Tell eBay that a parcel is on its way: one shipping fulfillment for each, and never two for one.

eBay takes the same parcel twice without a word, and a lost reply leaves open whether it was taken. So what is there
is read first, before every try, and after a reply that got lost.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from adapters.channels.base import Shipment, Throttled, WriteOutcome, WriteResult
from adapters.channels.ebay.announce_limits import FULFILLMENT
from adapters.channels.ebay.client import EbayClient
from adapters.channels.ebay.read_errors import EbayFault
from adapters.channels.ebay.read_order import PATH
from adapters.channels.ebay.read_time import write_time
from adapters.channels.ebay.request import Request, as_object
from domain.errors import CauseClass, Fault


async def confirm_shipment(client: EbayClient, shipment: Shipment) -> WriteResult:
    """`TRANSIENT` when it is still not known. Raises `Fault` when the order could not be read at first, or for AUTH."""
    path = f"{PATH}/{quote(shipment.order_external_id, safe='')}/shipping_fulfillment"
    known = await _find_fulfillment(client, path, shipment)
    if known is not None:
        return _done(known)
    try:
        reply = await client.call(Request("POST", path, FULFILLMENT, body=_write_fulfillment(shipment)))
    except EbayFault as fault:
        if fault.cause is CauseClass.AUTH:
            raise
        return _result_of(fault)
    except Throttled as throttled:
        return WriteResult(
            WriteOutcome.TRANSIENT, str(throttled), CauseClass.QUOTA, wait_seconds=throttled.wait_seconds
        )  # fmt: skip
    except Fault as fault:
        return await _resolve_lost_reply(client, path, shipment, fault)
    return _done((reply.location or "").rpartition("/")[2])


async def _resolve_lost_reply(client: EbayClient, path: str, shipment: Shipment, lost: Fault) -> WriteResult:
    try:
        known = await _find_fulfillment(client, path, shipment)
    except Fault:
        known = None
    return _result_of(lost) if known is None else _done(known)


async def _find_fulfillment(client: EbayClient, path: str, shipment: Shipment) -> str | None:
    """The id of this parcel's fulfillment, if eBay has it. Raises `Fault`."""
    reply = await client.call(Request("GET", path, FULFILLMENT))
    raw = as_object(reply.body).get("fulfillments") or []
    entries = [entry for entry in raw if isinstance(entry, dict)]
    return next((str(entry.get("fulfillmentId")) for entry in entries if _is_same(entry, shipment)), None)


def _is_same(entry: dict[str, Any], shipment: Shipment) -> bool:
    """The same tracking number and the same units: lines may follow in another fulfillment of the same parcel."""
    lines = {(str(line.get("lineItemId")), line.get("quantity")) for line in entry.get("lineItems") or []}
    tracking = write_tracking(str(entry.get("shipmentTrackingNumber") or ""))
    return tracking == write_tracking(shipment.tracking_number) and set(shipment.lines) == lines


def _write_fulfillment(shipment: Shipment) -> dict[str, Any]:
    body: dict[str, Any] = {
        "lineItems": [{"lineItemId": line_id, "quantity": units} for line_id, units in shipment.lines],
        "shippedDate": write_time(shipment.shipped_at),
    }
    tracking = write_tracking(shipment.tracking_number)
    if tracking:  # the two belong together: eBay takes both or none
        body |= {"shippingCarrierCode": shipment.carrier, "trackingNumber": tracking}
    return body


def write_tracking(number: str) -> str:
    """Letters and digits only: eBay takes neither spaces nor hyphens."""
    return "".join(sign for sign in number if sign.isascii() and sign.isalnum()).upper()


def _done(fulfillment_id: str) -> WriteResult:
    return WriteResult(WriteOutcome.OK, f"Shipping fulfillment {fulfillment_id}.")


def _result_of(fault: Fault) -> WriteResult:
    """A 409 is eBay's answer to a parcel whose order was cancelled meanwhile: read the order."""
    if isinstance(fault, EbayFault) and fault.status == 409:
        return WriteResult(WriteOutcome.REFUSED, str(fault), CauseClass.POLICY)
    outcome = WriteOutcome.TRANSIENT if fault.transient else WriteOutcome.REFUSED
    return WriteResult(outcome, str(fault), fault.cause)
