"""What can be done about a promise at risk: another date that was agreed on, or another way for the units."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import UUID

from api.ids import encode_id
from app.orders.mind_orders import mind_orders
from domain.identity import Role
from tests.app.orders.world import cases, events_of, order_row, say, take, works_of
from tests.channel_company import ChannelCompany
from tests.company import Client

NOW = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
SOON = NOW + datetime.timedelta(hours=1)
CASES = "{ exceptionCases { nodes { id } } }"


def days(count: int) -> datetime.datetime:
    return NOW + datetime.timedelta(days=count)


async def promise(company: ChannelCompany, client: Client | None = None, **fields: Any) -> Any:
    """The order's dates, or the code and path of the refusal."""
    key = fields.pop("id", None) or encode_id("Order", (await order_row(company))["id"])
    said = {name: x.isoformat() if isinstance(x, datetime.datetime) else x for name, x in fields.items()}
    made = await (client or company.admin).mutate("orderPromiseUpdate", "order { shipBy deliverBy }", id=key, **said)
    if made["userErrors"]:
        return made["userErrors"][0]["code"], made["userErrors"][0]["path"][-1]
    return [date and datetime.datetime.fromisoformat(date) for date in made["order"].values()]


async def due_of(company: ChannelCompany) -> list[datetime.datetime]:
    """When the order is to be shipped, and each of its works."""
    return [(await order_row(company))["ship_by"], *[work["ship_by"] for work in await works_of(company)]]


async def test_another_date_ends_the_case_and_its_channel_does_not_undo_it(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 1}, version=1, ship_by=SOON, deliver_by=days(5)))
    await mind_orders(company.state)
    house = (await works_of(company))[0]["warehouse_id"]
    elsewhere = (await company.channel("market")).id
    given: Any
    for client, given, refused in (
        (None, {}, ("INVALID_INPUT", "shipBy")),
        (None, {"deliverBy": NOW}, ("INVALID_INPUT", "deliverBy")),
        (None, {"shipBy": days(6)}, ("INVALID_INPUT", "shipBy")),
        (None, {"shipBy": days(4), "note": "x" * 501}, ("INVALID_INPUT", "note")),
        (None, {"shipBy": days(4), "id": encode_id("Order", UUID(int=0))}, ("ORDER_NOT_FOUND", "id")),
        (await company.client(Role.SUPPORT, channel_ids=(elsewhere,)), {"shipBy": days(4)}, ("ORDER_NOT_FOUND", "id")),
        (await company.client(Role.SUPPORT, warehouse_ids=(house,)), {"shipBy": days(4)}, ("NOT_ALLOWED", "id")),
    ):
        assert await promise(company, client, **given) == refused, given
    assert await promise(company, shipBy=SOON + datetime.timedelta(minutes=5)) != []
    assert await cases(company) == ["PROMISE_AT_RISK"], "it is as urgent as it was"
    agreed: Any = {"shipBy": days(4), "note": "by phone", "idempotencyKey": "k"}
    assert await promise(company, **agreed) == await promise(company, **agreed) == [days(4), days(5)]
    assert (await cases(company), await cases(company, "RESOLVED")) == ([], ["PROMISE_AT_RISK"])
    assert await due_of(company) == [days(4)] * 2
    await take(company, say({"SKU-0": 1}, version=2, ship_by=SOON, deliver_by=days(5)))
    assert await due_of(company) == [days(4)] * 2
    assert (await events_of(company))[-2:] == ["PROMISE_CHANGED"] * 2
    await take(company, say({"SKU-0": 1}, version=3, ship_by=days(3)))
    assert await due_of(company) == [days(3)] * 2, "another date than it said before"
    await take(company, say({"SKU-0": 1}, version=4, cancelled=True))
    assert await promise(company, shipBy=days(4)) == ("WRONG_STATE", "id")


async def test_an_order_whose_promise_is_at_risk_is_routed_anew(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 12}, version=1, ship_by=SOON))
    await mind_orders(company.state)
    assert {work["code"] for work in await works_of(company)} == {"BER", "NYC"}
    await company.admin.mutate("stockReceive", "", warehouse="NYC", lines=[{"sku": "SKU-0", "quantity": 9}])
    (case,) = (await company.admin.data(CASES))["exceptionCases"]["nodes"]
    houses = tuple(work["warehouse_id"] for work in await works_of(company))
    for client, fields, code in (
        (await company.client(Role.OPERATIONS, warehouse_ids=houses), {}, "NOT_ALLOWED"),
        (company.admin, {"warehouses": ["NYC"]}, "INVALID_INPUT"),
    ):
        made = await client.mutate("exceptionRetry", "", id=case["id"], **fields)
        assert [error["code"] for error in made["userErrors"]] == [code]
    selection = "exception { state timeline { action } }"
    made = await company.admin.mutate("exceptionRetry", selection, id=case["id"])
    assert (made["userErrors"], made["exception"]["timeline"][-1]) == ([], {"action": "RETRIED"})
    works = [work for work in await works_of(company) if work["status"] == "SCHEDULED"]
    assert [(work["code"], [units[0] for units in work["lines"].values()]) for work in works] == [("NYC", [12])]
    assert await cases(company) == ["PROMISE_AT_RISK"], "it has still to ship"
