"""Reservations on one SKU and on many, a page of levels, and the trivial query they are compared with."""

from __future__ import annotations

from functools import partial
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


async def run(url: str, token: str, pids: list[int], *, requests: int, skus: int) -> dict[str, Outcome]:
    """Measure side by side in one run."""

    async def load(body_of: Any, count: int = requests) -> Outcome:
        return await run_load(url, token, pids, clients=CLIENTS, requests=count, body_of=body_of)

    await load(lambda _: TYPENAME, 500)
    await load(lambda n: _reserve(f"BENCH-{n % skus}"), 500)
    return {
        "typename": await load(lambda _: TYPENAME),
        "hot": await load(lambda _: _reserve("BENCH-0")),
        "many": await load(lambda n: _reserve(f"BENCH-{n * 7919 % skus}")),
        "page": await load(lambda _: {"query": PAGE}, max(200, requests // 10)),
    }
