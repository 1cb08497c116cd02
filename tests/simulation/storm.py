"""A storm over the live part: many changes, subscribers that come and go, and servers killed among them.

Every subscriber checks what it gets as it comes: each change of a level has the next version, never the same one
and never one further; a fresh snapshot comes only to who asked for one or left in the middle of one; and at the
end each has the exact state of the database.

`python -m tests.simulation.storm --changes 10000 --subscribers 500` runs it in full size.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import secrets
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import orjson
import psutil
import uvloop

from app.tasks import end_tasks
from domain.cursor import UNFINISHED
from tests.bench.load import encode_request, exchange
from tests.instance import Running, running_instance
from tests.subscriber import Subscriber, encode_subscribe, subscribe
from tests.within import until, within

WATCH = """
subscription Storm($after: String, $filter: StockFilter) {
  stockChanged(after: $after, filter: $filter) {
    cursor kind cursorExpired level { version available reserved sku { code } warehouse { code } }
  }
}
"""
RECEIVE = "mutation($i: StockReceiveInput!) { stockReceive(input: $i) { userErrors { code } } }"
RESERVE = "mutation($i: ReservationCreateInput!) { reservationCreate(input: $i) { userErrors { code } } }"
LEVELS = "{ stockLevels(first: 250) { nodes { version available reserved sku { code } warehouse { code } } } }"
WAREHOUSES = ("STORM-A", "STORM-B")
SKUS = tuple(f"STORM-{number}" for number in range(10))
ATTEMPTS_MAX = 200
AGAIN_SECONDS = 0.1
WRITERS = 4
Key = tuple[str, str]
State = tuple[int, int, int]
"""Version, available, reserved."""


@dataclass(frozen=True, slots=True)
class Storm:
    """How much of it. A subscriber stays for `stay_seconds` on average, then leaves and comes back with its cursor."""

    seed: int
    changes: int = 1_200
    changes_per_second: float = 200.0
    subscribers: int = 40
    stay_seconds: float = 1.5
    valkey_kills: int = 2
    api_kills: int = 1
    settle_seconds: float = 20.0


@dataclass(slots=True)
class Tally:
    """What happened."""

    changes: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


class Follower:
    """One subscriber over all its connections."""

    def __init__(self, number: int, chance: random.Random, tally: Tally) -> None:
        self.number = number
        self.filter = chance.choice(
            [None, None, {"warehouses": [chance.choice(WAREHOUSES)]}, {"skus": chance.sample(SKUS, 3)}]
        )
        self.levels: dict[Key, State] = {}
        self._chance = chance
        self._tally = tally
        self._cursor: str | None = None
        self._asked_fresh = True
        self._ready = asyncio.Event()

    def wants(self, key: Key) -> bool:
        asked = self.filter or {}
        return key[0] in asked.get("skus", [key[0]]) and key[1] in asked.get("warehouses", [key[1]])

    async def follow(self, url: str, token: str, stay_seconds: float) -> None:
        """Subscribe, stay a while, leave in one way or another, and come back."""
        while True:
            socket = await self._join(url, token)
            try:
                await self._stay(socket, self._chance.expovariate(1 / stay_seconds))
            finally:
                socket.abort()
            self._tally.counts["left"] += 1

    async def _stay(self, socket: Subscriber, seconds: float) -> None:
        if self._chance.random() < 0.3:
            socket.pause()  # slow for a moment
            await asyncio.sleep(min(seconds, 0.2))
            socket.resume()
        await asyncio.wait([socket.closed], timeout=seconds)

    async def _join(self, url: str, token: str) -> Subscriber:
        for _ in range(ATTEMPTS_MAX):
            self._asked_fresh = self._cursor in (None, UNFINISHED)
            self._ready.clear()
            frame = encode_subscribe(WATCH, {"after": self._cursor, "filter": self.filter}, secrets.token_hex(8))
            try:
                return await subscribe(url, token, frame, self._take)
            except (OSError, TimeoutError):
                self._tally.counts["refused"] += 1
                await asyncio.sleep(self._chance.random() * 2 * AGAIN_SECONDS)
        raise TimeoutError(f"subscriber {self.number} cannot connect")

    def _take(self, message: bytes) -> None:
        found = orjson.loads(message)
        if found["type"] != "next" or "errors" in found["payload"]:
            self._complain(f"got {found}")
            return
        event = found["payload"]["data"]["stockChanged"]
        if event["cursorExpired"] and not self._asked_fresh:
            self._complain(f"the cursor {self._cursor} expired")
        self._tally.counts[event["kind"]] += 1
        if event["kind"] != "READY":
            self._take_level(event["kind"], event["level"])
        self._cursor = event["cursor"]

    def _take_level(self, kind: str, level: dict[str, Any]) -> None:
        key = (level["sku"]["code"], level["warehouse"]["code"])
        state = (level["version"], level["available"], level["reserved"])
        known = self.levels.get(key, (0, 0, 0))
        if not self.wants(key):
            self._complain(f"{key} was not asked for")
        if kind == "SNAPSHOT" and state[0] < known[0]:
            self._complain(f"{key} went back from {known} to {state}")
        if kind == "CHANGE" and state[0] != known[0] + 1:
            self._complain(f"{key} went from {known} to {state} at {self._cursor}")
        self.levels[key] = state

    def _complain(self, problem: str) -> None:
        self._tally.problems.append(f"subscriber {self.number}: {problem}")


class Writer:
    """Makes changes; each has a key, so that one whose answer was lost can be asked for again."""

    def __init__(self, instance: Running, chance: random.Random, tally: Tally) -> None:
        self._instance = instance
        self._chance = chance
        self._tally = tally

    async def write(self, changes: int, per_second: float) -> None:
        started, made = time.monotonic(), 0
        while made < changes:
            skus = self._chance.sample(SKUS, min(self._chance.randint(1, 3), changes - made))
            lines = [{"sku": sku, "quantity": 1} for sku in skus]
            warehouse = self._chance.choice(WAREHOUSES)
            if self._chance.random() < 0.5:
                body = {"query": RECEIVE, "variables": {"i": {"warehouse": warehouse, "lines": lines}}}
            else:
                body = {"query": RESERVE, "variables": {"i": {"lines": [{**x, "warehouse": warehouse} for x in lines]}}}
            body["variables"]["i"]["idempotencyKey"] = secrets.token_hex(16)  # type: ignore[index]
            await ask(self._instance, body)
            made += len(skus)
            self._tally.changes += len(skus)
            await asyncio.sleep(max(0.0, started + made / per_second - time.monotonic()))


async def ask(instance: Running, body: dict[str, Any]) -> dict[str, Any]:
    """One operation, tried again until it is answered."""
    parts = urlsplit(instance.graphql)
    request = encode_request(parts.path, parts.netloc, instance.token, body)
    for _ in range(ATTEMPTS_MAX):
        try:
            reader, writer = await within(5, asyncio.open_connection(parts.hostname, parts.port))
            try:
                answer = orjson.loads(await within(10, exchange(reader, writer, request)))
            finally:
                writer.close()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        assert not any((payload or {}).get("userErrors") for payload in data.values()), answer
        return data
    raise TimeoutError("no answer")


async def prepare(instance: Running) -> None:
    create = "mutation($i: WarehouseCreateInput!) { warehouseCreate(input: $i) { userErrors { code } } }"
    for code in WAREHOUSES:
        await ask(instance, {"query": create, "variables": {"i": {"code": code, "name": "Storm"}}})
    upsert = "mutation($i: SkuUpsertInput!) { skuUpsert(input: $i) { userErrors { code } } }"
    await ask(instance, {"query": upsert, "variables": {"i": {"lines": [{"code": sku} for sku in SKUS]}}})
    lines = [{"sku": sku, "quantity": 1_000_000} for sku in SKUS]
    for code in WAREHOUSES:
        await ask(instance, {"query": RECEIVE, "variables": {"i": {"warehouse": code, "lines": lines}}})


async def read_levels(instance: Running) -> dict[Key, State]:
    """What the database says."""
    nodes = (await ask(instance, {"query": LEVELS}))["stockLevels"]["nodes"]
    return {
        (n["sku"]["code"], n["warehouse"]["code"]): (n["version"], n["available"], n["reserved"])
        for n in nodes
        if n["sku"]["code"] in SKUS
    }


async def hold_back(url: str, chance: random.Random) -> None:
    """Transactions that stay open for a moment, so that commits overtake each other."""
    connection = await asyncpg.connect(url)
    try:
        while True:
            async with connection.transaction():
                await connection.execute("SELECT pg_current_xact_id()")
                await asyncio.sleep(chance.random() * 0.3)
            await asyncio.sleep(chance.random() * 0.3)
    finally:
        connection.terminate()


async def kill_servers(instance: Running, storm: Storm, tally: Tally, chance: random.Random) -> None:
    """Valkey and an API process, at moments spread over the storm."""
    victims = ["valkey"] * storm.valkey_kills + ["api"] * storm.api_kills
    chance.shuffle(victims)
    for number, victim in enumerate(victims, 1):
        at = storm.changes * number / (len(victims) + 1)
        await until(lambda at=at: tally.changes >= at, 3_600)  # type: ignore[misc]
        os.kill(_find_pid(instance, victim), signal.SIGKILL)
        tally.counts[f"{victim} killed"] += 1


def _find_pid(instance: Running, victim: str) -> int:
    children = psutil.Process(instance.process.pid).children(recursive=True)
    wanted = "valkey" if victim == "valkey" else "app.serve"
    return next(child.pid for child in children if any(wanted in part for part in child.cmdline()))


@asynccontextmanager
async def running(*works: Any) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield tasks
    finally:
        await end_tasks(*tasks)


async def run_storm(instance: Running, storm: Storm) -> dict[str, Any]:
    """Raises `AssertionError`, with the seed, when a subscriber got anything but every change once."""
    chance, tally, started = random.Random(storm.seed), Tally(), time.monotonic()
    await prepare(instance)
    followers = [Follower(n, random.Random(chance.random()), tally) for n in range(storm.subscribers)]
    writers = [Writer(instance, random.Random(chance.random()), tally) for _ in range(WRITERS)]
    blockers = hold_back(instance.info["database_url"], random.Random(chance.random()))
    following = [one.follow(instance.graphql, instance.token, storm.stay_seconds) for one in followers]
    async with running(*following) as tasks:
        share, pace = storm.changes // WRITERS, storm.changes_per_second / WRITERS
        async with running(blockers), running(kill_servers(instance, storm, tally, chance)) as (killing,):
            await asyncio.gather(*(writer.write(share, pace) for writer in writers))
            await within(10, killing)
        final = await read_levels(instance)
        expected = [{key: state for key, state in final.items() if one.wants(key)} for one in followers]

        def is_over() -> bool:
            have = [one.levels for one in followers]
            return bool(tally.problems) or have == expected or any(task.done() for task in tasks)

        with contextlib.suppress(TimeoutError):
            await until(is_over, storm.settle_seconds, 0.05)
        for task in tasks:
            if task.done():
                tally.problems.append(f"a subscriber ended: {task.exception()!r}")
    for one, wanted in zip(followers, expected, strict=True):
        if one.levels != wanted:
            differing = {
                key: (one.levels.get(key), wanted[key]) for key in wanted if one.levels.get(key) != wanted[key]
            }
            tally.problems.append(f"subscriber {one.number} ended with (it, database): {differing}")
    assert not tally.problems, f"seed {storm.seed}, {len(tally.problems)} problems: {tally.problems[:5]}"
    return {**asdict(storm), "seconds": round(time.monotonic() - started, 1), **tally.counts}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation.storm")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--changes-per-second", type=float, default=60.0)
    parser.add_argument("--subscribers", type=int, default=500)
    parser.add_argument("--stay-seconds", type=float, default=10.0)
    parser.add_argument("--settle-seconds", type=float, default=60.0)
    storm = Storm(**vars(parser.parse_args()))
    with (
        tempfile.TemporaryDirectory(prefix="onhand-storm-") as folder,
        running_instance(Path(folder) / "data", api_processes=2) as instance,
    ):
        print(json.dumps(uvloop.run(run_storm(instance, storm)), indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
