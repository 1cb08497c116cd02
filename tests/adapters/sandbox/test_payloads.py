"""Every payload the store sends has the vendor's shape: the names and kinds of its published example."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.sandbox.shopify import ProductConfig
from tests.adapters.sandbox.conftest import Listener, Store, open_store
from tests.adapters.sandbox.test_orders import parts, place, ship, tell
from tests.adapters.shopify.contract import CONTRACTS

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(not CONTRACTS.is_dir(), reason="needs ../shared/contracts beside the repository"),
]

ADDRESS = {"name": "A B", "first_name": "A", "last_name": "B", "city": "Lyon", "zip": "69001", "country_code": "FR"}


def read_example(topic: str) -> Any:
    return json.loads((CONTRACTS / "webhooks" / f"{topic}.json").read_bytes())["response"]


def list_differences(ours: Any, real: Any, path: str = "") -> list[str]:
    """Where ours has a name or a kind that the example has not; null is of any kind, and so is an empty list."""
    if ours is None or real is None:
        return []
    if isinstance(ours, dict) and isinstance(real, dict):
        strange = [f"{path}.{name} is unknown" for name in ours.keys() - real.keys()]
        return strange + [
            one
            for name in ours.keys() & real.keys()
            for one in list_differences(ours[name], real[name], f"{path}.{name}")
        ]
    if isinstance(ours, list) and isinstance(real, list):
        return [one for entry in ours for one in (list_differences(entry, real[0], f"{path}[]") if real else [])]
    kinds = (int, float) if isinstance(real, int | float) and not isinstance(real, bool) else (type(real),)
    return [] if isinstance(ours, kinds) else [f"{path} is {type(ours).__name__}"]


async def make_everything(store: Store) -> None:
    """One of each event that the vendor gave an example of."""
    await store.client.post("/faults", json={})
    paid = await place(store, 1, pending=True, shipping_address=ADDRESS, email="a@b.c")
    await tell(store, "pay", paid)
    await tell(store, "request-cancellation", paid)
    await tell(store, "cancel", paid)
    shipped = await place(store, 2, shipping_address=ADDRESS)
    [part] = await parts(store, shipped)
    assert (await ship(store, (part["id"], None)))["userErrors"] == []
    assert await tell(store, "return", shipped, lines=[{"sku": "TEA-1", "quantity": 1}]) == 200
    assert await tell(store, "refund", shipped, lines=[{"sku": "TEA-1", "quantity": 1}], restock=True) == 200


TOPICS = (
    "orders/create",
    "orders/paid",
    "orders/cancelled",
    "refunds/create",
    "returns/approve",
    "fulfillments/create",
    "fulfillment_orders/cancellation_request_submitted",
    "inventory_levels/update",
)


async def test_every_payload_has_the_shape_of_its_example(listener: Listener) -> None:
    products = (ProductConfig("TEA-1", "Green tea", quantity=9),)
    async with open_store(webhook_url=listener.url, products=products, routing_seconds=0.0) as store:
        await make_everything(store)
        for topic in TOPICS:
            for _, body in await listener.wait(topic, 1):
                assert list_differences(json.loads(body), read_example(topic), topic) == []
        for topic in ("orders/updated", "orders/fulfilled"):
            for _, body in await listener.wait(topic, 1):
                assert list_differences(json.loads(body), read_example("orders/create"), topic) == []


@pytest.mark.parametrize(
    ("ours", "real"), [({"a": 1}, {"b": 1}), ({"a": "1"}, {"a": 1}), ({"a": [{"b": 1}]}, {"a": [{"c": 1}]})]
)
def test_the_comparison_sees_a_difference(ours: Any, real: Any) -> None:
    assert list_differences(ours, real)
