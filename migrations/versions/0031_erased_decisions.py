"""A decision forgets where its order went when the person is erased. Nothing else of it can be changed."""

from __future__ import annotations

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

FUNCTION = """
CREATE FUNCTION erase_decisions(wanted uuid) RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, public AS $$
  UPDATE routing_decisions d SET erased_at = now(),
    inputs = (d.inputs::jsonb || '{"postal_code": null, "precision": "NONE"}' || jsonb_build_object('sites', (
      SELECT coalesce(jsonb_agg(site || '{"km": null}' ORDER BY n), '[]')
      FROM jsonb_array_elements(d.inputs::jsonb -> 'sites') WITH ORDINALITY AS s (site, n))))::json,
    outcome = (d.outcome::jsonb || jsonb_build_object('parcels', (
      SELECT coalesce(jsonb_agg(parcel || '{"km": null, "transit_days": 0}' ORDER BY n), '[]')
      FROM jsonb_array_elements(d.outcome::jsonb -> 'parcels') WITH ORDINALITY AS p (parcel, n)),
    'steps', (
      SELECT coalesce(jsonb_agg(step || jsonb_build_object('candidates', (
        SELECT coalesce(jsonb_agg(
          one || '{"km": null, "terms": null, "late_days": 0}'
            || CASE WHEN one ->> 'removed' = 'DISTANCE' THEN '{"detail": null}' ELSE '{}' END::jsonb ORDER BY m), '[]')
        FROM jsonb_array_elements(step -> 'candidates') WITH ORDINALITY AS c (one, m))) ORDER BY n), '[]')
      FROM jsonb_array_elements(d.outcome::jsonb -> 'steps') WITH ORDINALITY AS t (step, n))))::json
  WHERE d.order_id = wanted AND d.erased_at IS NULL AND d.inputs::jsonb ? 'sites'
$$
"""


def upgrade() -> None:
    op.execute("ALTER TABLE routing_decisions ADD erased_at TIMESTAMP WITH TIME ZONE")
    op.execute(FUNCTION)
    op.execute("REVOKE ALL ON FUNCTION erase_decisions FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION erase_decisions TO onhand_app")
    op.execute("SELECT erase_decisions(order_id) FROM order_contacts WHERE erased_at IS NOT NULL")


def downgrade() -> None:
    op.execute("DROP FUNCTION erase_decisions")
    op.execute("ALTER TABLE routing_decisions DROP erased_at")
