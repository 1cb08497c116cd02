"""What a transfer lost waits for a second person; requests for replenishment follow what was ordered to its end."""

from __future__ import annotations

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

UP = (
    "ALTER TABLE adjustments ADD transfer_id UUID CONSTRAINT fk_adjustments_transfer_id REFERENCES transfers",
    "ALTER TABLE adjustments DROP CONSTRAINT ck_adjustments_kind",
    "ALTER TABLE adjustments ADD CONSTRAINT ck_adjustments_kind CHECK (kind IN ('ADJUSTMENT', 'DISPOSAL', 'TRANSFER'))",
    "ALTER TABLE adjustments ADD CONSTRAINT ck_adjustments_transfer CHECK ((kind = 'TRANSFER') = (transfer_id IS NOT NULL))",
    "CREATE UNIQUE INDEX uq_adjustments_transfer_id ON adjustments (transfer_id) WHERE state = 'PENDING'",
    "ALTER TABLE replenishment_requests DROP CONSTRAINT ck_replenishment_requests_status",
    "ALTER TABLE replenishment_requests ADD CONSTRAINT ck_replenishment_requests_status"
    " CHECK (status IN ('PROPOSED', 'APPROVED', 'REJECTED', 'DONE', 'CANCELLED'))",
    "CREATE INDEX ix_replenishment_requests_document ON replenishment_requests (document) WHERE status = 'APPROVED'",
    """
    UPDATE replenishment_requests r SET status = CASE WHEN e.came THEN 'DONE' ELSE 'CANCELLED' END
    FROM (
      SELECT 'transfer:' || t.id AS document, bool_or(l.received + l.damaged > 0) AS came
      FROM transfers t JOIN transfer_lines l ON l.transfer_id = t.id
      WHERE t.state IN ('RECEIVED', 'CLOSED', 'CANCELLED') GROUP BY t.id
    ) e WHERE r.document = e.document AND r.status = 'APPROVED'
    """,
)
DOWN = (
    "UPDATE replenishment_requests SET status = 'DONE' WHERE status = 'CANCELLED'",
    "DROP INDEX ix_replenishment_requests_document",
    "ALTER TABLE replenishment_requests DROP CONSTRAINT ck_replenishment_requests_status",
    "ALTER TABLE replenishment_requests ADD CONSTRAINT ck_replenishment_requests_status"
    " CHECK (status IN ('PROPOSED', 'APPROVED', 'REJECTED', 'DONE'))",
    "DELETE FROM adjustments WHERE kind = 'TRANSFER'",
    "ALTER TABLE adjustments DROP transfer_id, DROP CONSTRAINT ck_adjustments_kind",
    "ALTER TABLE adjustments ADD CONSTRAINT ck_adjustments_kind CHECK (kind IN ('ADJUSTMENT', 'DISPOSAL'))",
)


def upgrade() -> None:
    for statement in UP:
        op.execute(statement)


def downgrade() -> None:
    for statement in DOWN:
        op.execute(statement)
