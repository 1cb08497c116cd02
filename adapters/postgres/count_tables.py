"""Counts: what is to be counted, every scan with the state of the ledger it was held against, and what raised doubt.

`sku_activity` and `demand_days` are kept from the change feed (app/replenishment/note_demand.py): how much each line
was handled, and what was sold of it each day. Both say up to which movement they speak.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    PrimaryKeyConstraint,
    Table,
    Text,
    Uuid,
    func,
    text,
)

from adapters.postgres.metadata import created_at, metadata

UNDECIDED = "'OPEN', 'RECOUNT', 'COUNTED'"
CAUSES = (
    "'MANUAL', 'CYCLE', 'HANDLING', 'NEGATIVE', 'SHORT_PICK', 'SURPLUS', 'DRIFT', 'SHORTAGE', 'SNAPSHOT', 'MISPICK'"
)

counts = Table(
    "counts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("warehouse_id", Integer, ForeignKey("warehouses.id"), nullable=False),
    Column("status", Text, nullable=False, server_default="PLANNED"),
    Column("planned_for", Date),
    Column("blind", Boolean, nullable=False, server_default=text("true")),
    Column("tolerance_units", Integer, nullable=False, server_default="0"),
    Column("tolerance_percent", Integer, nullable=False, server_default="0"),
    Column("note", Text),
    Column("reference", Text),
    Column("created_by", Text, nullable=False),
    created_at(),
    Column("reviewed_by", Text),
    Column("ended_at", DateTime(timezone=True)),
    Column("version", BigInteger, nullable=False, server_default="1"),
    CheckConstraint("status IN ('PLANNED', 'COUNTING', 'REVIEW', 'POSTED', 'CANCELLED')", name="status"),
    CheckConstraint("tolerance_units >= 0 AND tolerance_percent BETWEEN 0 AND 100", name="tolerance"),
    Index("ix_counts_warehouse_id_id", "warehouse_id", "id"),
    Index(
        "uq_counts_planned_for",
        "warehouse_id",
        "planned_for",
        unique=True,
        postgresql_where=text("planned_for IS NOT NULL"),
    ),
)

count_lines = Table(
    "count_lines",
    metadata,
    Column("count_id", Uuid, ForeignKey("counts.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("warehouse_id", Integer, nullable=False),
    Column("sku_id", Integer, ForeignKey("skus.id"), nullable=False),
    Column("bin_id", Integer, ForeignKey("bins.id")),
    Column("bucket", Text, nullable=False, server_default="available"),
    Column("cause", Text, nullable=False, server_default="MANUAL"),
    Column("abc", Text),
    Column("status", Text, nullable=False, server_default="OPEN"),
    Column("expected", Integer),
    Column("counted", Integer),
    Column("scans", Integer, nullable=False, server_default="0"),
    Column("ledger_version", BigInteger),
    Column("movement_id", BigInteger),
    Column("pick_id", BigInteger),
    Column("bin_record_id", BigInteger),
    Column("handlings", BigInteger),
    Column("scanned_at", DateTime(timezone=True)),
    Column("posted", Integer, nullable=False, server_default="0"),
    Column("unposted", Integer, nullable=False, server_default="0"),
    Column("unit_cost", Numeric(14, 4)),
    PrimaryKeyConstraint("count_id", "line"),
    CheckConstraint("bucket IN ('available', 'damaged', 'quality_control')", name="bucket"),
    CheckConstraint(f"cause IN ({CAUSES})", name="cause"),
    CheckConstraint("abc IN ('A', 'B', 'C')", name="abc"),
    CheckConstraint(f"status IN ({UNDECIDED}, 'POSTED', 'REJECTED', 'CANCELLED')", name="status"),
    CheckConstraint("counted >= 0", name="counted"),
    Index(
        "uq_count_lines_undecided",
        "warehouse_id",
        "sku_id",
        "bucket",
        "bin_id",
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=text(f"status IN ({UNDECIDED})"),
    ),
    Index("ix_count_lines_counted", "warehouse_id", "sku_id", "scanned_at"),
    Index("ix_count_lines_scanned_at", "scanned_at", postgresql_where=text("status IN ('POSTED', 'REJECTED')")),
)

count_scans = Table(
    "count_scans",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("count_id", Uuid, ForeignKey("counts.id"), nullable=False),
    Column("line", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("expected", Integer, nullable=False),
    Column("ledger_version", BigInteger, nullable=False),
    Column("movement_id", BigInteger, nullable=False),
    Column("scanned_at", DateTime(timezone=True), nullable=False),
    created_at(),
    Column("actor", Text, nullable=False),
    Column("principal", Text, nullable=False),
    CheckConstraint("quantity >= 0", name="quantity"),
    Index("ix_count_scans_count_id_line", "count_id", "line"),
)

pick_records = Table(
    "pick_records",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("sku_id", Integer, nullable=False),
    Column("warehouse_id", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("occurred_at", DateTime(timezone=True)),
    Column("posted_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("document", Text, nullable=False),
    CheckConstraint("quantity <> 0", name="quantity"),
    Index("ix_pick_records_sku_id_warehouse_id_id", "sku_id", "warehouse_id", "id"),
)

bin_records = Table(
    "bin_records",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("bin_id", Integer, nullable=False),
    Column("sku_id", Integer, nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("occurred_at", DateTime(timezone=True)),
    Column("posted_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    CheckConstraint("quantity <> 0", name="quantity"),
    Index("ix_bin_records_bin_id_sku_id_id", "bin_id", "sku_id", "id"),
)

stock_suspicions = Table(
    "stock_suspicions",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("sku_id", Integer, nullable=False),
    Column("warehouse_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("noticed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("document", Text),
    CheckConstraint("kind IN ('NEGATIVE', 'SHORT_PICK', 'SURPLUS', 'DRIFT', 'SHORTAGE', 'MISPICK')", name="kind"),
    Index("ix_stock_suspicions_warehouse_id_sku_id_noticed_at", "warehouse_id", "sku_id", "noticed_at"),
)

sku_activity = Table(
    "sku_activity",
    metadata,
    Column("sku_id", Integer, nullable=False),
    Column("warehouse_id", Integer, nullable=False),
    Column("movement_id", BigInteger, nullable=False, server_default="0"),
    Column("handlings", BigInteger, nullable=False, server_default="0"),
    Column("first_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("settled_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("sku_id", "warehouse_id"),
)

demand_days = Table(
    "demand_days",
    metadata,
    Column("sku_id", Integer, nullable=False),
    Column("warehouse_id", Integer, nullable=False),
    Column("day", Date, nullable=False),
    Column("sold", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("sku_id", "warehouse_id", "day"),
    Index("ix_demand_days_warehouse_id_day", "warehouse_id", "day"),
)
