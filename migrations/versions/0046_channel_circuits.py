"""A circuit for each of the things that a channel is called for: one that is not permitted says nothing of the others."""

from __future__ import annotations

from alembic import op

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

LANES = ("ZERO", "BULK", "SETTLE", "OBSERVE", "ORDERS", "CONFIRM", "REFUND", "CANCEL")
TABLE = (
    """
    CREATE TABLE channel_circuits (
      channel_id integer NOT NULL,
      scope text NOT NULL,
      failures integer DEFAULT 0 NOT NULL,
      open_until timestamptz,
      succeeded_at timestamptz,
      failed_at timestamptz,
      error text,
      cause text,
      reader text,
      reads_until timestamptz,
      CONSTRAINT pk_channel_circuits PRIMARY KEY (channel_id, scope),
      CONSTRAINT fk_channel_circuits_channel_id FOREIGN KEY (channel_id) REFERENCES channels (id),
      CONSTRAINT ck_channel_circuits_failures CHECK (failures >= 0),
      CONSTRAINT ck_channel_circuits_scope
        CHECK (scope IN ('OPEN', 'PUSH', 'SETTLE', 'OBSERVE', 'ORDERS', 'RETURNS', 'TELL', 'QUEUE'))
    )
    """,
    "GRANT SELECT, INSERT, UPDATE, DELETE ON channel_circuits TO onhand_app",
)
KEPT = """
INSERT INTO channel_circuits (channel_id, scope, failures, open_until, succeeded_at, failed_at, error, cause)
SELECT channel_id, 'PUSH', failures, open_until, last_success_at, last_failure_at, last_error, last_cause
FROM channel_health WHERE last_success_at IS NOT NULL OR last_failure_at IS NOT NULL OR failures > 0
"""
FORMER = """
INSERT INTO channel_health AS h
  (channel_id, failures, open_until, last_success_at, last_failure_at, last_error, last_cause)
SELECT channel_id, failures, open_until, succeeded_at, failed_at, error, cause FROM channel_circuits WHERE scope = 'PUSH'
ON CONFLICT (channel_id) DO UPDATE SET failures = excluded.failures, open_until = excluded.open_until,
  last_success_at = excluded.last_success_at, last_failure_at = excluded.last_failure_at,
  last_error = excluded.last_error, last_cause = excluded.last_cause
"""
COLUMNS = {
    "failures": "integer DEFAULT 0 NOT NULL CONSTRAINT ck_channel_health_failures CHECK (failures >= 0)",
    "open_until": "timestamptz",
    "last_success_at": "timestamptz",
    "last_failure_at": "timestamptz",
    "last_error": "text",
    "last_cause": "text",
}
CHANGED = "(OLD.open_until IS NULL) <> (NEW.open_until IS NULL)"
TELL = (
    "CREATE TRIGGER tell_blocked_listings AFTER UPDATE OF open_until ON {} FOR EACH ROW"
    " WHEN ({}) EXECUTE FUNCTION tell_blocked_listings()"
)


def upgrade() -> None:
    for statement in TABLE:
        op.execute(statement)
    op.execute("DROP TRIGGER tell_blocked_listings ON channel_health")
    op.execute(KEPT)
    op.execute(f"ALTER TABLE channel_health {', '.join(f'DROP COLUMN {name}' for name in COLUMNS)}")
    op.execute(TELL.format("channel_circuits", f"NEW.scope = 'PUSH' AND {CHANGED}"))
    _set_lanes((*LANES, "RETURNS"))


def downgrade() -> None:
    op.execute("UPDATE sync_attempts SET lane = 'ORDERS' WHERE lane = 'RETURNS'")
    _set_lanes(LANES)
    added = ", ".join(f"ADD COLUMN {name} {type_}" for name, type_ in COLUMNS.items())
    op.execute(f"ALTER TABLE channel_health {added}")
    op.execute(FORMER)
    op.execute("DROP TABLE channel_circuits")
    op.execute(TELL.format("channel_health", CHANGED))


def _set_lanes(lanes: tuple[str, ...]) -> None:
    names = ", ".join(f"'{lane}'" for lane in lanes)
    op.execute("ALTER TABLE sync_attempts DROP CONSTRAINT ck_sync_attempts_lane")
    op.execute(f"ALTER TABLE sync_attempts ADD CONSTRAINT ck_sync_attempts_lane CHECK (lane IN ({names}))")
