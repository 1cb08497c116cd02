"""The ledger's tables and those around it, as the migrations build them. `tests/house` fails when they drift apart.

Channels, orders and fulfilment have their own files: `channel_tables.py`, `order_tables.py`, `fulfillment_tables.py`.

Balances live in `stock_levels`: six buckets that can never be negative and five outside accounts that may be.
What one account gives another takes, so each row adds up to zero, and the database checks both.

Movements and reservation lines carry no foreign keys: they are written only in the transaction that holds the
lock on their `stock_levels` row, which has them, and nothing that they name is ever deleted. The checks cost a
quarter of the throughput of reservations.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    DDL,
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
    SmallInteger,
    String,
    Table,
    Text,
    Time,
    Uuid,
    event,
    func,
    text,
)

from adapters.postgres.metadata import Xid8, created_at, metadata

INSIDE = ("available", "reserved", "committed", "damaged", "quality_control")
BUCKETS = (*INSIDE, "in_transit")
OUTSIDE = ("supplier", "customer", "adjustment", "scrap", "transfer")

warehouses = Table(
    "warehouses",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False, server_default="OWN"),
    Column("status", Text, nullable=False, server_default="LIVE"),
    Column("address", Text),
    Column("country_code", String(2)),
    Column("latitude", Double),
    Column("longitude", Double),
    Column("time_zone", Text, nullable=False, server_default="UTC"),
    Column("storage_capacity", BigInteger),
    Column("daily_order_capacity", Integer),
    Column("cut_off", Time),
    Column("working_days", ARRAY(SmallInteger), nullable=False, server_default=text("'{1,2,3,4,5,6,7}'")),
    Column("closed_on", ARRAY(Date), nullable=False, server_default=text("'{}'")),
    Column("open_from", Time),
    Column("groups", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    created_at(),
    CheckConstraint("kind IN ('OWN', 'THIRD_PARTY')", name="kind"),
    CheckConstraint("status IN ('ONBOARDING', 'SHADOW', 'LIVE', 'CLOSED')", name="status"),
    CheckConstraint("cardinality(working_days) > 0 AND working_days <@ '{1,2,3,4,5,6,7}'", name="working_days"),
    CheckConstraint("latitude BETWEEN -90 AND 90", name="latitude"),
    CheckConstraint("longitude BETWEEN -180 AND 180", name="longitude"),
)

skus = Table(
    "skus",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("barcode", Text, unique=True),
    Column("title", Text, nullable=False),
    Column("unit_cost", Numeric(14, 4)),
    Column("currency", String(3), nullable=False, server_default="EUR"),
    Column("weight_grams", Integer),
    Column("volume_ml", Integer),
    Column("status", Text, nullable=False, server_default="ACTIVE"),
    Column("frozen", Boolean, nullable=False, server_default=text("false")),
    Column("tags", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    created_at(),
    CheckConstraint("status IN ('ACTIVE', 'ARCHIVED')", name="status"),
    CheckConstraint("unit_cost >= 0", name="unit_cost"),
    CheckConstraint("weight_grams >= 0", name="weight_grams"),
    CheckConstraint("volume_ml >= 0", name="volume_ml"),
)

stock_levels = Table(
    "stock_levels",
    metadata,
    Column("sku_id", Integer, ForeignKey("skus.id"), nullable=False),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    *(Column(name, Integer, nullable=False, server_default="0") for name in BUCKETS),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in OUTSIDE),
    Column("incoming", Integer, nullable=False, server_default="0"),
    Column("safety_stock", Integer, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False, server_default="0"),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("sku_id", "warehouse_id"),
    *(CheckConstraint(f"{name} >= 0", name=name) for name in BUCKETS),
    CheckConstraint("incoming >= 0", name="incoming"),
    CheckConstraint("safety_stock >= 0", name="safety_stock"),
    CheckConstraint(" + ".join((*BUCKETS, *OUTSIDE)) + " = 0", name="conserved"),
    Index("ix_stock_levels_warehouse_id_sku_id", "warehouse_id", "sku_id"),
    postgresql_with={"fillfactor": "70"},
)

stock_movements = Table(
    "stock_movements",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("sku_id", Integer, nullable=False),
    Column("warehouse_id", Integer, nullable=False),
    Column("from_bucket", Text, nullable=False),
    Column("to_bucket", Text, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("from_balance_after", BigInteger, nullable=False),
    Column("to_balance_after", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("posted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("effective_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("reason", Text, nullable=False),
    Column("note", Text),
    Column("reference", Text),
    Column("document", Text),
    Column("actor", Text, nullable=False),
    Column("token_id", Text),
    Column("request_id", Text),
    Column("idempotency_key", Text),
    Column("unit_cost", Numeric(14, 4)),
    Column("currency", String(3)),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("from_bucket <> to_bucket", name="moves"),
    Index("ix_stock_movements_sku_id_warehouse_id_id", "sku_id", "warehouse_id", "id"),
    Index("ix_stock_movements_reference", "reference", postgresql_where=text("reference IS NOT NULL")),
)

reservations = Table(
    "reservations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("status", Text, nullable=False, server_default="ACTIVE"),
    Column("reference", Text),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    created_at(),
    Column("ended_at", DateTime(timezone=True)),
    CheckConstraint("status IN ('ACTIVE', 'RELEASED', 'EXPIRED')", name="status"),
    Index("ix_reservations_expires_at", "expires_at", postgresql_where=text("status = 'ACTIVE'")),
)

reservation_lines = Table(
    "reservation_lines",
    metadata,
    Column("reservation_id", Uuid, nullable=False),
    Column("line", Integer, nullable=False),
    Column("sku_id", Integer, nullable=False),
    Column("warehouse_id", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    PrimaryKeyConstraint("reservation_id", "line"),
    CheckConstraint("quantity > 0", name="quantity"),
)

feed = Table(
    "feed",
    metadata,
    Column("xid", Xid8, nullable=False, server_default=text("feed_place()")),
    Column("id", BigInteger, Identity(), nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("sku_id", Integer),
    Column("warehouse_id", Integer),
    Column("channel_id", Integer),
    Column("payload", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    PrimaryKeyConstraint("xid", "id"),
)

FEED_PLACE = """
CREATE FUNCTION feed_place() RETURNS xid8 LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  RETURN greatest(
    pg_current_xact_id(), (pg_snapshot_xmax(pg_current_snapshot())::text::bigint - 1)::text::xid8);
END $$
"""
"""As `PLACE` in `adapters/postgres/feed.py`, with a snapshot of its own: of after what the statement waited for."""
event.listen(metadata, "before_create", DDL(FEED_PLACE))  # type: ignore[no-untyped-call]

feed_horizon = Table(
    "feed_horizon",
    metadata,
    Column("singleton", Boolean, primary_key=True, server_default=text("true")),
    Column("xid", Xid8, nullable=False),
    Column("id", BigInteger, nullable=False),
    CheckConstraint("singleton", name="singleton"),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("principal", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("input_hash", LargeBinary, nullable=False),
    Column("answer", JSON, nullable=False),
    created_at(),
    PrimaryKeyConstraint("principal", "key"),
    Index("ix_idempotency_keys_created_at", "created_at"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False, unique=True),
    Column("roles", ARRAY(Text), nullable=False),
    Column("scopes", ARRAY(Text)),
    Column("warehouse_ids", ARRAY(Integer)),
    Column("channel_ids", ARRAY(Integer)),
    Column("created_by", Text, nullable=False),
    Column("maker", Text),
    created_at(),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("rotated_at", DateTime(timezone=True)),
)

relay_positions = Table(
    "relay_positions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("xid", Xid8, nullable=False),
    Column("id", BigInteger, nullable=False),
)
