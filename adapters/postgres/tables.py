"""Every table, as the migrations build them. `tests/house` fails when the two drift apart.

Balances live in `stock_levels`: six buckets that can never be negative and four outside accounts that may be.
What one account gives another takes, so each row adds up to zero, and the database checks both.

Movements and reservation lines carry no foreign keys: they are written only in the transaction that holds the
lock on their `stock_levels` row, which has them, and nothing that they name is ever deleted. The checks cost a
quarter of the throughput of reservations.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
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
from sqlalchemy.types import UserDefinedType

INSIDE = ("available", "reserved", "committed", "damaged", "quality_control")
BUCKETS = (*INSIDE, "in_transit")
OUTSIDE = ("supplier", "customer", "adjustment", "scrap")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Xid8(UserDefinedType[str]):
    """PostgreSQL's 64-bit transaction id, which never wraps around."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "xid8"


def _now() -> Column[object]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


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
    _now(),
    CheckConstraint("kind IN ('OWN', 'THIRD_PARTY')", name="kind"),
    CheckConstraint("status IN ('LIVE', 'CLOSED')", name="status"),
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
    _now(),
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
    _now(),
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
    Column("xid", Xid8, nullable=False, server_default=text("pg_current_xact_id()")),
    Column("id", BigInteger, Identity(), nullable=False),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("sku_id", Integer),
    Column("warehouse_id", Integer),
    Column("payload", JSON, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    PrimaryKeyConstraint("xid", "id"),
)

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
    _now(),
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
    _now(),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("rotated_at", DateTime(timezone=True)),
)

channels = Table(
    "channels",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="LIVE"),
    Column("base_url", Text),
    Column("location_id", Text),
    Column("credentials", LargeBinary),
    Column("buffer", Integer, nullable=False, server_default="0"),
    _now(),
    CheckConstraint("kind IN ('SHOPIFY')", name="kind"),
    CheckConstraint("status IN ('SHADOW', 'LIVE', 'PAUSED')", name="status"),
    CheckConstraint("buffer >= 0", name="buffer"),
)

channel_warehouses = Table(
    "channel_warehouses",
    metadata,
    Column("channel_id", Integer, ForeignKey("channels.id"), nullable=False),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    PrimaryKeyConstraint("channel_id", "warehouse_id"),
)

listings = Table(
    "listings",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("channel_id", Integer, ForeignKey("channels.id"), nullable=False),
    Column("sku_id", Integer, ForeignKey("skus.id"), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("desired", Integer),
    Column("desired_version", BigInteger, nullable=False, server_default="0"),
    Column("desired_at", DateTime(timezone=True)),
    Column("acknowledged", Integer),
    Column("acknowledged_version", BigInteger, nullable=False, server_default="0"),
    Column("acknowledged_at", DateTime(timezone=True)),
    Column("observed", Integer),
    Column("observed_at", DateTime(timezone=True)),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", DateTime(timezone=True)),
    Column("lease_owner", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("error", Text),
    Column("rejected", Boolean, nullable=False, server_default=text("false")),
    UniqueConstraint("channel_id", "sku_id"),
    UniqueConstraint("channel_id", "external_id"),
    Index("ix_listings_sku_id", "sku_id"),
    Index(
        "ix_listings_dirty",
        "channel_id",
        "next_attempt_at",
        postgresql_where=text("desired_version > acknowledged_version AND NOT rejected"),
    ),
)

relay_positions = Table(
    "relay_positions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("xid", Xid8, nullable=False),
    Column("id", BigInteger, nullable=False),
)

inbound_events = Table(
    "inbound_events",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("channel_id", Integer, ForeignKey("channels.id"), nullable=False),
    Column("external_id", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("headers", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("processed_at", DateTime(timezone=True)),
    Column("error", Text),
    UniqueConstraint("channel_id", "external_id"),
)

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
    _now(),
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
    _now(),
    PrimaryKeyConstraint("order_id", "line", "warehouse_id"),
    CheckConstraint("quantity > 0", name="quantity"),
    Index("ix_allocations_sku_id_warehouse_id", "sku_id", "warehouse_id"),
)
