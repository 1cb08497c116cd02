"""Races over HTTP against two API processes: nothing is sold twice, every key has one effect, whatever dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest

from adapters.postgres.database import open_database
from app.stock.verify_ledger import verify_ledger
from tests.bench.load import encode_request, exchange
from tests.instance import Running, running_instance
from tests.within import within

RESERVE = """
mutation($input: ReservationCreateInput!) {
  reservationCreate(input: $input) { reservation { id } userErrors { code } }
}
"""
LEVELS = "{ stockLevels(first: 250) { nodes { available reserved sku { code } } } }"


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_instance(tmp_path_factory.mktemp("race") / "data", api_processes=2) as running:
        yield running


async def ask_once(host: str | None, port: int | None, request: bytes) -> bytes:
    """One request on a connection of its own."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        return await within(20, exchange(reader, writer, request))
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def send_all(instance: Running, bodies: Sequence[Any], connections: int, *, retry: bool = False) -> list[Any]:
    """Answers by the bodies' order; with `retry`, a broken connection is tried again until it answers."""
    parts = urlsplit(instance.graphql)
    answers: list[Any] = [None] * len(bodies)
    numbers = iter(range(len(bodies)))

    async def client() -> None:
        for number in numbers:
            request = encode_request(parts.path, parts.netloc, instance.token, bodies[number])
            while answers[number] is None:
                try:
                    answers[number] = orjson.loads(await ask_once(parts.hostname, parts.port, request))
                except (OSError, asyncio.IncompleteReadError):
                    if not retry:
                        break
                    await asyncio.sleep(0.05)

    await asyncio.gather(*(client() for _ in range(connections)))
    return answers


def reserve(lines: Sequence[tuple[str, int]], key: str | None = None) -> dict[str, Any]:
    wanted = [{"sku": sku, "quantity": quantity, "warehouse": "RACE"} for sku, quantity in lines]
    return {"query": RESERVE, "variables": {"input": {"lines": wanted, "idempotencyKey": key}}}


async def stock(instance: Running, units: dict[str, int]) -> None:
    """The warehouse and these SKUs with exactly these units."""
    bodies = [
        {"query": 'mutation { warehouseCreate(input: {code: "RACE", name: "Race"}) { userErrors { code } } }'},
        {
            "query": "mutation($i: SkuUpsertInput!) { skuUpsert(input: $i) { userErrors { code } } }",
            "variables": {"i": {"lines": [{"code": sku} for sku in units]}},
        },
        {
            "query": "mutation($i: StockReceiveInput!) { stockReceive(input: $i) { userErrors { code } } }",
            "variables": {"i": {"warehouse": "RACE", "lines": [{"sku": s, "quantity": n} for s, n in units.items()]}},
        },
    ]
    for body in bodies:
        (answer,) = await send_all(instance, [body], 1)
        assert "errors" not in answer, answer


async def assert_ledger_holds(instance: Running) -> None:
    async with open_database(
        instance.info["database_url"], pool_size=1, hot_pool_size=2, name="onhand tests"
    ) as database:
        assert (await verify_ledger(database)).problems == []


def outcome(answer: Any) -> str:
    """`ok` or the code of the refusal; anything else is a failure of the test."""
    assert "errors" not in answer, answer
    payload = answer["data"]["reservationCreate"]
    return "ok" if payload["reservation"] else payload["userErrors"][0]["code"]


async def test_fifty_units_four_hundred_buyers(instance: Running) -> None:
    await stock(instance, {"HOT": 50})
    answers = await send_all(instance, [reserve([("HOT", 1)])] * 400, 64)
    assert Counter(map(outcome, answers)) == {"ok": 50, "INSUFFICIENT_STOCK": 350}
    await assert_ledger_holds(instance)


async def test_mixed_reservations_over_six_hot_skus(instance: Running) -> None:
    chance = random.Random(7)
    units = {f"MIX-{n}": 120 for n in range(6)}
    await stock(instance, units)
    wanted = [
        [(sku, chance.randint(1, 3)) for sku in chance.sample(list(units), chance.randint(1, 6))] for _ in range(400)
    ]
    answers = await send_all(instance, [reserve(lines) for lines in wanted], 64)
    outcomes = [outcome(answer) for answer in answers]
    assert set(outcomes) == {"ok", "INSUFFICIENT_STOCK"}
    sold: Counter[str] = Counter()
    for lines, result in zip(wanted, outcomes, strict=True):
        if result == "ok":
            sold.update(dict(lines))
    (levels,) = await send_all(instance, [{"query": LEVELS}], 1)
    found = {n["sku"]["code"]: n for n in levels["data"]["stockLevels"]["nodes"]}
    assert {sku: found[sku]["reserved"] for sku in units} == {sku: sold[sku] for sku in units}
    await assert_ledger_holds(instance)


async def test_an_api_process_killed_among_two_thousand_keyed_reservations(instance: Running) -> None:
    await stock(instance, {"KILL": 100_000})
    bodies = [reserve([("KILL", 1)], f"key-{n}") for n in range(2_000)]

    async def kill() -> None:
        await asyncio.sleep(0.25)
        os.kill(instance.info["api_pids"][0], signal.SIGKILL)

    first, _ = await asyncio.gather(send_all(instance, bodies, 64), kill())
    second = await send_all(instance, bodies, 64, retry=True)
    ids = [answer["data"]["reservationCreate"]["reservation"]["id"] for answer in second]
    assert len(set(ids)) == 2_000
    for before, after in zip(first, ids, strict=True):
        assert before is None or before["data"]["reservationCreate"]["reservation"]["id"] == after
    (levels,) = await send_all(instance, [{"query": LEVELS}], 1)
    (level,) = [n for n in levels["data"]["stockLevels"]["nodes"] if n["sku"]["code"] == "KILL"]
    assert level["reserved"] == 2_000
    await assert_ledger_holds(instance)
