"""The warehouse floor's documents: transfers, returns, damage, and what waits for a second person.

Their rows are locked before the stock they move (orders, then these, then `stock_levels` in key order).
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
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
from sqlalchemy.dialects.postgresql import JSONB

from adapters.postgres.metadata import created_at, metadata


def _words(*words: str) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _time(name: str) -> Column[object]:
    return Column(name, DateTime(timezone=True))


def _units(name: str) -> Column[object]:
    return Column(name, Integer, nullable=False, server_default="0")


approval_policies = Table(
    "approval_policies",
    metadata,
    Column("kind", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("units_max", Integer),
    Column("value_max", Numeric(16, 4)),
    PrimaryKeyConstraint("kind", "role"),
    CheckConstraint(f"kind IN ({_words('ADJUSTMENT', 'DISPOSAL', 'TRANSFER')})", name="kind"),
    CheckConstraint("units_max >= 0", name="units_max"),
    CheckConstraint("value_max >= 0", name="value_max"),
)

transfers = Table(
    "transfers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, Identity(), nullable=False, unique=True),
    Column("state", Text, nullable=False),
    Column("source_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("destination_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("reference", Text),
    Column("note", Text),
    Column("carrier", Text),
    Column("tracking_number", Text),
    Column("requested_by", Text, nullable=False),
    Column("requested_name", Text, nullable=False),
    Column("approved_by", Text),
    Column("approved_name", Text),
    Column("order_id", Uuid, ForeignKey("orders.id")),
    _time("expected_at"),
    _time("approved_at"),
    _time("shipped_at"),
    _time("received_at"),
    _time("ended_at"),
    created_at(),
    CheckConstraint(
        f"state IN ({_words('AWAITING_APPROVAL', 'APPROVED', 'PICKING', 'IN_TRANSIT', 'RETURNING', 'RECEIVED', 'CLOSED', 'CANCELLED')})",  # noqa: E501
        name="state",
    ),
    CheckConstraint("source_id <> destination_id", name="moves"),
    CheckConstraint("(state IN ('CLOSED', 'CANCELLED')) = (ended_at IS NOT NULL)", name="ended"),
    Index("ix_transfers_open", "expected_at", postgresql_where=text("ended_at IS NULL")),
    Index("ix_transfers_order_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
    Index("ix_transfers_source_id_id", "source_id", "id"),
    Index("ix_transfers_destination_id_id", "destination_id", "id"),
)

transfer_lines = Table(
    "transfer_lines",
    metadata,
    Column("transfer_id", Uuid, ForeignKey("transfers.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("sku_id", Integer, ForeignKey("skus.id"), nullable=False),
    Column("requested", Integer, nullable=False),
    *map(_units, ("picked", "shipped", "received", "damaged", "missing", "recalled")),
    *map(_units, ("returned", "returned_damaged", "written_off")),
    PrimaryKeyConstraint("transfer_id", "line"),
    UniqueConstraint("transfer_id", "sku_id"),
    CheckConstraint("requested > 0", name="requested"),
    CheckConstraint("picked BETWEEN 0 AND requested AND shipped BETWEEN 0 AND requested", name="shipped"),
    CheckConstraint(
        "least(received, damaged, missing, recalled, returned, returned_damaged, written_off) >= 0"
        " AND received + damaged + returned + returned_damaged + written_off + missing <= shipped",
        name="afloat",
    ),
)

returns = Table(
    "returns",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, Identity(), nullable=False, unique=True),
    Column("state", Text, nullable=False, server_default="OPEN"),
    Column("origin", Text, nullable=False),
    Column("custody", Text, nullable=False),
    Column("condition", Text, nullable=False, server_default="UNINSPECTED"),
    Column("money", Text, nullable=False, server_default="NONE"),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("channel_id", Integer, ForeignKey("channels.id")),
    Column("external_id", Text),
    Column("order_id", Uuid, ForeignKey("orders.id")),
    Column("order_reference", Text),
    Column("exchange_order_id", Uuid, ForeignKey("orders.id")),
    Column("exchange_reference", Text),
    Column("exchange_amount", Numeric(14, 4)),
    Column("sold_lines", JSONB),
    Column("reason", Text),
    Column("note", Text),
    Column("refund_amount", Numeric(14, 4)),
    Column("refund_currency", String(3)),
    Column("refund_state", Text, nullable=False, server_default="NONE"),
    _units("refund_attempts"),
    *map(_time, ("refund_next_at", "refund_first_at")),
    Column("refund_error", Text),
    Column("refund_external_id", Text),
    Column("channel_restocked", Boolean, nullable=False, server_default=text("false")),
    Column("actor", Text, nullable=False),
    Column("expected_by", DateTime(timezone=True), nullable=False),
    _time("received_at"),
    _time("inspected_at"),
    _time("refund_due_at"),
    _time("refund_told_at"),
    _time("refund_confirmed_at"),
    _time("ended_at"),
    created_at(),
    UniqueConstraint("channel_id", "external_id"),
    CheckConstraint(f"state IN ({_words('OPEN', 'CLOSED', 'CANCELLED')})", name="state"),
    CheckConstraint(f"origin IN ({_words('SUPPORT', 'CHANNEL', 'DOCK')})", name="origin"),
    CheckConstraint(f"custody IN ({_words('EXPECTED', 'OVERDUE', 'PARTLY_RECEIVED', 'RECEIVED')})", name="custody"),
    CheckConstraint(f"condition IN ({_words('UNINSPECTED', 'PARTLY_INSPECTED', 'INSPECTED')})", name="condition"),
    CheckConstraint(f"money IN ({_words('NONE', 'DUE', 'TOLD', 'CONFIRMED')})", name="money"),
    CheckConstraint("(state = 'OPEN') = (ended_at IS NULL)", name="ended"),
    CheckConstraint(f"refund_state IN ({_words('NONE', 'PENDING', 'SENT', 'REFUSED')})", name="refund_state"),
    CheckConstraint(
        "CASE refund_state WHEN 'PENDING' THEN refund_next_at IS NOT NULL WHEN 'REFUSED' THEN refund_next_at IS NULL "
        "ELSE true END",
        name="refund_due",
    ),
    Index("ix_returns_refund_next_at", "refund_next_at", postgresql_where=text("refund_next_at IS NOT NULL")),
    Index("ix_returns_open", "id", postgresql_where=text("state = 'OPEN'")),
    Index("ix_returns_order_id", "order_id", postgresql_where=text("order_id IS NOT NULL")),
    Index(
        "ix_returns_exchange_order_id",
        "exchange_order_id",
        postgresql_where=text("exchange_order_id IS NOT NULL"),
    ),
    Index("ix_returns_warehouse_id_id", "warehouse_id", "id"),
)

return_lines = Table(
    "return_lines",
    metadata,
    Column("return_id", Uuid, ForeignKey("returns.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("sku_id", Integer, ForeignKey("skus.id")),
    Column("description", Text),
    Column("finding", Text, nullable=False),
    *map(_units, ("authorized", "received", "inspected")),
    PrimaryKeyConstraint("return_id", "line"),
    UniqueConstraint("return_id", "sku_id"),
    CheckConstraint(
        f"finding IN ({_words('EXPECTED', 'UNANNOUNCED', 'WRONG_ITEM', 'NOT_SOLD', 'UNKNOWN_ITEM')})", name="finding"
    ),
    CheckConstraint("(sku_id IS NULL) = (finding = 'UNKNOWN_ITEM')", name="known"),
    CheckConstraint("authorized >= 0 AND inspected BETWEEN 0 AND received", name="units"),
)

return_inspections = Table(
    "return_inspections",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("return_id", Uuid, ForeignKey("returns.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("disposition", Text, nullable=False),
    Column("grade", Text),
    Column("evidence", Text),
    Column("note", Text),
    Column("actor", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint(
        f"disposition IN ({_words('RESTOCK', 'DAMAGED', 'QUALITY_CONTROL', 'SCRAP', 'RETURN_TO_VENDOR', 'MISSING')})",
        name="disposition",
    ),
    Index("ix_return_inspections_return_id_id", "return_id", "id"),
)

damages = Table(
    "damages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, Identity(), nullable=False, unique=True),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("sku_id", Integer, ForeignKey("skus.id"), nullable=False),
    Column("origin", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("evidence", Text),
    Column("note", Text),
    Column("reference", Text),
    Column("document", Text),
    Column("quantity", Integer, nullable=False),
    *map(_units, ("repaired", "scrapped", "sent_back", "waiting")),
    Column("actor", Text, nullable=False),
    Column("reported_at", DateTime(timezone=True), nullable=False),
    CheckConstraint(f"origin IN ({_words('STOCK', 'PICKING', 'RECEIVING', 'TRANSIT', 'RETURN')})", name="origin"),
    CheckConstraint(
        "least(repaired, scrapped, sent_back, waiting) >= 0"
        " AND repaired + scrapped + sent_back + waiting BETWEEN 0 AND quantity",
        name="disposed",
    ),
    Index("ix_damages_warehouse_id_id", "warehouse_id", "id"),
)

adjustments = Table(
    "adjustments",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("number", BigInteger, Identity(), nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="PENDING"),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("damage_id", Uuid, ForeignKey("damages.id")),
    Column("disposal", Text),
    Column("lines", JSON, nullable=False),
    Column("units", BigInteger, nullable=False),
    Column("value", Numeric(20, 4)),
    Column("reason", Text, nullable=False),
    Column("note", Text),
    Column("reference", Text),
    Column("requested_by", Text, nullable=False),
    Column("requested_name", Text, nullable=False),
    _time("effective_at"),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("decided_by", Text),
    Column("decided_name", Text),
    _time("decided_at"),
    Column("decision_note", Text),
    Column("transfer_id", Uuid, ForeignKey("transfers.id")),
    CheckConstraint("kind IN ('ADJUSTMENT', 'DISPOSAL', 'TRANSFER')", name="kind"),
    CheckConstraint("state IN ('PENDING', 'APPROVED', 'REJECTED')", name="state"),
    CheckConstraint("(state = 'PENDING') = (decided_at IS NULL)", name="decided"),
    CheckConstraint("decided_by <> requested_by", name="second"),
    CheckConstraint("(kind = 'DISPOSAL') = (damage_id IS NOT NULL)", name="disposal"),
    CheckConstraint("(damage_id IS NULL) = (disposal IS NULL)", name="disposed"),
    CheckConstraint("(kind = 'TRANSFER') = (transfer_id IS NOT NULL)", name="transfer"),
    Index("uq_adjustments_transfer_id", "transfer_id", unique=True, postgresql_where=text("state = 'PENDING'")),
    Index("ix_adjustments_pending", "id", postgresql_where=text("state = 'PENDING'")),
    Index("ix_adjustments_warehouse_id_id", "warehouse_id", "id"),
)
