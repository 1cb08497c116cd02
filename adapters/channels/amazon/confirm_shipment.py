"""Tell Amazon that a parcel left. A refusal is checked against the order: the reply to an earlier try may be lost."""

from __future__ import annotations

import hashlib
from typing import Any

from adapters.channels.amazon.call_api import AmazonApi, write_path
from adapters.channels.amazon.pull_orders import read_raw_order, write_time
from adapters.channels.base import Shipment, WriteOutcome, WriteResult
from domain.errors import CauseClass, Fault

PACKAGE_NUMBERS = 10**9


def number_package(key: str) -> str:
    """Amazon's package reference is a positive number; the same shipment must always give the same one."""
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return str(1 + int.from_bytes(digest) % (PACKAGE_NUMBERS - 1))


async def confirm_shipment(api: AmazonApi, shipment: Shipment) -> WriteResult:
    """Raises `Fault` when it is not known whether Amazon took it: try again with the same shipment."""
    try:
        await api.call(
            "confirmShipment",
            "POST",
            write_path("orders", "v0", "orders", shipment.order_external_id, "shipmentConfirmation"),
            body=render_shipment(api, shipment),
        )
    except Fault as fault:
        if fault.transient or fault.cause is CauseClass.AUTH:
            raise
        return await _explain(api, shipment, fault)
    return WriteResult(WriteOutcome.OK)


def render_shipment(api: AmazonApi, shipment: Shipment) -> dict[str, Any]:
    code = api.connection.carriers.get(shipment.carrier.strip().lower())
    package: dict[str, Any] = {
        "packageReferenceId": number_package(shipment.key),
        "carrierCode": code or "Other",
        "trackingNumber": shipment.tracking_number,
        "shipDate": write_time(shipment.shipped_at),
        "orderItems": [{"orderItemId": line, "quantity": quantity} for line, quantity in shipment.lines],
    }
    if code is None:
        package["carrierName"] = shipment.carrier
    return {"marketplaceId": api.connection.marketplace_id, "packageDetail": package}


async def _explain(api: AmazonApi, shipment: Shipment, fault: Fault) -> WriteResult:
    """OK when the order already has this parcel; otherwise why it was refused."""
    order = await read_raw_order(api, shipment.order_external_id, "FULFILLMENT,PACKAGES")
    refusal = WriteResult(WriteOutcome.REFUSED, str(fault), fault.cause)
    if order is None:
        return refusal
    packages: Any = order.get("packages") or []
    if any(package.get("trackingNumber") == shipment.tracking_number for package in packages):
        return WriteResult(WriteOutcome.OK, "Amazon already has this parcel.")
    fulfillment: Any = order.get("fulfillment") or {}
    if fulfillment.get("fulfillmentStatus") == "CANCELLED":
        return WriteResult(WriteOutcome.REFUSED, "The order was cancelled at Amazon.", CauseClass.POLICY)
    return refusal
