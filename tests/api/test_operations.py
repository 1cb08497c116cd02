"""The documents that dashboards, tablets, shops and partners really send: valid, cheap enough, and answered."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from graphql import OperationType, parse, validate

from api.compile_operation import compile_operation, run_operation
from api.context import Context
from api.documents import Documents, Operation
from api.execute import execute_operation
from api.schema import REQUIREMENTS, core
from app.settings import Settings
from app.state import State
from domain.identity import Principal, Role
from tests.api import (
    count_documents,
    floor_documents,
    fulfillment_documents,
    order_documents,
    routing_documents,
)
from tests.company import Client, make_company, make_secret, running_app
from tests.sockets import open_socket

FILES = sorted((Path(__file__).parents[2] / "graphql" / "operations").glob("*.graphql"))
TEXTS = {path.stem: path.read_text() for path in FILES}
NAMES = sorted(TEXTS)
STOCK = [{"sku": "SKU-0", "quantity": 3}]
GIVEN: dict[str, dict[str, Any]] = {
    "stock_page": {"filter": {"warehouses": ["BER"]}, "first": 50, "after": None},
    "stock_shortages": {"first": 20},
    "stock_explain": {"sku": "SKU-0", "warehouse": "BER"},
    "movement_history": {"filter": {"sku": "SKU-0", "reasons": ["RECEIPT"]}, "first": 50, "after": None},
    "sku_costs": {"first": 20, "after": None},
    "sku_search": {"search": "thing", "first": 20},
    "sku_scan": {"code": "400000"},
    "stock_receive": {"input": {"warehouse": "BER", "lines": STOCK, "reference": "PO-1"}},
    "stock_adjust": {"input": {"warehouse": "BER", "reason": "LOST", "lines": [{"sku": "SKU-0", "delta": -1}]}},
    "stock_set": {"input": {"warehouse": "BER", "lines": STOCK}},
    "safety_stock_set": {"input": {"warehouse": "BER", "lines": [{"sku": "SKU-2", "quantity": 5}]}},
    "reservation_create": {"input": {"lines": STOCK, "expiresInSeconds": 600, "reference": "cart"}},
    "reservation_extend": {"input": {"id": "", "expiresInSeconds": 900}},
    "reservation_release": {"input": {"id": ""}},
    "reservation_show": {"id": ""},
    "sku_import": {"input": {"lines": [{"code": "NEW", "title": "New"}]}},
    "partner_board": {},
    "partner_snapshot": {
        "input": {"warehouse": "BER", "asOf": "", "lines": [{"sku": "SKU-0", "onHand": 100}], "complete": False}
    },
    "partner_events": {"filter": {"states": ["PENDING"]}, "first": 20, "after": None},
    "live_stock": {"filter": {"warehouses": ["BER"]}},
    "who_am_i": {},
    "channel_overview": {},
    "shadow_report": {"channel": "direct"},
    "listing_page": {"filter": {"states": ["IN_SYNC"]}, "first": 50, "after": None},
    "channel_changes": {"channel": "direct"},
    "exposure_board": {"filter": {"channel": "direct"}},
    "exception_inbox": {"filter": {"states": ["OPEN"]}, "first": 50, "after": None},
    "sku_freeze": {"input": {"sku": "SKU-1"}},
    "live_listings": {"filter": {"channel": "direct"}},
    "live_exceptions": {"filter": {"severities": ["CRITICAL"]}},
    "live_failures": {"filter": {"channel": "direct"}},
    **count_documents.GIVEN,
    **floor_documents.GIVEN,
    **fulfillment_documents.GIVEN,
    **order_documents.GIVEN,
    **routing_documents.GIVEN,
}
QUERIES = [name for name in NAMES if "\nquery " in TEXTS[name]]
HOT = ("stock_page", "reservation_create", "sku_scan", "stock_receive", "order_page", "order_create")
"""Sent so often that they must be compiled into one function each."""
QUIET = ("live_exceptions", "live_failures", "live_alerts", "live_counts")
"""Streams whose snapshot is empty: nothing has gone wrong, or is planned."""


@pytest.fixture(scope="module")
async def shop(module_settings: Settings) -> AsyncIterator[tuple[Any, Client, State]]:
    sealed = module_settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    async with running_app(sealed) as (app, http):
        state = app._rest.state.onhand
        client = Client(http, await make_secret(state))
        await make_company(client)
        houses = [{"warehouse": "BER"}]
        await client.mutate("channelConnect", "", code="direct", name="Direct", warehouses=houses, b2b={})
        await client.mutate("listingLink", "", channel="direct", lines=[{"sku": "SKU-0", "externalId": "A-0"}])
        yield app, client, state


def prepare(name: str) -> Operation:
    settings = Settings(database_url="postgresql://nowhere/x", redis_url="redis://nowhere")
    return Documents(core, settings).prepare(TEXTS[name], None, GIVEN[name])


def test_every_document_is_tried() -> None:
    assert set(TEXTS) == set(GIVEN)


@pytest.mark.parametrize("name", NAMES)
def test_a_document_is_valid_and_named_like_its_file(name: str) -> None:
    assert validate(core, parse(TEXTS[name])) == []
    operation = prepare(name)
    assert operation.name == "".join(part.capitalize() for part in name.split("_"))
    assert TEXTS[name].startswith("# ")
    assert operation.measure.cost <= 1_000


@pytest.mark.parametrize("name", HOT)
def test_hot_documents_are_compiled(name: str) -> None:
    assert compile_operation(core, prepare(name), REQUIREMENTS) is not None


@pytest.mark.parametrize("name", NAMES)
async def test_a_document_is_answered(shop: tuple[Any, Client, State], name: str) -> None:
    app, client, state = shop
    variables = await count_documents.fill(client, state, name, dict(GIVEN[name]))
    variables = await fulfillment_documents.fill(client, state, name, variables)
    variables = await order_documents.fill(client, name, variables)
    variables = await routing_documents.fill(client, state, name, variables)
    if name == "partner_snapshot":
        variables["input"] = {**variables["input"], "asOf": datetime.datetime.now(datetime.UTC).isoformat()}
    variables = await floor_documents.fill(client, state, name, variables)
    if name.startswith("reservation_") and name != "reservation_create":
        made = await client.mutate("reservationCreate", "reservation { id }", lines=STOCK)
        found = {"id": made["reservation"]["id"]}
        variables = found if "input" not in variables else {"input": {**variables["input"], **found}}
    if prepare(name).kind is OperationType.SUBSCRIPTION:
        async with open_socket(app, client.secret) as socket:
            message = await socket.ask(TEXTS[name], variables)
            (event,) = message["payload"]["data"].values()
            assert event["kind"] == ("READY" if name in QUIET else "SNAPSHOT")
        return
    data = await client.data(TEXTS[name], **variables)
    (answer,) = data.values()
    assert answer is not None
    if prepare(name).kind is OperationType.MUTATION:
        assert answer["userErrors"] == []


@pytest.mark.parametrize("name", QUERIES)
async def test_compiled_or_not_the_answer_is_the_same(shop: tuple[Any, Client, State], name: str) -> None:
    operation = prepare(name)
    context = Context(shop[2], Principal("test", "test", frozenset({Role.ADMIN})), "request")
    if name == "reservation_show":
        made = await shop[1].mutate("reservationCreate", "reservation { id }", lines=STOCK)
        variables: dict[str, Any] = {"id": made["reservation"]["id"]}
    else:
        variables = await order_documents.fill(shop[1], name, GIVEN[name])
        variables = await routing_documents.fill(shop[1], shop[2], name, variables)
    compiled = await run_operation(core, operation, variables, context, REQUIREMENTS)
    plain = await execute_operation(core, operation, variables, context)
    assert compiled.errors is None
    assert compiled.data == plain.data
