"""Safety stock: set by a person, and kept back from channels and from orders."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.settings import Settings
from domain.identity import Role
from tests.company import Client
from tests.floor import Floor, open_floor
from tests.sockets import open_socket

LEVELS = "levels { safetyStock available version sku { code } }"
BELOW = "{ stockLevels(filter: { belowSafetyStock: true }) { totalCount nodes { sku { code } warehouse { code } } } }"
CHANGED = """subscription { stockChanged(filter: { skus: ["SKU-0"], warehouses: ["BER"] }) {
  kind level { available safetyStock version } } }"""
KEEPING = {"name": "Keep some", "rules": [{"name": "all", "warehouses": {"keepSafetyStock": True}}]}
_DESIRED = """
SELECT l.desired FROM listings l JOIN channels c ON c.id = l.channel_id JOIN skus s ON s.id = l.sku_id
WHERE c.code = 'shop' AND s.code = 'SKU-0'
"""


@pytest.fixture
async def floor(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    async with open_floor(settings, monkeypatch) as opened:
        yield opened


async def keep(floor: Floor, units: int, client: Client | None = None, **fields: Any) -> Any:
    """The payload of keeping so many units of SKU-0 back in BER, unless the fields say else."""
    given = {"warehouse": "BER", "lines": [{"sku": "SKU-0", "quantity": units}], **fields}
    return await (client or floor.admin).mutate("safetyStockSet", LEVELS, **given)


async def test_what_is_kept_back_is_neither_published_nor_promised(floor: Floor) -> None:
    await floor.company.relay()
    assert await floor.company.value(_DESIRED) == 10 + 10
    async with open_socket(floor.company.app, floor.admin.secret) as socket:
        message = await socket.ask(CHANGED)
        before = message["payload"]["data"]["stockChanged"]["level"]
        assert (await socket.read())["payload"]["data"]["stockChanged"]["kind"] == "READY"
        level = {"safetyStock": 7, "available": 10, "version": before["version"] + 1}
        for _ in range(2):
            made = await keep(floor, 7, idempotencyKey="once")
            assert made == {"levels": [{**level, "sku": {"code": "SKU-0"}}], "userErrors": []}
        assert (await socket.read())["payload"]["data"]["stockChanged"] == {"kind": "CHANGE", "level": level}
    assert (await keep(floor, 7))["levels"][0]["version"] == level["version"], "it is kept already"
    await floor.company.relay()
    assert await floor.company.value(_DESIRED) == 10 - 7 + 10
    made = await floor.admin.mutate("routingPolicySave", "policy { version }", document=KEEPING)
    await floor.admin.mutate("routingPolicyPublish", "", version=made["policy"]["version"])
    await floor.order({"SKU-0": 18})
    left = [(await floor.level("SKU-0", house))["available"] for house in ("BER", "NYC")]
    assert left == [7, 0], "thirteen may be promised, and five wait"
    assert (await floor.admin.data(BELOW))["stockLevels"]["totalCount"] == 0
    await keep(floor, 8)
    below = [{"sku": {"code": "SKU-0"}, "warehouse": {"code": "BER"}}]
    assert (await floor.admin.data(BELOW))["stockLevels"] == {"totalCount": 1, "nodes": below}
    await keep(floor, 0)
    await floor.company.relay()
    assert await floor.company.value(_DESIRED) == 7


async def test_safety_stock_that_is_refused_changes_nothing(floor: Floor) -> None:
    await floor.admin.mutate("skuUpsert", "", lines=[{"code": "SET", "title": "A set"}])
    await floor.admin.mutate("kitSet", "", sku="SET", components=[{"sku": "SKU-0", "quantity": 2}])
    berlin = await floor.company.value("SELECT id FROM warehouses WHERE code = 'BER'")
    there = await floor.company.client(Role.OPERATIONS, warehouse_ids=frozenset({berlin}))
    one = {"sku": "SKU-1", "quantity": 1}
    for wrong, code, path in (
        ({"sku": "SKU-0", "quantity": -1}, "INVALID_QUANTITY", "quantity"),
        ({"sku": "NONE", "quantity": 1}, "SKU_NOT_FOUND", "sku"),
        ({"sku": "SET", "quantity": 1}, "INVALID_INPUT", "sku"),
        ({"sku": "400001", "quantity": 2}, "DUPLICATE_LINE", "sku"),
        ({"sku": "SKU-0", "quantity": 1, "expectedVersion": 99}, "STALE_VERSION", "expectedVersion"),
    ):
        (error,) = (await keep(floor, 0, there, lines=[one, wrong]))["userErrors"]
        assert (error["code"], error["path"]) == (code, ["lines", "1", path])
    assert [error["code"] for error in (await keep(floor, 1, there, lines=[]))["userErrors"]] == ["INVALID_INPUT"]
    hidden = (await keep(floor, 1, there, warehouse="NYC"))["userErrors"]
    assert [error["code"] for error in hidden] == ["WAREHOUSE_NOT_FOUND"]
    for role in (Role.WAREHOUSE, Role.ECOMMERCE):
        document = "mutation($input: SafetyStockSetInput!) { safetyStockSet(input: $input) { userErrors { code } } }"
        client = await floor.company.client(role)
        refused = await client.send(document, input={"warehouse": "BER", "lines": [one]})
        assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"
    assert await floor.company.value("SELECT sum(safety_stock)::int FROM stock_levels") == 0
    assert (await keep(floor, 1, there))["userErrors"] == []
