"""Reservations on one SKU and on many, a page of levels, and the trivial query they are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import orjson

from tests.bench.load import Outcome, run_load

CLIENTS = 32
TYPENAME = {"query": "{ __typename }"}
RESERVE = """
mutation Reserve($input: ReservationCreateInput!) {
  reservationCreate(input: $input) { reservation { id } userErrors { code message } }
}
"""
PAGE = """
query Page { stockLevels(first: 100) { nodes {
  onHand available reserved version sku { code title } warehouse { code } } } }
"""


async def prepare(url: str, token: str, skus: int) -> None:
    """One warehouse and `skus` SKUs with a million units each."""
    operations: list[Any] = [
        {"query": 'mutation { warehouseCreate(input: {code: "BENCH", name: "Bench"}) { userErrors { code } } }'}
    ]
    upsert = "mutation($i: SkuUpsertInput!) { skuUpsert(input: $i) { userErrors { code } } }"
    receive = "mutation($i: StockReceiveInput!) { stockReceive(input: $i) { userErrors { code } } }"
    for start in range(0, skus, 1_000):
        codes = [f"BENCH-{n}" for n in range(start, min(start + 1_000, skus))]
        operations.append({"query": upsert, "variables": {"i": {"lines": [{"code": c} for c in codes]}}})
        lines = [{"sku": c, "quantity": 1_000_000} for c in codes]
        operations.append({"query": receive, "variables": {"i": {"warehouse": "BENCH", "lines": lines}}})
    for operation in operations:
        body_of = partial(_always, operation)
        done = await run_load(url, token, [], clients=1, requests=1, body_of=body_of, keep_answers=True)
        answer = orjson.loads(done.answers[0])
        assert "errors" not in answer, answer


def _always(operation: Any, _: int) -> Any:
    return operation


def _reserve(sku: str) -> dict[str, Any]:
    line = {"sku": sku, "quantity": 1, "warehouse": "BENCH"}
    return {"query": RESERVE, "variables": {"input": {"lines": [line], "expiresInSeconds": 86_400}}}


@dataclass(frozen=True, slots=True)
class Medians:
    """Of all turns of one load."""

    per_second: float
    cpu_ms: float
    p99_ms: float


async def measure(url: str, token: str, pids: list[int], *, turns: int, requests: int, skus: int) -> dict[str, Medians]:
    """Every load in turn, `turns` times, so that a machine that drifts drifts for all of them alike."""
    await prepare(url, token, skus)
    bodies: dict[str, tuple[Any, int]] = {
        "typename": (lambda _: TYPENAME, 2 * requests),
        "hot": (lambda _: _reserve("BENCH-0"), requests),
        "many": (lambda n: _reserve(f"BENCH-{n * 7919 % skus}"), requests),
        "page": (lambda _: {"query": PAGE}, max(100, requests // 15)),
    }
    found: dict[str, list[Outcome]] = {name: [] for name in bodies}
    for turn in range(turns + 1):
        for name, (body_of, count) in bodies.items():
            outcome = await run_load(url, token, pids, clients=CLIENTS, requests=count, body_of=body_of)
            if turn:  # the first one warms up
                found[name].append(outcome)
    return {
        name: Medians(
            median(outcome.per_second for outcome in outcomes),
            median(outcome.cpu_ms for outcome in outcomes),
            median(outcome.percentile_ms(0.99) for outcome in outcomes),
        )
        for name, outcomes in found.items()
    }
