"""A line is counted because a stock list of its warehouse differs from the books."""

from __future__ import annotations

from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

CAUSES = ("MANUAL", "CYCLE", "HANDLING", "NEGATIVE", "SHORT_PICK", "SURPLUS", "DRIFT", "SHORTAGE")


def upgrade() -> None:
    _allow((*CAUSES, "SNAPSHOT"))


def downgrade() -> None:
    op.execute("UPDATE count_lines SET cause = 'MANUAL' WHERE cause = 'SNAPSHOT'")
    _allow(CAUSES)


def _allow(causes: tuple[str, ...]) -> None:
    named = ", ".join(f"'{cause}'" for cause in causes)
    op.execute("ALTER TABLE count_lines DROP CONSTRAINT ck_count_lines_cause")
    op.execute(f"ALTER TABLE count_lines ADD CONSTRAINT ck_count_lines_cause CHECK (cause IN ({named}))")
