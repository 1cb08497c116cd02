"""`make bench`: instances of their own, the loads side by side in one run, ratios in a table, JSON in a file.

Exit code 1 when a bar is not met.

The load generator shares the machine with the server, and machines drift, so only ratios within a run count. What is
compared is therefore run in short turns, again and again, and the median of the turns is what is reported.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from tests.bench import stock
from tests.bench.live import measure_live
from tests.bench.orders import measure_orders
from tests.bench.routing import HOUSES, measure_routing
from tests.bench.sync import measure_convergence, measure_lag, measure_zeros
from tests.instance import running_instance

PARTS = ("stock", "live", "orders", "routing", "sync")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing measured. `bar`: what it is to keep, as (least, most); None where there is none."""

    name: str
    value: float
    unit: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def bar(self) -> str:
        bounds = (f">= {self.least:g}" if self.least is not None else "", f"<= {self.most:g}" if self.most else "")
        return " ".join(bound for bound in bounds if bound)

    @property
    def met(self) -> str:
        if self.least is None and self.most is None:
            return ""
        high = self.most is None or self.value <= self.most
        return "yes" if high and (self.least is None or self.value >= self.least) else "NO"


def measure_stock(folder: Path, turns: int, requests: int, skus: int) -> list[Row]:
    """Reservations, a page and the trivial query of one API process."""
    with running_instance(folder / "stock", api_processes=1) as instance:
        found = uvloop.run(
            stock.measure(
                instance.graphql, instance.token, instance.info["api_pids"], turns=turns, requests=requests, skus=skus
            )
        )
    trivial, hot, many, page = (found[name] for name in ("typename", "hot", "many", "page"))
    return [
        Row("{ __typename } with authentication", trivial.per_second, "/s"),
        Row("reservations on one SKU", hot.per_second, "/s"),
        Row(f"reservations on {skus} SKUs", many.per_second, "/s"),
        Row("server CPU per reservation on one SKU", hot.cpu_ms, "ms"),
        Row("one SKU / many SKUs, throughput", hot.per_second / many.per_second, least=0.8),
        Row("one SKU / many SKUs, p99", hot.p99_ms / many.p99_ms, most=2),
        Row("one SKU / { __typename }, throughput", hot.per_second / trivial.per_second, least=0.5),
        Row("one SKU / { __typename }, server CPU", hot.cpu_ms / trivial.cpu_ms),
        Row("page of 100 levels / { __typename }, server CPU", page.cpu_ms / trivial.cpu_ms, most=20),
    ]


def measure_subscriptions(folder: Path) -> list[Row]:
    with running_instance(folder / "live", api_processes=1) as instance:
        found = uvloop.run(measure_live(instance.graphql, instance.token, instance.info["api_pids"]))
    return [
        Row("500 subscribers, commit to delivery, p50", found["p50_ms"], "ms"),
        Row("500 subscribers, commit to delivery, p99", found["p99_ms"], "ms", most=250),
        Row("one delivery / { __typename }, server CPU", found["delivery_to_trivial"], most=0.2),
        Row("1,000 idle subscribers", found["idle_mb_per_1000"], "MB", most=30),
    ]


def measure_webhooks(folder: Path) -> list[Row]:
    with running_instance(folder / "orders", api_processes=1) as instance:
        found = asyncio.run(measure_orders(instance, folder))
    return [
        Row("500 order webhooks at 10/s, to acknowledged quantity, p50", found.percentile_ms(0.5), "ms"),
        Row("500 order webhooks at 10/s, to acknowledged quantity, p99", found.percentile_ms(0.99), "ms", most=1_000),
        Row("orders whose quantity was never acknowledged", float(found.late), most=0.5),
    ]


def measure_orders_routed(folder: Path, turns: int, requests: int) -> list[Row]:
    with running_instance(folder / "routing", api_processes=1) as instance:
        found = uvloop.run(
            measure_routing(
                instance.graphql,
                instance.token,
                instance.info["api_pids"],
                turns=turns,
                requests=max(200, requests // 5),
            )
        )
    return [
        Row(f"an order at {HOUSES} warehouses, routed and promised, p50", found.p50_ms, "ms"),
        Row(f"an order at {HOUSES} warehouses, routed and promised, p99", found.p99_ms, "ms", most=25),
        Row("orders from 32 clients", found.orders_per_second, "/s"),
        Row("orders / reservations, throughput", found.orders_per_second / found.reservations_per_second),
        Row("server CPU per order", found.cpu_ms, "ms"),
    ]


def measure_sync(folder: Path) -> list[Row]:
    """Three marketplaces of 5,000 listings each unthrottled; then Amazon by patches alone, under quota."""
    rows: list[Row] = []
    for kind in ("shopify", "amazon", "ebay"):
        with running_instance(folder / kind, api_processes=1) as instance:
            lag = asyncio.run(measure_lag(instance, folder, kind, listings=5_000, per_second=50, seconds=20))
        rows += [
            Row(f"{kind}: 50 changes/s to acknowledged, p50", 1_000 * lag.percentile(0.5), "ms"),
            Row(f"{kind}: 50 changes/s to acknowledged, p99", 1_000 * lag.percentile(0.99), "ms", most=1_000),
            Row(f"{kind}: changes never acknowledged", float(lag.missing), most=0.5),
        ]
    with running_instance(folder / "quota", api_processes=1) as instance:
        ratio = asyncio.run(measure_convergence(instance, folder, listings=400, rate=10, burst=10))
    rows.append(Row("converging under quota / its lower bound", ratio, most=1.15))
    with running_instance(folder / "zero", api_processes=1) as instance:
        zero = asyncio.run(measure_zeros(instance, folder, listings=20_000, zeros=100, seconds=60))
    return [
        *rows,
        Row("100 zeros among 20,000 dirty listings at 5/s, p50", zero.percentile(0.5), "s"),
        Row("100 zeros among 20,000 dirty listings at 5/s, slowest", zero.percentile(1.0), "s", most=3),
        Row("zeros never acknowledged", float(zero.missing), most=0.5),
    ]


def report_rows(rows: Sequence[Row], load: float, path: Path) -> int:
    """Print them and write them to `path`. `load`: average before the run. Returns the exit code: 1 for a bar missed."""
    table = Table("what", "measured", "bar", "met", title=f"load average before: {load:.2f}")
    for row in rows:
        table.add_row(row.name, f"{row.value:,.3g} {row.unit}".rstrip(), row.bar, row.met)
    Console().print(table)
    report: dict[str, Any] = {
        "load_average": load,
        "rows": [{"name": r.name, "value": r.value, "unit": r.unit, "bar": r.bar, "met": r.met} for r in rows],
    }
    path.write_text(json.dumps(report, indent=2) + "\n")
    return int(any(row.met == "NO" for row in rows))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of %(default)s")
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--requests", type=int, default=3_000, help="of each kind in a turn")
    parser.add_argument("--skus", type=int, default=10_000)
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    asked = parser.parse_args()
    load, rows = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory(prefix="onhand-bench-") as name:
        folder = Path(name)
        if "stock" in asked.parts:
            rows += measure_stock(folder, asked.turns, asked.requests, asked.skus)
        if "live" in asked.parts:
            rows += measure_subscriptions(folder)
        if "orders" in asked.parts:
            rows += measure_webhooks(folder)
        if "routing" in asked.parts:
            rows += measure_orders_routed(folder, asked.turns, asked.requests)
        if "sync" in asked.parts:
            rows += measure_sync(folder)
    raise SystemExit(report_rows(rows, load, asked.json))


if __name__ == "__main__":
    main()
