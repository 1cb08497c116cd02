"""Logistics partners: how each is reached, what it was given, what it was told, and what it says it has.

A partner's rows are level-triggered: what it was told of a fulfilment order (`told`) is compared with what that is.
Deliveries are the queue of its webhook, and stay as their record.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from adapters.postgres.metadata import created_at, metadata

partners = Table(
    "partners",
    metadata,
    Column("id", Integer, Identity(), primary_key=True),
    Column("code", Text, nullable=False, unique=True),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False, server_default="LIVE"),
    Column("config", JSONB, nullable=False, server_default=text("'{}'")),
    Column("sealed", LargeBinary),
    Column("webhook", Text, nullable=False, server_default="NONE"),
    Column("webhook_failing_since", DateTime(timezone=True)),
    Column("tolerance_units", Integer, nullable=False, server_default="0"),
    Column("tolerance_percent", Integer, nullable=False, server_default="0"),
    Column("silent_seconds", Integer, nullable=False, server_default="900"),
    Column("failing_since", DateTime(timezone=True)),
    Column("unheard_since", DateTime(timezone=True)),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", DateTime(timezone=True)),
    Column("last_success_at", DateTime(timezone=True)),
    Column("last_error", Text),
    Column("changes_until", DateTime(timezone=True)),
    Column("polled_at", DateTime(timezone=True)),
    Column("snapshot_at", DateTime(timezone=True)),
    Column("snapshot_polled_at", DateTime(timezone=True)),
    created_at(),
    CheckConstraint("kind IN ('CONNECT', 'API')", name="kind"),
    CheckConstraint("status IN ('LIVE', 'PAUSED')", name="status"),
    CheckConstraint("webhook IN ('NONE', 'ENABLED', 'DISABLED')", name="webhook"),
    CheckConstraint("tolerance_units >= 0 AND tolerance_percent BETWEEN 0 AND 100", name="tolerance"),
    CheckConstraint("silent_seconds >= 60", name="silent_seconds"),
)

partner_orders = Table(
    "partner_orders",
    metadata,
    Column("fulfillment_order_id", Uuid, ForeignKey("fulfillment_orders.id"), primary_key=True),
    Column("partner_id", Integer, ForeignKey("partners.id"), nullable=False),
    Column("state", Text, nullable=False, server_default="PENDING"),
    Column("partner_order_id", Text),
    Column("lines", JSON, nullable=False),
    Column("told", Text),
    Column("told_version", Integer),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("next_attempt_at", DateTime(timezone=True), nullable=False),
    Column("delegated_at", DateTime(timezone=True)),
    Column("heard_at", DateTime(timezone=True)),
    Column("cancel_asked_at", DateTime(timezone=True)),
    Column("cancel_told_at", DateTime(timezone=True)),
    Column("error", Text),
    created_at(),
    UniqueConstraint("partner_id", "partner_order_id"),
    CheckConstraint("state IN ('PENDING', 'DELEGATED', 'ENDED')", name="state"),
    Index("ix_partner_orders_pending", "next_attempt_at", postgresql_where=text("state = 'PENDING'")),
    Index("ix_partner_orders_open", "partner_id", postgresql_where=text("state <> 'ENDED'")),
)

partner_parcels = Table(
    "partner_parcels",
    metadata,
    Column("partner_id", Integer, ForeignKey("partners.id"), nullable=False),
    Column("notification_id", Text, nullable=False),
    Column("fulfillment_order_id", Uuid, ForeignKey("fulfillment_orders.id"), nullable=False),
    Column("fulfillment_id", Uuid),
    Column("error", Text),
    Column("told_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("partner_id", "notification_id"),
    Index("ix_partner_parcels_fulfillment_order_id", "fulfillment_order_id"),
)

partner_deliveries = Table(
    "partner_deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("partner_id", Integer, ForeignKey("partners.id"), nullable=False),
    Column("fulfillment_order_id", Uuid),
    Column("type", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="PENDING"),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("sent_at", DateTime(timezone=True)),
    Column("error", Text),
    created_at(),
    CheckConstraint("state IN ('PENDING', 'SENT', 'FAILED')", name="state"),
    Index("ix_partner_deliveries_due_at", "due_at", postgresql_where=text("state = 'PENDING'")),
    Index("ix_partner_deliveries_partner_id_id", "partner_id", "id"),
)

partner_snapshots = Table(
    "partner_snapshots",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("source", Text, nullable=False),
    Column("as_of", DateTime(timezone=True), nullable=False),
    Column("applied", Boolean, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reference", Text),
    Column("levels", Integer, nullable=False),
    Column("equal", Integer, nullable=False),
    Column("adjusted", Integer, nullable=False),
    Column("cases", Integer, nullable=False),
    created_at(),
    CheckConstraint("source IN ('POLL', 'API', 'FILE')", name="source"),
    Index("ix_partner_snapshots_warehouse_id_id", "warehouse_id", "id"),
)

partner_snapshot_lines = Table(
    "partner_snapshot_lines",
    metadata,
    Column("snapshot_id", Uuid, ForeignKey("partner_snapshots.id"), nullable=False),
    Column("sku_id", Integer, ForeignKey("skus.id"), nullable=False),
    Column("told", Integer, nullable=False),
    Column("least", Integer, nullable=False),
    Column("most", Integer, nullable=False),
    Column("difference", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    PrimaryKeyConstraint("snapshot_id", "sku_id"),
    CheckConstraint("outcome IN ('EQUAL', 'ADJUSTED', 'CASE', 'NOTED')", name="outcome"),
)
