"""What a listing is at this moment, as SQL: one expression for filters, rows, counts and streams.

All of it speaks of a listing `l`, its channel `c`, SKU `s`, the channel's polls `h`, the circuit `k` of its pushes, and
its stock `a`.
"""

from __future__ import annotations

from app.channels.note_sales import DECAYED
from app.channels.relay_stock import SELLABLE

STATES = {
    "REJECTED": "The channel refused it for good: not sent again until something changes. `cause`: who can help.",
    "IN_FLIGHT": "It is being sent, or was accepted and the channel has not said yet what became of it.",
    "BLOCKED": "There is something to tell and nothing is told: the channel is SHADOW or PAUSED, or cannot be reached.",
    "PENDING": "There is something to tell, and its turn will come.",
    "DRIFTED": "The channel took the number and was last seen to show another; less only after ten seconds: it sold.",
    "FROZEN": "Taken off sale, and the channel acknowledged that.",
    "IN_SYNC": "The channel acknowledged what it should show, and was not seen to show anything else.",
}
"""What the states mean, the first that fits. A circuit is open until a call has worked, also while it is tried."""
LESS_SECONDS = 10
"""That a channel may show less than it took before it counts as drift: most often it sold."""
STATE = f"""
CASE WHEN l.rejected THEN 'REJECTED'
     WHEN l.receipt IS NOT NULL OR l.lease_until > now() THEN 'IN_FLIGHT'
     WHEN l.desired_version > l.acknowledged_version AND (c.status <> 'LIVE' OR k.open_until IS NOT NULL) THEN 'BLOCKED'
     WHEN l.desired_version > l.acknowledged_version THEN 'PENDING'
     WHEN l.drift_since IS NOT NULL AND (l.observed IS NULL OR l.observed > l.acknowledged
       OR l.drift_since < now() - interval '{LESS_SECONDS} seconds') THEN 'DRIFTED'
     WHEN s.frozen OR c.frozen OR l.frozen THEN 'FROZEN'
     ELSE 'IN_SYNC' END
"""
MAY_SHOW = """
greatest(coalesce(l.acknowledged, l.observed, 0), CASE WHEN l.receipt IS NOT NULL THEN l.receipt_quantity END,
  CASE WHEN l.drift_since IS NOT NULL THEN l.observed END, l.may_show, l.overtaken_quantity,
  CASE WHEN l.lease_owner IS NOT NULL THEN l.lease_quantity END)
"""
"""The most that the channel may believe it has: what it took or is being sent, or what a batch, a lost reply, a write
that it has only accepted, drift, or a cancellation may have left there."""
UNTOLD = """
coalesce((
  SELECT sum(u.untold) FROM order_lines u JOIN orders o ON o.id = u.order_id JOIN cancel_notices n ON n.order_id = o.id
  WHERE u.sku_id = l.sku_id AND u.untold > 0 AND u.external_id NOT LIKE '%#%#%' AND o.channel_id = l.channel_id
    AND (n.state IN ('PENDING', 'TOLD') OR n.state = 'REFUSED' AND EXISTS (
      SELECT FROM exception_cases e
      WHERE e.kind = 'CANCELLATION_REFUSED' AND e.subject = 'order:' || o.id AND e.state <> 'RESOLVED'))
), 0)::int
"""
"""Units cancelled here that the channel still names. Whoever cancels them there may put them back on sale with that,
and they are published already. Not those of kits."""
MAY_SELL = f"({MAY_SHOW} + {UNTOLD})"
"""What it believes to have, or may any moment."""
EXPOSURE = f"CASE WHEN c.kind = 'B2B' THEN 0 ELSE greatest(0, {MAY_SELL} - greatest(0, a.available))::int END"
"""`domain.publish.compute_exposure` as SQL: a test holds the two together. Direct B2B sells by our own API: never more
than there is."""
LISTING_COLUMNS = f"""
l.id, l.channel_id, l.sku_id, l.location, l.external_id, l.reference, l.buffer, l.share_percent, l.maximum, l.minimum,
l.multiple, l.safety_stock, l.warehouses, l.frozen, l.adaptive_buffer, coalesce({DECAYED}, 0) AS velocity, l.desired,
l.dirty_since, l.acknowledged, l.acknowledged_at, l.observed,
l.observed_at, l.drift_since, l.attempts, l.next_attempt_at, l.cause, l.error, {STATE} AS state, {EXPOSURE} AS exposure
"""
OF_LISTING = """
JOIN channels c ON c.id = l.channel_id
JOIN skus s ON s.id = l.sku_id
LEFT JOIN channel_health h ON h.channel_id = l.channel_id
LEFT JOIN channel_circuits k ON k.channel_id = l.channel_id AND k.scope = 'PUSH'
"""
STOCK_OF_LISTING = f"CROSS JOIN LATERAL ({SELLABLE}) a"
_MADE_OF_KITS = """
SELECT v.warehouse_id, p.kit_id, min(v.available / p.quantity) AS available
FROM (SELECT kit_id, component_id, quantity, count(*) OVER (PARTITION BY kit_id) AS parts FROM kit_components) p
JOIN stock_levels v ON v.sku_id = p.component_id
GROUP BY v.warehouse_id, p.kit_id, p.parts HAVING count(*) = p.parts
"""
STOCK_OF_LISTINGS = f"""
LEFT JOIN (
  SELECT cw.channel_id, cw.location, v.sku_id, sum(v.available) AS available
  FROM channel_warehouses cw
  JOIN warehouses w ON w.id = cw.warehouse_id AND w.status = 'LIVE'
  JOIN (
    SELECT warehouse_id, sku_id, available FROM stock_levels WHERE sku_id NOT IN (SELECT kit_id FROM kit_components)
    UNION ALL {_MADE_OF_KITS}
  ) v ON v.warehouse_id = cw.warehouse_id
  WHERE cw.status = 'LIVE' GROUP BY cw.channel_id, cw.location, v.sku_id
) v ON v.channel_id = l.channel_id AND v.location = l.location AND v.sku_id = l.sku_id AND l.warehouses IS NULL
LEFT JOIN LATERAL (SELECT found.available FROM ({SELLABLE}) found WHERE l.warehouses IS NOT NULL) own ON true
CROSS JOIN LATERAL (SELECT coalesce(own.available, v.available, 0) AS available) a
"""  # noqa: S608
"""The same stock as of one listing, for all at once: joined, not looked up row by row, but for the few that sell from
warehouses of their own. Of a kit, which has none itself, what its scarcest component makes in each warehouse."""
