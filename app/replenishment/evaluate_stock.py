"""Hold lines against their policies: raise and end alerts, propose what is to be ordered, withdraw what is not needed.

Level-triggered: each evaluation looks at what is, so one that was missed or comes twice does no harm. It runs for every
line that the change feed names, and once a day for all, since forecasts change with the calendar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson
from uuid_utils.compat import uuid7

from app.replenishment.find_surplus import find_surplus
from app.replenishment.raise_alerts import Alert, AlertKind, end_alerts, raise_alerts
from app.replenishment.read_forecast import read_forecasts, read_pool
from domain.forecast import Forecast, ForecastMethod
from domain.replenishment import (
    Policy,
    PolicyKind,
    RequestSource,
    StockPlan,
    bulk_limit,
    order_quantity,
    plan_stock,
)
from domain.stock import StockKey

EVALUATOR = "system:replenishment"
LEAD_DAYS = 7
"""Without a supplier that says better."""
_NOTHING = Forecast(0.0, 0.0, 0, ForecastMethod.NONE, float("inf"))
_POLICIES = """
SELECT p.*, coalesce(l.available, 0) AS available, coalesce(l.incoming, 0) AS incoming,
  coalesce(l.in_transit, 0) AS in_transit, (now() AT TIME ZONE w.time_zone)::date AS today, w.code AS warehouse,
  k.code AS sku, coalesce(x.lead_days, $3)::int AS lead_days, coalesce(s.pack_size, 1) AS pack_size,
  coalesce(s.minimum, 1) AS least, r.id AS request_id, r.quantity AS requested, r.created_by AS requested_by
FROM replenishment_policies p
JOIN unnest($1::int[], $2::int[]) AS g (s, w) ON p.sku_id = g.s AND p.warehouse_id = g.w
JOIN warehouses w ON w.id = p.warehouse_id AND w.status = 'LIVE' JOIN skus k ON k.id = p.sku_id
LEFT JOIN stock_levels l ON l.sku_id = p.sku_id AND l.warehouse_id = p.warehouse_id
LEFT JOIN suppliers x ON x.id = p.supplier_id
LEFT JOIN supplier_skus s ON s.supplier_id = p.supplier_id AND s.sku_id = p.sku_id
LEFT JOIN replenishment_requests r ON r.sku_id = p.sku_id AND r.warehouse_id = p.warehouse_id
  AND r.status = 'PROPOSED'
ORDER BY p.sku_id, p.warehouse_id FOR UPDATE OF p
"""
_KEEP = """
UPDATE replenishment_policies p SET plan = g.plan::json, planned_on = g.day, evaluated_at = clock_timestamp()
FROM unnest($1::int[], $2::int[], $3::text[], $4::date[]) AS g (s, w, plan, day)
WHERE p.sku_id = g.s AND p.warehouse_id = g.w
"""
_PROPOSE = """
INSERT INTO replenishment_requests
  (id, sku_id, warehouse_id, source, source_warehouse_id, supplier_id, quantity, plan, created_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::json, $9)
"""
_CHANGE = "UPDATE replenishment_requests SET quantity = $2, plan = $3::json WHERE id = $1"
_WITHDRAW = """
UPDATE replenishment_requests SET status = 'REJECTED', decided_by = $2, decided_at = clock_timestamp(),
  note = 'Enough is there again or on its way.' WHERE id = $1
"""


@dataclass(slots=True)
class Line:
    """A policy's row, its plan, its position and what is to be ordered."""

    row: Any
    plan: StockPlan

    @property
    def key(self) -> StockKey:
        return StockKey(self.row["sku_id"], self.row["warehouse_id"])

    @property
    def position(self) -> int:
        return int(self.row["available"] + self.row["incoming"] + self.row["in_transit"])

    @property
    def wanted(self) -> int:
        return order_quantity(self.plan, self.position, self.row["pack_size"], self.row["least"])

    @property
    def subject(self) -> str:
        return f"stock:{self.row['sku_id']}.{self.row['warehouse_id']}"


async def evaluate_stock(connection: Any, keys: Sequence[StockKey], database_key: int) -> int:
    """Evaluate those of `keys` that have a policy, in the caller's transaction; returns how many."""
    columns = [key.sku_id for key in keys], [key.warehouse_id for key in keys]
    rows = await connection.fetch(_POLICIES, *columns, LEAD_DAYS)
    if not rows:
        return 0
    lines = await _plan(connection, rows, database_key)
    await _tell(connection, lines)
    for line in lines:
        await _propose(connection, line)
    await connection.execute(
        _KEEP,
        [line.key.sku_id for line in lines],
        [line.key.warehouse_id for line in lines],
        [show_plan(line.plan) for line in lines],
        [line.row["today"] for line in lines],
    )
    return len(lines)


def show_plan(plan: StockPlan) -> str:
    return orjson.dumps(asdict(plan)).decode()


async def _plan(connection: Any, rows: Sequence[Any], database_key: int) -> list[Line]:
    """A plan holds for the day: only the position changes within it."""
    due = [row for row in rows if row["plan"] is None or row["planned_on"] != row["today"]]
    forecasts: dict[StockKey, Forecast] = {}
    pools = {}
    for row in due:
        house = row["warehouse_id"]
        if house not in pools:
            pools[house] = await read_pool(connection, database_key, house, row["today"])
    for today in sorted({row["today"] for row in due}):
        ours = [row for row in due if row["today"] == today and row["kind"] == PolicyKind.COMPUTED]
        bulk = {StockKey(row["sku_id"], row["warehouse_id"]): bulk_limit(row["service_level"]) for row in ours}
        forecasts |= await read_forecasts(connection, list(bulk), pools, today, bulk)
    lines = []
    for row in rows:
        if row["plan"] is not None and row["planned_on"] == row["today"]:
            lines.append(Line(row, StockPlan(**orjson.loads(row["plan"]))))
            continue
        forecast = forecasts.get(StockKey(row["sku_id"], row["warehouse_id"]), _NOTHING)
        plan = plan_stock(policy_from_row(row), forecast, pools[row["warehouse_id"]], row["today"], row["lead_days"])
        lines.append(Line(row, plan))
    return lines


def policy_from_row(row: Mapping[str, Any]) -> Policy:
    names = ("minimum", "maximum", "reorder_point", "order_quantity", "service_level", "cover_days")
    return Policy(PolicyKind(row["kind"]), **{name: row[name] for name in names})


async def _tell(connection: Any, lines: Sequence[Line]) -> None:
    raised, ended = [], []
    for line in lines:
        below = line.position <= line.plan.reorder_point and line.plan.order_up_to > 0
        out = line.row["available"] == 0 and line.plan.order_up_to > 0
        name = f"{line.row['sku']} at {line.row['warehouse']}"
        said = f"{name}: {line.position} there or on their way, ordered again at {line.plan.reorder_point}."
        for kind, so, message in (
            (AlertKind.BELOW_REORDER_POINT, below, said),
            (AlertKind.OUT_OF_STOCK, out, f"{name}: none available."),
        ):
            if so:
                raised.append(Alert(kind, line.key.warehouse_id, line.key.sku_id, line.subject, message))
            else:
                ended.append((kind, line.subject))
    await raise_alerts(connection, raised)
    await end_alerts(connection, ended)


async def _propose(connection: Any, line: Line) -> None:
    """One proposal is open per line: it follows what is wanted, unless a person made it."""
    request_id, wanted = line.row["request_id"], line.wanted
    if request_id is not None:
        if line.row["requested_by"] == EVALUATOR and not wanted:
            await connection.execute(_WITHDRAW, request_id, EVALUATOR)
        elif line.row["requested_by"] == EVALUATOR and wanted != line.row["requested"]:
            await connection.execute(_CHANGE, request_id, wanted, show_plan(line.plan))
        return
    if not wanted:
        return
    source = await find_surplus(connection, line.key, wanted)
    supplier_id = line.row["supplier_id"]
    if source is None and supplier_id is None:
        return  # the alert says it; whoever sees it chooses a supplier
    kind = RequestSource.PURCHASE if source is None else RequestSource.TRANSFER
    await connection.execute(
        _PROPOSE,
        *(uuid7(), *line.key, kind.value, source, supplier_id if source is None else None),
        *(wanted, show_plan(line.plan), EVALUATOR),
    )
