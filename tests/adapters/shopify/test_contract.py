"""The documents we send and the vendor's payload examples, judged without a store."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

import adapters.channels.shopify as package
from adapters.channels.base import Observation
from adapters.channels.news import OrderSeen, OrderToPull, QuantitySeen
from adapters.channels.shopify.client import API_VERSION
from adapters.channels.shopify.read_event import IGNORED, read_event
from adapters.channels.shopify.renew_subscriptions import TOPICS
from tests.adapters.shopify.contract import CONTRACTS, VERSIONS, Contract, read_contract, read_introspection

WEBHOOKS = CONTRACTS / "webhooks"
EXAMPLES = sorted(path.relative_to(WEBHOOKS).with_suffix("").as_posix() for path in WEBHOOKS.glob("*/*.json"))
ORDER = "gid://shopify/Order/820982911946154508"

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(not CONTRACTS.is_dir(), reason="needs ../shared/contracts beside the repository"),
]


@pytest.fixture(scope="module")
def judges() -> Contract:
    found = read_contract()
    assert found is not None
    return found


def list_documents() -> Iterator[tuple[str, str]]:
    """(where it is, its text) of each document of the adapter."""
    for module in pkgutil.iter_modules(package.__path__):
        content = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
        for name, value in content.items():
            if isinstance(value, str) and value.lstrip().startswith(("query ", "mutation ")):
                yield f"{module.name}.{name}", value


DOCUMENTS = dict(list_documents())


def test_the_pinned_version_is_the_first_judge() -> None:
    assert VERSIONS[0] == API_VERSION
    assert len(DOCUMENTS) >= 13


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_is_valid_in_both_versions(judges: Contract, name: str) -> None:
    assert judges.judge_document(DOCUMENTS[name]) == []


def test_the_judge_sees_what_is_wrong(judges: Contract) -> None:
    assert judges.judge("{ shop { nickname } }", {}, None)
    assert judges.judge("query Q($id: ID!) { order(id: $id) { id } }", {"id": None}, None)
    assert judges.judge("{ shop { name } }", {}, {"shop": {"name": None}})
    assert judges.judge("{ shop { name } }", {}, {"shop": {"name": "x", "more": 1}})


@pytest.mark.parametrize("version", VERSIONS)
def test_every_topic_is_the_vendors(version: str) -> None:
    types = {entry["name"]: entry for entry in read_introspection(version)["__schema"]["types"]}
    assert set(TOPICS) <= {value["name"] for value in types["WebhookSubscriptionTopic"]["enumValues"]}


def read_example(topic: str) -> bytes:
    """The body as it comes: its numbers are read as they are written."""
    return orjson.dumps(json.loads((WEBHOOKS / f"{topic}.json").read_bytes())["response"])


@pytest.mark.parametrize("topic", EXAMPLES)
def test_every_example_is_read_or_left_alone_by_name(topic: str) -> None:
    assert bool(read_event(topic, read_example(topic))) is not (topic in IGNORED)


@pytest.mark.parametrize("topic", ["orders/create", "orders/paid", "orders/cancelled"])
def test_an_example_order(topic: str) -> None:
    [news] = read_event(topic, read_example(topic))
    assert isinstance(news, OrderSeen)
    order = news.order
    assert (order.external_id, order.name, order.email) == (ORDER, "#9999", "jon@example.com")
    assert (order.cancelled, order.pending) == (True, True), "the example is cancelled, and its payment void"
    assert len(order.lines) == 5
    assert order.lines[0].external_id == "gid://shopify/LineItem/487817672276298554", "all its digits"
    assert order.address is not None
    assert (order.address.region, order.address.country_code) == ("KY", "US")
    assert order.version == 1640995200


def test_example_level_has_all_the_digits_of_its_item() -> None:
    [news] = read_event("inventory_levels/update", read_example("inventory_levels/update"))
    location = "gid://shopify/Location/24826418"
    assert isinstance(news, QuantitySeen)
    assert news.observation == Observation("gid://shopify/InventoryItem/271878346596884015", 10, location)


@pytest.mark.parametrize(
    ("topic", "gid"),
    [
        ("refunds/create", "gid://shopify/Order/820982911946154500"),
        ("fulfillment_orders/cancellation_request_submitted", "gid://shopify/FulfillmentOrder/1"),
        ("fulfillment_orders/fulfillment_request_submitted", "gid://shopify/FulfillmentOrder/1"),
        ("fulfillment_orders/moved", "gid://shopify/FulfillmentOrder/1"),
    ],
)
def test_examples_that_name_what_must_be_read(topic: str, gid: str) -> None:
    """The refund's has lost its last digits in the vendor's example; it has no other name for the order."""
    assert read_event(topic, read_example(topic)) == [OrderToPull(gid)]


def test_the_folder_has_examples() -> None:
    assert Path(WEBHOOKS).is_dir()
    assert len(EXAMPLES) >= 11
