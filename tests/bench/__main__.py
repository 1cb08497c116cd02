"""`make bench`: an instance of its own, the loads one after another in one run, ratios in a table, JSON in a file.

The load generator shares the machine with the server, and machines drift, so only ratios within a run count.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console
from rich.table import Table

from tests.bench import stock
from tests.bench.load import Outcome
from tests.instance import Running, running_instance


async def _measure(instance: Running, requests: int, skus: int) -> dict[str, Outcome]:
    await stock.prepare(instance.graphql, instance.token, skus)
    return await stock.run(instance.graphql, instance.token, instance.info["api_pids"], requests=requests, skus=skus)


def _rows(found: dict[str, Outcome]) -> list[tuple[str, str, str]]:
    trivial, hot, many, page = (found[name] for name in ("typename", "hot", "many", "page"))
    return [
        ("hot SKU / many SKUs, throughput", f"{hot.per_second / many.per_second:.2f}", ">= 0.8"),
        ("hot SKU / many SKUs, p99", f"{hot.percentile_ms(0.99) / many.percentile_ms(0.99):.2f}", "<= 2"),
        ("hot SKU / { __typename }, throughput", f"{hot.per_second / trivial.per_second:.2f}", ">= 0.5"),
        ("hot SKU / { __typename }, server CPU", f"{hot.cpu_ms / trivial.cpu_ms:.2f}", ""),
        ("page of 100 / { __typename }, server CPU", f"{page.cpu_ms / trivial.cpu_ms:.1f}", "<= 20"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--requests", type=int, default=8_000)
    parser.add_argument("--skus", type=int, default=10_000)
    parser.add_argument("--json", type=Path, default=Path("bench.json"))
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="onhand-bench-") as folder,
        running_instance(Path(folder) / "data", api_processes=1) as instance,
    ):
        load = os.getloadavg()[0]
        found = uvloop.run(_measure(instance, asked.requests, asked.skus))
    console = Console()
    table = Table("load", "per second", "server CPU ms", "p50 ms", "p99 ms", title=f"load average before: {load:.2f}")
    for name, outcome in found.items():
        numbers = (outcome.per_second, outcome.cpu_ms, outcome.percentile_ms(0.5), outcome.percentile_ms(0.99))
        table.add_row(name, f"{numbers[0]:.0f}", *(f"{number:.3f}" for number in numbers[1:]))
    console.print(table)
    ratios = Table("ratio", "measured", "bar")
    for row in _rows(found):
        ratios.add_row(*row)
    console.print(ratios)
    report: dict[str, Any] = {
        "load_average": load,
        "loads": {
            name: {
                "per_second": o.per_second,
                "cpu_ms": o.cpu_ms,
                "p50_ms": o.percentile_ms(0.5),
                "p99_ms": o.percentile_ms(0.99),
            }
            for name, o in found.items()
        },
        "ratios": {name: float(value) for name, value, _ in _rows(found)},
    }
    asked.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
