"""A warehouse's task lists, live: what is open, each change once, and all that was missed after a break."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from app.settings import Settings
from domain.identity import Role
from tests.floor_company import TRANSFER, FloorCompany, open_floor_company
from tests.sockets import open_socket

TRANSFERS = """subscription($filter: FloorFilter, $after: String) { transferChanged(filter: $filter, after: $after) {
  cursor kind transfer { label state lines { sku { code } shipped received } } } }"""
RETURNS = """subscription($filter: FloorFilter, $after: String) { returnChanged(filter: $filter, after: $after) {
  cursor kind return { label state custody condition } } }"""
ADJUSTMENTS = """subscription($filter: FloorFilter) { adjustmentChanged(filter: $filter) {
  cursor kind adjustment { label state units } } }"""
COUNTS = """subscription($filter: FloorFilter, $after: String) { countChanged(filter: $filter, after: $after) {
  cursor kind count { warehouse status lines { sku status expected } } } }"""
ONE = [{"sku": "SKU-0", "quantity": 1}]


@pytest.fixture
async def company(settings: Settings) -> AsyncIterator[FloorCompany]:
    async with open_floor_company(settings) as opened:
        yield opened


async def read(socket: Any) -> Any:
    message = await socket.read()
    assert message["type"] == "next", message
    (value,) = message["payload"]["data"].values()
    return value


async def subscribe(socket: Any, query: str, **variables: Any) -> Any:
    await socket.send(id="1", type="subscribe", payload={"query": query, "variables": variables})
    return await read(socket)


async def test_transfers_of_a_warehouse_from_snapshot_to_what_was_missed(company: FloorCompany) -> None:
    way: dict[str, Any] = {"source": "BER", "destination": "NYC", "lines": ONE}
    first = (await company.do("transferCreate", TRANSFER, **way))["transfer"]
    nyc = await company.hire(Role.WAREHOUSE, houses=("NYC",))
    async with open_socket(company.app, nyc.secret) as socket:
        shown = await subscribe(socket, TRANSFERS)
        assert (shown["kind"], shown["transfer"]["label"]) == ("SNAPSHOT", first["label"])
        assert (await read(socket))["kind"] == "READY"
        await company.do("transferShip", TRANSFER, id=first["id"])
        change = await read(socket)
        assert (change["kind"], change["transfer"]["state"]) == ("CHANGE", "IN_TRANSIT")
        assert change["transfer"]["lines"] == [{"sku": {"code": "SKU-0"}, "shipped": 1, "received": 0}]
    elsewhere: dict[str, Any] = {"source": "BER", "destination": "SYD", "lines": ONE}
    await company.do("transferCreate", TRANSFER, **elsewhere)
    await company.do("transferReceive", TRANSFER, id=first["id"], lines=[{"sku": "SKU-0", "received": 1}])
    async with open_socket(company.app, nyc.secret) as socket:
        missed = await subscribe(socket, TRANSFERS, after=change["cursor"])
        assert (missed["kind"], missed["transfer"]["label"], missed["transfer"]["state"]) == (
            *("CHANGE", first["label"], "RECEIVED"),
        )
        assert (await read(socket))["kind"] == "READY"


async def test_returns_and_what_waits_for_a_second_person(company: FloorCompany) -> None:
    async with open_socket(company.app, company.client.secret) as socket:
        assert (await subscribe(socket, RETURNS, filter={"warehouses": ["BER"]}))["kind"] == "READY"
        await company.do("returnReceive", "return { id }", warehouse="NYC", lines=ONE)
        await company.do("returnReceive", "return { id }", warehouse="BER", lines=ONE)
        change = await read(socket)
        assert (change["return"]["label"], change["return"]["custody"]) == ("RT-2", "RECEIVED")
    await company.do("approvalPolicySet", "policies { kind }", kind="ADJUSTMENT", role="WAREHOUSE", unitsMax=0)
    worker = await company.hire(Role.WAREHOUSE)
    lost: dict[str, Any] = {"warehouse": "BER", "reason": "LOST", "lines": [{"sku": "SKU-0", "delta": -1}]}
    async with open_socket(company.app, company.client.secret) as socket:
        assert (await subscribe(socket, ADJUSTMENTS))["kind"] == "READY"
        made = await company.do("stockAdjust", "adjustment { id }", client=worker, **lost)
        assert (await read(socket))["adjustment"] == {"label": "AD-1", "state": "PENDING", "units": 1}
        await company.do("adjustmentApprove", "adjustment { id }", id=made["adjustment"]["id"])
        assert (await read(socket))["adjustment"]["state"] == "APPROVED"


async def test_counts_of_a_warehouse_and_what_was_missed(company: FloorCompany) -> None:
    """Blind ones show nothing of the books before all is scanned."""
    line = {"sku": "SKU-0", "status": "OPEN", "expected": None}
    ber = await company.hire(Role.WAREHOUSE, houses=("BER",))
    await company.do("countCreate", "count { id }", warehouse="NYC", skus=["SKU-0"])
    async with open_socket(company.app, ber.secret) as socket:
        assert (await subscribe(socket, COUNTS))["kind"] == "READY"
        await company.do("countCreate", "count { id }", warehouse="NYC", skus=["SKU-1"])
        made = await company.do("countCreate", "count { id }", warehouse="BER", skus=["SKU-0"])
        change = await read(socket)
        assert change["count"] == {"warehouse": "BER", "status": "PLANNED", "lines": [line]}
    await company.do("countSubmit", "count { id }", id=made["count"]["id"], lines=[{"sku": "SKU-0", "quantity": 1}])
    async with open_socket(company.app, ber.secret) as socket:
        missed = await subscribe(socket, COUNTS, after=change["cursor"])
        assert missed["count"] == {"warehouse": "BER", "status": "COUNTING", "lines": [line | {"status": "RECOUNT"}]}
        assert (await read(socket))["kind"] == "READY"
    async with open_socket(company.app, company.client.secret) as socket:
        houses = [(await subscribe(socket, COUNTS))["count"]["warehouse"], (await read(socket))["count"]["warehouse"]]
        assert houses == ["NYC", "NYC"]
