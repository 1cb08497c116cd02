"""Orders over the API at twenty warehouses: routed, promised and recorded, beside reservations in the same run.

Alone, one order after the other, for how long one takes; then from 32 clients in turns with reservations. Seconds of
deciding come from the decisions themselves.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import orjson

from tests.bench.load import Outcome, run_load
from tests.bench.stock import CLIENTS, RESERVE

HOUSES = 20
SKUS = 200
UNITS = 1_000_000
ORDER = """
mutation Order($input: OrderCreateInput!) {
  orderCreate(input: $input) { order { id status } userErrors { code message } }
}
"""


@dataclass(frozen=True, slots=True)
class RoutingFigures:
    """Milliseconds of one order alone, over HTTP; orders and reservations a second from 32 clients."""

    p50_ms: float
    p99_ms: float
    orders_per_second: float
    reservations_per_second: float
    cpu_ms: float


async def prepare(url: str, token: str) -> None:
    """Warehouses over Europe with a limit of orders a day, `SKUS` SKUs in each, and a channel that sells from all."""
    chance = random.Random(1)
    codes = [f"ROUTE-{n}" for n in range(SKUS)]
    lines = [{"code": code, "weightGrams": 100 * (1 + n % 20)} for n, code in enumerate(codes)]
    steps: list[tuple[str, dict[str, Any]]] = [("skuUpsert", {"lines": lines})]
    for number in range(HOUSES):
        place = {"latitude": chance.uniform(40, 58), "longitude": chance.uniform(-3, 22)}
        house = {"code": f"R{number:02}", "name": "Bench", "dailyOrderCapacity": UNITS, **place}
        stock = [{"sku": code, "quantity": UNITS} for code in codes]
        steps += [("warehouseCreate", house), ("stockReceive", {"warehouse": house["code"], "lines": stock})]
    sources = [{"warehouse": f"R{number:02}"} for number in range(HOUSES)]
    steps.append(("channelConnect", {"code": "routing", "name": "Bench", "warehouses": sources, "b2b": {}}))
    for name, given in steps:
        kind = name[0].upper() + name[1:]
        query = f"mutation($i: {kind}Input!) {{ {name}(input: $i) {{ userErrors {{ code message }} }} }}"
        await _send(url, token, {"query": query, "variables": {"i": given}})


async def _send(url: str, token: str, operation: Any) -> None:
    done = await run_load(url, token, [], clients=1, requests=1, body_of=partial(_always, operation), keep_answers=True)
    answer = orjson.loads(done.answers[0])
    assert "errors" not in answer, answer
    assert all(not made["userErrors"] for made in answer["data"].values()), answer


def _always(operation: Any, _: int) -> Any:
    return operation


def _order(number: int) -> dict[str, Any]:
    """One to four lines of one to three units, to a city in Germany."""
    chance = random.Random(number)
    skus = chance.sample(range(SKUS), chance.randint(1, 4))
    lines = [{"sku": f"ROUTE-{sku}", "quantity": chance.randint(1, 3)} for sku in skus]
    city = chance.choice(("Berlin", "Hamburg", "Munich", "Cologne", "Leipzig"))
    address = {"name": "A", "lines": ["Street 1"], "city": city, "countryCode": "DE"}
    return {"query": ORDER, "variables": {"input": {"channel": "routing", "lines": lines, "address": address}}}


def _reserve(number: int) -> dict[str, Any]:
    line = {"sku": f"ROUTE-{number * 7919 % SKUS}", "quantity": 1, "warehouse": f"R{number % HOUSES:02}"}
    return {"query": RESERVE, "variables": {"input": {"lines": [line], "expiresInSeconds": 86_400}}}


async def measure_routing(url: str, token: str, pids: list[int], *, turns: int, requests: int) -> RoutingFigures:
    await prepare(url, token)
    await run_load(url, token, pids, clients=1, requests=50, body_of=_order)  # finds places, warms plans
    alone = await run_load(url, token, pids, clients=1, requests=requests, body_of=_order, keep_answers=True)
    answers = [orjson.loads(answer)["data"]["orderCreate"] for answer in alone.answers]
    assert all(answer["order"]["status"] == "ALLOCATED" for answer in answers), answers[0]
    found: dict[str, list[Outcome]] = {"orders": [], "reservations": []}
    for turn in range(turns + 1):
        for name, body_of in (("orders", _order), ("reservations", _reserve)):
            outcome = await run_load(url, token, pids, clients=CLIENTS, requests=requests, body_of=body_of)
            if turn:
                found[name].append(outcome)
    return RoutingFigures(
        alone.percentile_ms(0.5),
        alone.percentile_ms(0.99),
        median(outcome.per_second for outcome in found["orders"]),
        median(outcome.per_second for outcome in found["reservations"]),
        median(outcome.cpu_ms for outcome in found["orders"]),
    )
