"""Kits: SKUs that are made of others when they are sold. A kit has no stock of its own."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, PrimaryKeyConstraint, Table

from adapters.postgres.metadata import created_at, metadata

kit_components = Table(
    "kit_components",
    metadata,
    Column("kit_id", Integer, ForeignKey("skus.id"), nullable=False),
    Column("component_id", Integer, ForeignKey("skus.id"), nullable=False),
    Column("quantity", Integer, nullable=False),
    created_at(),
    PrimaryKeyConstraint("kit_id", "component_id"),
    CheckConstraint("quantity > 0", name="quantity"),
    CheckConstraint("kit_id <> component_id", name="of_others"),
    Index("ix_kit_components_component_id", "component_id"),
)
