"""A unit that came back of an order that never had it: something else may have been sent, and both are counted."""

from __future__ import annotations

from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

CAUSES = ("MANUAL", "CYCLE", "HANDLING", "NEGATIVE", "SHORT_PICK", "SURPLUS", "DRIFT", "SHORTAGE", "SNAPSHOT")
KINDS = ("NEGATIVE", "SHORT_PICK", "SURPLUS", "DRIFT", "SHORTAGE")


def upgrade() -> None:
    _allow((*CAUSES, "MISPICK"), (*KINDS, "MISPICK"))


def downgrade() -> None:
    op.execute("DELETE FROM stock_suspicions WHERE kind = 'MISPICK'")
    op.execute("UPDATE count_lines SET cause = 'HANDLING' WHERE cause = 'MISPICK'")
    _allow(CAUSES, KINDS)


def _allow(causes: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    for table, column, words in (("count_lines", "cause", causes), ("stock_suspicions", "kind", kinds)):
        named = ", ".join(f"'{word}'" for word in words)
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT ck_{table}_{column}")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{column} CHECK ({column} IN ({named}))")
