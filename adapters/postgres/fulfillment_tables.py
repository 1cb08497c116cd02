"""Work at a warehouse and work done: fulfilment orders, pick lists, bins and shipments.

A fulfilment order carries what is promised to an order from one warehouse. What it still binds of a line is
`quantity - shipped - cancelled - short`; summed over the lines of a SKU in a warehouse that is the ledger's
`committed`.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

from adapters.postgres.metadata import created_at, metadata

ENDED = "'SHIPPED', 'REJECTED', 'CANCELLED'"

fulfillment_orders = Table(
    "fulfillment_orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("day", Date),
    Column("release_at", DateTime(timezone=True)),
    Column("released_at", DateTime(timezone=True)),
    Column("accept_by", DateTime(timezone=True)),
    Column("ship_by", DateTime(timezone=True)),
    Column("hold_reason", Text),
    Column("reject_reason", Text),
    Column("asked_again_at", DateTime(timezone=True)),
    Column("cancel_requested_at", DateTime(timezone=True)),
    Column("address_changed_at", DateTime(timezone=True)),
    Column("assignee", Text),
    Column("version", BigInteger, nullable=False, server_default="1"),
    created_at(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint(
        f"status IN ('SCHEDULED', 'RELEASED', 'ACCEPTED', 'PICKING', 'PICKED', 'PACKED', 'PARTLY_SHIPPED', {ENDED})",
        name="status",
    ),
    Index("ix_fulfillment_orders_order_id", "order_id"),
    Index("ix_fulfillment_orders_open", "warehouse_id", "id", postgresql_where=text(f"status NOT IN ({ENDED})")),
    Index("ix_fulfillment_orders_scheduled", "release_at", postgresql_where=text("status = 'SCHEDULED'")),
    Index(
        "ix_fulfillment_orders_cancel_requested_at",
        "cancel_requested_at",
        postgresql_where=text("cancel_requested_at IS NOT NULL"),
    ),
    Index("ix_fulfillment_orders_accept_by", "accept_by", postgresql_where=text("status = 'RELEASED'")),
    postgresql_with={"fillfactor": "70"},
)

fulfillment_order_lines = Table(
    "fulfillment_order_lines",
    metadata,
    Column("fulfillment_order_id", Uuid, ForeignKey("fulfillment_orders.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("sku_id", Integer, ForeignKey("skus.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("picked", Integer, nullable=False, server_default="0"),
    Column("shipped", Integer, nullable=False, server_default="0"),
    Column("cancelled", Integer, nullable=False, server_default="0"),
    Column("short", Integer, nullable=False, server_default="0"),
    Column("cancel_requested", Integer, nullable=False, server_default="0"),
    CheckConstraint("cancel_requested >= 0", name="cancel_requested"),
    PrimaryKeyConstraint("fulfillment_order_id", "line"),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint(
        "picked >= 0 AND shipped >= 0 AND cancelled >= 0 AND short >= 0 AND shipped + cancelled + short <= quantity "
        "AND picked <= quantity AND shipped <= picked",
        name="promised",
    ),
    Index("ix_fulfillment_order_lines_sku_id", "sku_id"),
    postgresql_with={"fillfactor": "80"},
)

zones = Table(
    "zones",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("code", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="PICK"),
    Column("sequence", Integer, nullable=False, server_default="0"),
    UniqueConstraint("warehouse_id", "code"),
    CheckConstraint("kind IN ('PICK', 'BULK', 'RECEIVING', 'RETURNS', 'QUARANTINE')", name="kind"),
)

bins = Table(
    "bins",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("zone_id", Integer, ForeignKey("zones.id"), nullable=False),
    Column("code", Text, nullable=False),
    Column("sequence", Integer, nullable=False, server_default="0"),
    Column("capacity_ml", BigInteger),
    Column("status", Text, nullable=False, server_default="ACTIVE"),
    UniqueConstraint("warehouse_id", "code"),
    CheckConstraint("status IN ('ACTIVE', 'BLOCKED')", name="status"),
    CheckConstraint("capacity_ml >= 0", name="capacity_ml"),
)

bin_contents = Table(
    "bin_contents",
    metadata,
    Column("bin_id", Integer, ForeignKey("bins.id"), nullable=False),
    Column("sku_id", Integer, ForeignKey("skus.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("bin_id", "sku_id"),
    CheckConstraint("quantity >= 0", name="quantity"),
    Index("ix_bin_contents_sku_id", "sku_id"),
)

pick_lists = Table(
    "pick_lists",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("status", Text, nullable=False, server_default="OPEN"),
    Column("created_by", Text, nullable=False),
    created_at(),
    Column("ended_at", DateTime(timezone=True)),
    CheckConstraint("status IN ('OPEN', 'DONE', 'CANCELLED')", name="status"),
    Index("ix_pick_lists_warehouse_id_id", "warehouse_id", "id"),
)

pick_list_orders = Table(
    "pick_list_orders",
    metadata,
    Column("pick_list_id", Uuid, ForeignKey("pick_lists.id"), nullable=False),
    Column("fulfillment_order_id", Uuid, ForeignKey("fulfillment_orders.id"), nullable=False),
    Column("position", Integer, nullable=False),
    PrimaryKeyConstraint("pick_list_id", "fulfillment_order_id"),
    Index("ix_pick_list_orders_fulfillment_order_id", "fulfillment_order_id"),
)

fulfillments = Table(
    "fulfillments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("fulfillment_order_id", Uuid, ForeignKey("fulfillment_orders.id"), nullable=False),
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("carrier", Text, nullable=False),
    Column("tracking_number", Text, nullable=False),
    Column("shipped_at", DateTime(timezone=True), nullable=False),
    Column("delivery", Text, nullable=False, server_default="SHIPPED"),
    Column("delivered_at", DateTime(timezone=True)),
    Column("confirmation", Text, nullable=False, server_default="PENDING"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", DateTime(timezone=True), server_default=func.now()),
    Column("confirmed_at", DateTime(timezone=True)),
    Column("external_id", Text),
    Column("error", Text),
    created_at(),
    CheckConstraint(
        "delivery IN ('SHIPPED', 'IN_TRANSIT', 'OUT_FOR_DELIVERY', 'DELIVERED', 'FAILED')", name="delivery"
    ),
    CheckConstraint("confirmation IN ('PENDING', 'CONFIRMED', 'REFUSED', 'NOT_NEEDED')", name="confirmation"),
    Index("ix_fulfillments_order_id", "order_id"),
    Index("ix_fulfillments_fulfillment_order_id", "fulfillment_order_id"),
    Index("ix_fulfillments_pending", "next_attempt_at", postgresql_where=text("confirmation = 'PENDING'")),
)

fulfillment_lines = Table(
    "fulfillment_lines",
    metadata,
    Column("fulfillment_id", Uuid, ForeignKey("fulfillments.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    PrimaryKeyConstraint("fulfillment_id", "line"),
    CheckConstraint("quantity > 0", name="quantity"),
)
