"""How long channels take to acknowledge, and which case was told under which alert rule."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE channel_lags (
      channel_id INTEGER NOT NULL,
      minute TIMESTAMP WITH TIME ZONE NOT NULL,
      bucket SMALLINT NOT NULL,
      count BIGINT NOT NULL,
      CONSTRAINT pk_channel_lags PRIMARY KEY (channel_id, minute, bucket),
      CONSTRAINT ck_channel_lags_count CHECK (count > 0)
    )
    """,
    """
    CREATE INDEX ix_channel_lags_minute ON channel_lags (minute)
    """,
    """
    CREATE TABLE alert_notices (
      rule_id INTEGER NOT NULL,
      case_id UUID NOT NULL,
      state TEXT NOT NULL,
      noticed_at TIMESTAMP WITH TIME ZONE NOT NULL,
      CONSTRAINT pk_alert_notices PRIMARY KEY (rule_id, case_id),
      CONSTRAINT fk_alert_notices_rule_id FOREIGN KEY(rule_id) REFERENCES alert_rules (id),
      CONSTRAINT fk_alert_notices_case_id FOREIGN KEY(case_id) REFERENCES exception_cases (id)
    )
    """,
    """
    CREATE INDEX ix_alert_notices_case_id ON alert_notices (case_id)
    """,
    """
    CREATE INDEX ix_exception_cases_open ON exception_cases (id) WHERE state <> 'RESOLVED'
    """,
)
TABLES = ("channel_lags", "alert_notices")


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
    for table in TABLES:
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO onhand_app")


def downgrade() -> None:
    op.execute("DROP INDEX ix_exception_cases_open")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
