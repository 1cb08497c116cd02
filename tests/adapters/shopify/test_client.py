"""Shopify's failures, sorted into what is worth another try and what is not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from adapters.channels.base import QuantityWrite, Throttled, WriteOutcome
from adapters.channels.shopify.access_token import AccessToken
from adapters.channels.shopify.client import ShopifyClient
from adapters.channels.shopify.set_quantities import set_quantities
from adapters.channels.shopify.verify_webhook import verify_webhook
from domain.errors import Fault

COST = {
    "requestedQueryCost": 10,
    "throttleStatus": {"maximumAvailable": 1000, "currentlyAvailable": 0, "restoreRate": 100},
}


class Unlimited:
    """A quota that is always there, and remembers what it was told."""

    def __init__(self) -> None:
        self.announced: list[tuple[float | None, float | None, float | None]] = []

    async def take(self, operation: str, cost: float = 1.0, *, urgent: bool = False) -> None: ...

    async def announce(
        self, operation: str, *, rate: float | None = None, burst: float | None = None, available: float | None = None
    ) -> None:
        self.announced.append((rate, burst, available))


def answering(status: int, body: Any) -> ShopifyClient:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    http = httpx.AsyncClient(transport=transport)
    return ShopifyClient(http, Unlimited(), "http://shop", AccessToken(http, "http://shop", {"access_token": "token"}))


@pytest.mark.parametrize(
    ("status", "body", "transient"),
    [
        (401, {}, False),
        (403, {}, False),
        (503, {}, True),
        (429, {}, True),
        (200, {"errors": [{"message": "no", "extensions": {"code": "ACCESS_DENIED"}}]}, False),
    ],
)
async def test_faults_say_whether_to_try_again(status: int, body: Any, transient: bool) -> None:
    with pytest.raises(Fault) as caught:
        await answering(status, body).call("{ shop { id } }", {}, cost=1)
    assert caught.value.transient is transient


async def test_throttled_names_the_wait() -> None:
    body = {"errors": [{"message": "x", "extensions": {"code": "THROTTLED"}}], "extensions": {"cost": COST}}
    client = answering(200, body)
    with pytest.raises(Throttled) as caught:
        await client.call("{ shop { id } }", {}, cost=1)
    assert caught.value.wait_seconds == pytest.approx(0.1)
    assert client.quota.announced == [(100, 1000, 0)]  # type: ignore[attr-defined]


async def test_one_refused_quantity_does_not_refuse_its_neighbours() -> None:
    error = {"code": "INVALID_INVENTORY_ITEM", "field": ["input", "quantities", "1"], "message": "unknown"}
    client = answering(200, {"data": {"inventorySetQuantities": {"userErrors": [error]}}})
    writes = [QuantityWrite(f"gid://shopify/InventoryItem/{n}", 1, None, str(n)) for n in range(2)]
    results = await set_quantities(client, writes)
    assert [result.outcome for result in results] == [WriteOutcome.TRANSIENT, WriteOutcome.REFUSED]


@pytest.mark.parametrize("signature", [None, "", "Zm9v", "é"])
def test_a_wrong_signature_is_wrong(signature: str | None) -> None:
    assert not verify_webhook("secret", b"{}", signature)
