"""Kits: SKUs that are made of others when they are sold."""

from __future__ import annotations

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE kit_components (
      kit_id INTEGER NOT NULL,
      component_id INTEGER NOT NULL,
      quantity INTEGER NOT NULL,
      created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
      CONSTRAINT pk_kit_components PRIMARY KEY (kit_id, component_id),
      CONSTRAINT ck_kit_components_quantity CHECK (quantity > 0),
      CONSTRAINT ck_kit_components_of_others CHECK (kit_id <> component_id),
      CONSTRAINT fk_kit_components_kit_id FOREIGN KEY(kit_id) REFERENCES skus (id),
      CONSTRAINT fk_kit_components_component_id FOREIGN KEY(component_id) REFERENCES skus (id)
    )
    """,
    """
    CREATE INDEX ix_kit_components_component_id ON kit_components (component_id)
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    op.execute("GRANT SELECT, INSERT ON kit_components TO onhand_app")


def downgrade() -> None:
    op.execute("DROP TABLE kit_components")
