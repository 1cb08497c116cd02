"""Live subscriptions: how late a change comes, what a delivery costs the server, what an idle subscriber holds.

`python -m tests.bench.live` starts an instance of its own; `measure_live` measures one that runs already.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import psutil
import uvloop

from tests.bench.load import cpu_seconds, encode_request, exchange, run_load
from tests.instance import running_instance
from tests.subscriber import Subscriber, encode_subscribe, subscribe
from tests.within import until

TYPENAME = {"query": "{ __typename }"}
WATCH = """
subscription Live($warehouses: [String!]) {
  stockChanged(filter: {warehouses: $warehouses}) {
    cursor kind level { onHand available reserved version sku { code } warehouse { code } }
  }
}
"""
ADJUST = """
mutation Adjust($input: StockAdjustInput!) {
  stockAdjust(input: $input) { levels { version } userErrors { code } }
}
"""
WAREHOUSE, SKU, SKUS = "LIVE", "LIVE-0", 20
VERSION, READY = b'"version":', b'"kind":"READY"'
JOINING_MAX = 50
"""Connections opened at once."""
SETTLE_SECONDS = 1.0
WAIT_SECONDS_MAX = 60.0


class Tally:
    """What all subscribers got: per delivery the change's version and when it came."""

    def __init__(self) -> None:
        self.ready = 0
        self.deliveries: list[tuple[int, float]] = []

    def take(self, message: bytes) -> None:
        now = time.perf_counter()
        at = message.find(VERSION)
        if at < 0:
            self.ready += READY in message
            return
        start = at + len(VERSION)
        end = start
        while message[end] in b"0123456789":
            end += 1
        self.deliveries.append((int(message[start:end]), now))


async def measure_live(
    url: str,
    token: str,
    pids: list[int],
    *,
    subscribers: int = 500,
    changes_per_second: float = 10.0,
    seconds: float = 10.0,
    idle: int = 1_000,
    requests: int = 4_000,
) -> dict[str, float]:
    """Measure one running instance; `pids` are its API processes.

    The delay of a delivery counts from sending the mutation, so it holds the whole commit too. The CPU of a
    delivery is what the server spends beyond the same changes without a subscriber.
    """
    await _prepare(url, token)
    trivial = await run_load(url, token, pids, clients=32, requests=requests, body_of=lambda _: TYPENAME)
    alone_cpu, _ = await _change(url, token, pids, changes_per_second, seconds)
    tally = Tally()
    async with contextlib.AsyncExitStack() as stack:
        joined_at = time.perf_counter()
        await _join(stack, url, token, subscribers, tally)
        join_seconds = time.perf_counter() - joined_at
        tally.deliveries.clear()
        cpu, sent = await _change(url, token, pids, changes_per_second, seconds, tally, subscribers)
        delays = sorted(at - sent[version] for version, at in tally.deliveries)
        memory = _resident_bytes(pids)
        await _join(stack, url, token, idle, tally)
        held = _resident_bytes(pids) - memory
    delivery_ms = 1_000 * (cpu - alone_cpu) / len(delays)
    return {
        "subscribers": subscribers,
        "changes": len(sent),
        "deliveries": len(delays),
        "p50_ms": 1_000 * delays[len(delays) // 2],
        "p99_ms": 1_000 * delays[int(len(delays) * 0.99)],
        "max_ms": 1_000 * delays[-1],
        "trivial_cpu_ms": trivial.cpu_ms,
        "delivery_cpu_ms": delivery_ms,
        "delivery_to_trivial": delivery_ms / trivial.cpu_ms,
        "join_seconds": join_seconds,
        "idle_mb_per_1000": held / 1e6 / idle * 1_000,
    }


async def _prepare(url: str, token: str) -> None:
    upsert = "mutation($i: SkuUpsertInput!) { skuUpsert(input: $i) { userErrors { code } } }"
    receive = "mutation($i: StockReceiveInput!) { stockReceive(input: $i) { userErrors { code } } }"
    warehouse = (
        f'mutation {{ warehouseCreate(input: {{code: "{WAREHOUSE}", name: "Live"}}) {{ userErrors {{ code }} }} }}'
    )
    codes = [f"LIVE-{number}" for number in range(SKUS)]
    lines = [{"sku": code, "quantity": 1_000_000} for code in codes]
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    for body in (
        {"query": warehouse},
        {"query": upsert, "variables": {"i": {"lines": [{"code": code} for code in codes]}}},
        {"query": receive, "variables": {"i": {"warehouse": WAREHOUSE, "lines": lines}}},
    ):
        answer = orjson.loads(await exchange(reader, writer, encode_request(parts.path, parts.netloc, token, body)))
        assert "errors" not in answer, answer
    writer.close()


async def _join(stack: contextlib.AsyncExitStack, url: str, token: str, count: int, tally: Tally) -> None:
    """`count` more subscribers, each of them READY."""
    frame = encode_subscribe(WATCH, {"warehouses": [WAREHOUSE]})
    gate = asyncio.Semaphore(JOINING_MAX)

    async def join() -> Subscriber:
        async with gate:
            return await subscribe(url, token, frame, tally.take)

    wanted = tally.ready + count
    for made in await asyncio.gather(*(join() for _ in range(count))):
        stack.callback(made.abort)
    await until(lambda: tally.ready >= wanted, WAIT_SECONDS_MAX)
    await asyncio.sleep(SETTLE_SECONDS)


async def _change(
    url: str,
    token: str,
    pids: list[int],
    per_second: float,
    seconds: float,
    tally: Tally | None = None,
    subscribers: int = 0,
) -> tuple[float, dict[int, float]]:
    """Change one level steadily; the server's CPU seconds meanwhile, and when each version was asked for."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    line = {"sku": SKU, "delta": -1}
    body = {"query": ADJUST, "variables": {"input": {"warehouse": WAREHOUSE, "reason": "CORRECTION", "lines": [line]}}}
    request = encode_request(parts.path, parts.netloc, token, body)
    sent: dict[int, float] = {}
    cpu, started = cpu_seconds(pids), time.perf_counter()
    for number in range(int(per_second * seconds)):
        await asyncio.sleep(max(0.0, started + number / per_second - time.perf_counter()))
        asked_at = time.perf_counter()
        answer = orjson.loads(await exchange(reader, writer, request))["data"]["stockAdjust"]
        sent[answer["levels"][0]["version"]] = asked_at
    writer.close()
    if tally is not None:
        await until(lambda: len(tally.deliveries) >= subscribers * len(sent), WAIT_SECONDS_MAX)
    await asyncio.sleep(max(0.0, started + seconds + SETTLE_SECONDS - time.perf_counter()))
    return cpu_seconds(pids) - cpu, sent


def _resident_bytes(pids: list[int]) -> int:
    return sum(int(psutil.Process(pid).memory_info().rss) for pid in pids)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.live")
    parser.add_argument("--subscribers", type=int, default=500)
    parser.add_argument("--changes-per-second", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--idle", type=int, default=1_000)
    asked: dict[str, Any] = vars(parser.parse_args())
    with (
        tempfile.TemporaryDirectory(prefix="onhand-bench-") as folder,
        running_instance(Path(folder) / "data", api_processes=1) as instance,
    ):
        found = uvloop.run(measure_live(instance.graphql, instance.token, instance.info["api_pids"], **asked))
    print(json.dumps({name: round(value, 4) for name, value in found.items()}, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
