"""python -m tests.simulation.week --seed 7 --days 7"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.simulation.week.run_week import run_week


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.week")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--day-seconds", type=float, default=40.0)
    parser.add_argument("--skus", type=int, default=24)
    parser.add_argument("--markets", default="shopify,ebay", help="of shopify, amazon, ebay; empty for none")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="onhand-week-") as folder:
        report = asyncio.run(
            run_week(
                Path(folder),
                seed=asked.seed,
                days=asked.days,
                day_seconds=asked.day_seconds,
                skus=asked.skus,
                markets=[kind for kind in asked.markets.split(",") if kind],
            )
        )
    for name, value in report.items():
        sys.stdout.write(f"{name}: {value}\n")


if __name__ == "__main__":
    main()
