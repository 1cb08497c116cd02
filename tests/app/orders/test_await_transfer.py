"""An order that waits for a transfer by name: it has the units when they arrive, before anybody else."""

from __future__ import annotations

from typing import Any

import pytest

from app.orders.mind_orders import mind_orders
from tests.app.orders.world import available, cases, events_of, lines_of, order_row, say, take, works_of
from tests.channel_company import ChannelCompany

CASES = "{ exceptionCases { nodes { id state timeline { action note } } } }"
POLICY = {"name": "NYC alone", "currency": "EUR", "rules": [{"name": "NYC", "warehouses": {"codes": ["NYC"]}}]}


async def the_case(company: ChannelCompany) -> dict[str, Any]:
    (case,) = (await company.admin.data(CASES))["exceptionCases"]["nodes"]
    return dict(case)


async def substitute(company: ChannelCompany, **fields: Any) -> Any:
    case = await the_case(company)
    fields = {"id": case["id"], "recovery": "SUBSTITUTE", "warehouse": "BER", **fields}
    return await company.admin.mutate("exceptionRecover", "exception { state }", **fields)


async def wait_for(company: ChannelCompany, units: int = 13, **fields: Any) -> str:
    """The id of the transfer that brings what NYC lacks of an order of `market`, which sells from NYC alone."""
    await take(company, say({"SKU-0": units}, version=1), "market")
    made = await substitute(company, **fields)
    assert (made["userErrors"], made["exception"]) == ([], {"state": "ACKNOWLEDGED"})
    (transfer,) = (await company.admin.data("{ transfers { nodes { id } } }"))["transfers"]["nodes"]
    return str(transfer["id"])


async def move(company: ChannelCompany, action: str, transfer: str, **fields: Any) -> str:
    made = await company.admin.mutate(f"transfer{action}", "transfer { state }", id=transfer, **fields)
    assert made["userErrors"] == []
    return str(made["transfer"]["state"])


async def arrive(company: ChannelCompany, transfer: str, **found: int) -> str:
    return await move(company, "Receive", transfer, lines=[{"sku": "SKU-0", **found}])


async def test_the_units_are_promised_as_they_arrive_before_a_new_order_has_them(company: ChannelCompany) -> None:
    transfer = await wait_for(company, shipFrom="NYC")
    (row,) = await company.state.database.hot.fetch("SELECT * FROM transfers")
    shown = await company.admin.data("{ transfers { nodes { orderId orderName } } orders { nodes { id } } }")
    assert shown["transfers"]["nodes"] == [{"orderId": shown["orders"]["nodes"][0]["id"], "orderName": "#o-1"}]
    assert (row["order_id"], row["reference"], row["state"]) == ((await order_row(company))["id"], "#o-1", "APPROVED")
    timeline = (await the_case(company))["timeline"]
    assert ("TRANSFER_AWAITED", f"waits for TR-{row['number']} from BER to NYC: line-SKU-0 x 3") in [
        (event["action"], event["note"]) for event in timeline
    ]
    assert (await substitute(company))["userErrors"][0]["code"] == "WRONG_STATE"
    assert await move(company, "Ship", transfer) == "IN_TRANSIT"
    await take(company, say({"SKU-0": 5}, "o-2", version=1), "market")
    assert await arrive(company, transfer, received=2) == "IN_TRANSIT"
    assert (await lines_of(company))["SKU-0"] == (13, 12, 0, 0)
    assert await arrive(company, transfer, received=1) == "RECEIVED"
    assert (await lines_of(company))["SKU-0"] == (13, 13, 0, 0)
    assert (await lines_of(company, "o-2"))["SKU-0"] == (5, 0, 0, 0)
    assert {work["code"] for work in await works_of(company)} == {"NYC"}
    assert (await order_row(company))["status"] == "ALLOCATED"
    assert (await events_of(company))[-3:] == ["TRANSFER_AWAITED", "TRANSFER_ARRIVED", "TRANSFER_ARRIVED"]
    await mind_orders(company.state)
    assert await cases(company, "RESOLVED") == ["OVERSELL"]


async def test_a_policy_that_lets_the_source_not_ship_it_has_it_transferred(company: ChannelCompany) -> None:
    saved = await company.admin.mutate("routingPolicySave", "policy { version }", document=POLICY)
    version = saved["policy"]["version"]
    assert (await company.admin.mutate("routingPolicyPublish", "", version=version))["userErrors"] == []
    await wait_for(company)
    row = await company.state.database.hot.fetchrow(
        "SELECT a.code, b.code FROM transfers t JOIN warehouses a ON a.id = source_id JOIN warehouses b ON b.id = destination_id"
    )
    assert tuple(row) == ("BER", "NYC")


@pytest.mark.parametrize("moment", ["APPROVED", "IN_TRANSIT"])
async def test_a_cancelled_transfer_opens_the_case_again(company: ChannelCompany, moment: str) -> None:
    transfer = await wait_for(company, shipFrom="NYC")
    if moment == "IN_TRANSIT":
        await move(company, "Ship", transfer)
    await move(company, "Cancel", transfer)
    case = await the_case(company)
    assert (case["state"], case["timeline"][-1]["action"]) == ("OPEN", "REOPENED")
    assert (await events_of(company))[-1] == "TRANSFER_ENDED"
    if moment == "IN_TRANSIT":
        await arrive(company, transfer, received=3)
        assert (await lines_of(company))["SKU-0"] == (13, 10, 0, 0)
    assert await available(company) == 10


async def test_what_never_came_opens_the_case_again(company: ChannelCompany) -> None:
    transfer = await wait_for(company, shipFrom="NYC")
    await move(company, "Ship", transfer)
    assert await arrive(company, transfer, received=1, damaged=1, missing=1) == "RECEIVED"
    assert (await lines_of(company))["SKU-0"] == (13, 11, 0, 0)
    assert await cases(company) == ["OVERSELL"]


async def test_an_order_that_wants_it_no_more_leaves_the_units_to_others(company: ChannelCompany) -> None:
    transfer = await wait_for(company, shipFrom="NYC")
    await take(company, say({"SKU-0": 13}, version=2, cancelled=True), "market")
    await move(company, "Ship", transfer)
    assert await arrive(company, transfer, received=3) == "RECEIVED"
    assert (await order_row(company))["status"] == "CANCELLED"
    assert await available(company) == 20


async def test_parts_of_a_kit_are_promised_when_they_make_whole_ones(company: ChannelCompany) -> None:
    await company.admin.mutate("skuUpsert", "", lines=[{"code": "SET", "title": "Set"}])
    parts = [{"sku": "SKU-0", "quantity": 1}, {"sku": "SKU-1", "quantity": 2}]
    assert (await company.admin.mutate("kitSet", "", sku="SET", components=parts))["userErrors"] == []
    await take(company, say({"SET": 7}, version=1), "market")
    assert await lines_of(company) == {"SKU-0": (7, 5, 0, 0), "SKU-1": (14, 10, 0, 0)}
    assert (await substitute(company, shipFrom="NYC"))["userErrors"] == []
    (transfer,) = (await company.admin.data("{ transfers { nodes { id } } }"))["transfers"]["nodes"]
    await move(company, "Ship", transfer["id"])
    await move(company, "Receive", transfer["id"], lines=[{"sku": "SKU-1", "received": 3}])
    assert await lines_of(company) == {"SKU-0": (7, 6, 0, 0), "SKU-1": (14, 12, 0, 0)}, "NYC had a SKU-0 to go with it"
    await arrive(company, transfer["id"], received=2)
    assert await lines_of(company) == {"SKU-0": (7, 6, 0, 0), "SKU-1": (14, 12, 0, 0)}
    await move(company, "Receive", transfer["id"], lines=[{"sku": "SKU-1", "received": 1}])
    assert await lines_of(company) == {"SKU-0": (7, 7, 0, 0), "SKU-1": (14, 14, 0, 0)}
