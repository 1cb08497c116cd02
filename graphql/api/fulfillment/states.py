"""The states of fulfilment orders and parcels as enums of the schema, made once for everybody who shows them."""

from __future__ import annotations

import strawberry

from domain.fulfillment import Delivery as Delivery
from domain.fulfillment import FulfillmentStatus as FulfillmentStatus
from domain.fulfillment import RejectReason as RejectReason

strawberry.enum(
    FulfillmentStatus,
    description="SCHEDULED: promised, not yet given to the warehouse. RELEASED: there, nobody has taken it on. "
    "REJECTED and CANCELLED: what it was to ship is promised elsewhere, or not wanted any more.",
)
strawberry.enum(
    RejectReason,
    description="NOT_IN_STOCK: the units are not there, and leave the ledger. DAMAGED: they are damaged, "
    "and sold no more. After any other they are available.",
)
strawberry.enum(Delivery, name="DeliveryStatus", description="What the carrier said last.")
