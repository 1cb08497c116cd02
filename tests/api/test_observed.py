"""What can be seen from outside: spans, metrics, and the request's id wherever its change is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY

from app.embedded import free_port
from app.metrics import serving_metrics
from app.settings import Settings
from app.tracing import traces_url, tracing_to
from tests.company import Client, make_company, make_secret, running_app

RESERVE = """
mutation Hold($input: ReservationCreateInput!) {
  reservationCreate(input: $input) { reservation { id } userErrors { code } }
}
"""


@pytest.fixture(scope="module")
async def client(module_settings: Settings) -> AsyncIterator[Client]:
    async with running_app(module_settings) as (app, http):
        found = Client(http, await make_secret(app._rest.state.onhand))
        await make_company(found)
        yield found


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    with tracing_to(SimpleSpanProcessor(exporter), "onhand tests"):
        yield exporter


def named(exporter: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    return [span for span in exporter.get_finished_spans() if span.name == name]


def reservation(quantity: int = 1) -> dict[str, Any]:
    return {"input": {"lines": [{"sku": "SKU-0", "quantity": quantity, "warehouse": "BER"}]}}


async def post(client: Client, query: str, variables: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    body = {"query": query, "variables": variables or {}}
    return await client.http.post(
        "/graphql", json=body, headers={"authorization": f"Bearer {client.secret}", **headers}
    )


async def test_a_request_an_operation_and_its_transaction_are_one_trace(
    client: Client, spans: InMemorySpanExporter
) -> None:
    trace_id, caller = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    adjust = 'mutation { stockAdjust(input: {warehouse: "BER", reason: "COUNT", lines: [{sku: "SKU-0", delta: 1}]}) { userErrors { code } } }'
    headers = {"traceparent": f"00-{trace_id}-{caller}-01", "x-request-id": "traced-1"}
    await post(client, adjust, None, **headers)
    (request,) = named(spans, "POST /graphql")
    (operation,) = named(spans, "mutation stockAdjust")
    (transaction,) = named(spans, "transaction")
    for span in (request, operation, transaction):
        assert span.context is not None
        assert f"{span.context.trace_id:032x}" == trace_id
    assert request.parent is not None
    assert f"{request.parent.span_id:016x}" == caller
    assert operation.parent == request.context
    assert transaction.parent == operation.context
    assert request.attributes is not None
    assert request.attributes["onhand.request_id"] == "traced-1"
    assert request.attributes["http.response.status_code"] == 200


async def test_a_combined_batch_links_to_every_request_it_carries(client: Client, spans: InMemorySpanExporter) -> None:
    await asyncio.gather(*(post(client, RESERVE, reservation()) for _ in range(12)))
    operations = {span.context.span_id for span in named(spans, "mutation reservationCreate") if span.context}
    batches = named(spans, "combined batch")
    linked = [link.context.span_id for batch in batches for link in batch.links]
    assert sorted(linked) == sorted(operations)
    assert len(batches) < len(linked) == 12
    for batch in batches:
        assert batch.parent is None
        assert batch.attributes is not None
        assert batch.attributes["onhand.commands"] == len(batch.links)
    transactions = named(spans, "transaction")
    assert all(span.parent in [batch.context for batch in batches] for span in transactions)
    assert len(transactions) == len(batches)


async def test_nothing_is_traced_without_an_endpoint(client: Client) -> None:
    exporter = InMemorySpanExporter()
    with tracing_to(SimpleSpanProcessor(exporter), "onhand tests"):
        pass
    await post(client, RESERVE, reservation())
    assert exporter.get_finished_spans() == ()


def test_a_collector_is_named_by_its_root_or_by_its_path() -> None:
    assert (
        traces_url("http://collector:4318") == traces_url("http://collector:4318/") == "http://collector:4318/v1/traces"
    )
    assert traces_url("http://collector:4318/v1/traces") == "http://collector:4318/v1/traces"


async def test_the_request_id_is_kept_with_the_movement(client: Client) -> None:
    made = await post(client, RESERVE, reservation(), **{"x-request-id": "order-desk-7"})
    assert made.headers["x-request-id"] == "order-desk-7"
    nodes = await client.data(
        '{ stockMovements(filter: {reasons: ["RESERVATION"]}, first: 250) { nodes { requestId actor } } }'
    )
    assert "order-desk-7" in [node["requestId"] for node in nodes["stockMovements"]["nodes"]]


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_metrics_count_operations_refusals_and_batches(client: Client) -> None:
    asked = {"operation": "reservationCreate", "outcome": "ok"}
    refused = {"mutation": "ReservationCreate", "code": "INSUFFICIENT_STOCK"}
    done = {"mutation": "ReservationCreate", "code": "OK"}
    before = [
        value("onhand_requests_total", **asked),
        value("onhand_mutations_total", **refused),
        value("onhand_mutations_total", **done),
        value("onhand_combine_batch_size_count"),
    ]
    await post(client, RESERVE, reservation(10**6))
    await post(client, RESERVE, reservation())
    after = [
        value("onhand_requests_total", **asked),
        value("onhand_mutations_total", **refused),
        value("onhand_mutations_total", **done),
        value("onhand_combine_batch_size_count"),
    ]
    assert [new - old for new, old in zip(after, before, strict=True)] == [2, 1, 1, 2]
    assert value("onhand_request_seconds_count", operation="reservationCreate") >= 2


async def test_metrics_do_not_grow_with_what_clients_send(client: Client) -> None:
    """Names are the client's own; the labels are the schema's."""
    for number in range(5):
        await post(client, f"query Mine{number} {{ __typename me {{ name }} x{number}: me {{ name }} }}")
        await post(client, f"query Yours{number} {{ y{number}: me {{ name }} }}")
        await post(client, f"{{ nothing{number} }}")
    text = (await client.http.get("/metrics")).text
    assert "Mine" not in text
    assert "nothing" not in text
    labels = {line.split('operation="')[1].split('"')[0] for line in text.splitlines() if 'operation="' in line}
    assert {"me", "several", "none"} <= labels
    for name in (
        "onhand_feed_lag_seconds",
        "onhand_subscribers",
        "onhand_push_lag_seconds",
        "onhand_combine_batch_size",
        "onhand_deliveries_total",
    ):
        assert f"# HELP {name.removesuffix('_total')}" in text


async def test_metrics_are_shown_to_who_has_their_token(settings: Settings) -> None:
    token = "prometheus-of-the-warehouse"
    async with running_app(settings.model_copy(update={"metrics_token": token})) as (_, http):
        for given in ({}, {"authorization": token}, {"authorization": f"Bearer {token}x"}):
            refused = await http.get("/metrics", headers=given)
            assert (refused.status_code, "onhand_" in refused.text) == (401, False)
        assert "onhand_subscribers" in (await http.get("/metrics", headers={"authorization": f"Bearer {token}"})).text


async def test_a_process_serves_its_own_metrics(settings: Settings) -> None:
    """A worker has no other door; API processes that share a port are told apart by it."""
    port = free_port()
    with serving_metrics(settings.model_copy(update={"metrics_port": port})):
        async with httpx.AsyncClient() as http:
            assert "onhand_push_lag_seconds" in (await http.get(f"http://127.0.0.1:{port}/metrics")).text
        with serving_metrics(settings.model_copy(update={"metrics_port": port})):
            pass  # taken: it goes on without
    with serving_metrics(settings):
        pass
