"""Orders as the channels reported them, and which warehouse was promised for each line."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
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
    Column("placed_at", DateTime(timezone=True), nullable=False),
    Column("destination", JSON),
    Column("problem", Text),
    created_at(),
    UniqueConstraint("channel_id", "external_id"),
    CheckConstraint("status IN ('ALLOCATED', 'PARTLY_ALLOCATED', 'OVERSOLD', 'CANCELLED')", name="status"),
    Index("ix_orders_created_at_id", "created_at", "id"),
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
    PrimaryKeyConstraint("order_id", "line"),
    CheckConstraint("quantity > 0", name="quantity"),
)

allocations = Table(
    "allocations",
    metadata,
    Column("order_id", Uuid, nullable=False),
    Column("line", Integer, nullable=False),
    Column("sku_id", Integer, ForeignKey("skus.id"), nullable=False),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    created_at(),
    PrimaryKeyConstraint("order_id", "line", "warehouse_id"),
    CheckConstraint("quantity > 0", name="quantity"),
    Index("ix_allocations_sku_id_warehouse_id", "sku_id", "warehouse_id"),
)
