"""Orders of every channel, who they go to, and how each was routed.

What an order still wants of a line is `quantity - cancelled - shipped - allocated`; the database refuses that anything
is promised beyond it. Names and addresses live apart, sealed, and are erased without touching the order.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

from adapters.postgres.metadata import created_at, metadata

orders = Table(
    "orders",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("channel_id", Integer, ForeignKey("channels.id"), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("name", Text),
    Column("status", Text, nullable=False),
    Column("payment", Text, nullable=False, server_default="PAID"),
    Column("hold_reason", Text),
    Column("cancel_requested_at", DateTime(timezone=True)),
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("ship_by", DateTime(timezone=True)),
    Column("deliver_by", DateTime(timezone=True)),
    # What the channel said last, where another date was agreed on since; else NULL.
    Column("told_ship_by", DateTime(timezone=True)),
    Column("told_deliver_by", DateTime(timezone=True)),
    Column("destination", JSON),
    Column("total", Numeric(14, 4)),
    Column("currency", String(3)),
    Column("channel_version", BigInteger),
    Column("problem", Text),
    Column("exchange_of", Uuid, ForeignKey("orders.id")),
    Column("channel_knows", Boolean, nullable=False, server_default=text("true")),
    Column("reroute_at", DateTime(timezone=True)),
    Column("version", BigInteger, nullable=False, server_default="1"),
    created_at(),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("channel_id", "external_id"),
    CheckConstraint(
        "status IN ('BACKORDERED', 'PARTLY_ALLOCATED', 'ALLOCATED', 'PARTLY_SHIPPED', 'SHIPPED', 'CANCELLED')",
        name="status",
    ),
    CheckConstraint("payment IN ('PENDING', 'PAID', 'REFUNDED')", name="payment"),
    CheckConstraint("exchange_of <> id", name="exchange"),
    Index("ix_orders_created_at_id", "created_at", "id"),
    Index("ix_orders_placed_at", "placed_at"),
    Index("ix_orders_name", "name", postgresql_ops={"name": "text_pattern_ops"}),
    Index(
        "ix_orders_promise",
        text("least(ship_by, deliver_by)"),
        postgresql_where=text("status NOT IN ('SHIPPED', 'CANCELLED')"),
    ),
    Index(
        "ix_orders_unpaid",
        "placed_at",
        postgresql_where=text("payment = 'PENDING' AND status NOT IN ('SHIPPED', 'CANCELLED')"),
    ),
    Index("ix_orders_exchange_of", "exchange_of", postgresql_where=text("exchange_of IS NOT NULL")),
    Index("ix_orders_reroute_at", "reroute_at", postgresql_where=text("reroute_at IS NOT NULL")),
)

order_lines = Table(
    "order_lines",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("sku_id", Integer, ForeignKey("skus.id")),
    Column("sku_code", Text),
    Column("title", Text),
    Column("quantity", Integer, nullable=False),
    Column("allocated", Integer, nullable=False, server_default="0"),
    Column("shipped", Integer, nullable=False, server_default="0"),
    # Of the shipped ones: those that had left before the order was heard of, from no warehouse of ours.
    Column("shipped_elsewhere", Integer, nullable=False, server_default="0"),
    Column("cancelled", Integer, nullable=False, server_default="0"),
    Column("unit_price", Numeric(14, 4)),
    Column("untold", Integer, nullable=False, server_default="0"),
    Column("exchange_return_id", Uuid, ForeignKey("returns.id")),
    CheckConstraint("untold >= 0", name="untold"),
    CheckConstraint("shipped_elsewhere BETWEEN 0 AND shipped", name="shipped_elsewhere"),
    PrimaryKeyConstraint("order_id", "line"),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint(
        "allocated >= 0 AND shipped >= 0 AND cancelled >= 0 AND allocated + shipped + cancelled <= quantity",
        name="promised",
    ),
    Index(
        "ix_order_lines_backordered",
        "sku_id",
        "order_id",
        postgresql_where=text("quantity > allocated + shipped + cancelled"),
    ),
    Index("ix_order_lines_untold", "sku_id", "order_id", postgresql_where=text("untold > 0")),
    postgresql_with={"fillfactor": "80"},
)

order_contacts = Table(
    "order_contacts",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id"), primary_key=True),
    Column("sealed", LargeBinary),
    Column("erase_at", DateTime(timezone=True)),
    Column("erased_at", DateTime(timezone=True)),
    CheckConstraint("sealed IS NULL OR erased_at IS NULL", name="erased"),
    Index("ix_order_contacts_erase_at", "erase_at", postgresql_where=text("erased_at IS NULL")),
)

order_events = Table(
    "order_events",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("order_id", Uuid, ForeignKey("orders.id"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("note", Text),
    Column("data", JSON),
    Index("ix_order_events_order_id_id", "order_id", "id"),
)

cancel_notices = Table(
    "cancel_notices",
    metadata,
    Column("order_id", Uuid, ForeignKey("orders.id"), primary_key=True),
    Column("state", Text, nullable=False, server_default="PENDING"),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", DateTime(timezone=True), server_default=func.now()),
    Column("asked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("told_at", DateTime(timezone=True)),
    Column("acknowledged_at", DateTime(timezone=True)),
    Column("error", Text),
    CheckConstraint("state IN ('PENDING', 'TOLD', 'ACKNOWLEDGED', 'REFUSED', 'LAPSED')", name="state"),
    CheckConstraint("reason IN ('SELLER', 'BUYER', 'STOCK', 'FRAUD')", name="reason"),
    Index(
        "ix_cancel_notices_next_attempt_at",
        "next_attempt_at",
        postgresql_where=text("state IN ('PENDING', 'TOLD')"),
    ),
)

warehouse_days = Table(
    "warehouse_days",
    metadata,
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("day", Date, nullable=False),
    Column("capacity", Integer),
    Column("taken", Integer, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("warehouse_id", "day"),
    CheckConstraint("taken >= 0 AND (capacity IS NULL OR taken <= capacity)", name="capacity"),
    postgresql_with={"fillfactor": "70"},
)

routing_policies = Table(
    "routing_policies",
    metadata,
    Column("version", Integer, Identity(), primary_key=True),
    Column("status", Text, nullable=False, server_default="DRAFT"),
    Column("name", Text, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created_by", Text, nullable=False),
    created_at(),
    Column("published_by", Text),
    Column("published_at", DateTime(timezone=True)),
    Column("archived_at", DateTime(timezone=True)),
    CheckConstraint("status IN ('DRAFT', 'ACTIVE', 'ARCHIVED')", name="status"),
    Index("uq_routing_policies_active", "status", unique=True, postgresql_where=text("status = 'ACTIVE'")),
)

routing_decisions = Table(
    "routing_decisions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("policy_version", Integer),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("seconds", Double, nullable=False),
    Column("trigger", Text, nullable=False),
    Column("solver", Text, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("inputs", JSON, nullable=False),
    Column("outcome", JSON, nullable=False),
    Column("erased_at", DateTime(timezone=True)),
    Index("ix_routing_decisions_order_id", "order_id", "id"),
)
