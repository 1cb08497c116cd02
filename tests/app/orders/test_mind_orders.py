"""Cases of orders: opened once, recovered from by a choice, and ended by themselves with what shows it."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import orjson
import pytest

from api.ids import encode_id
from app.orders.mind_orders import mind_orders
from tests.app.orders.world import (
    SHIP_LINES,
    advance,
    available,
    cases,
    events_of,
    lines_of,
    order_row,
    say,
    take,
    works_of,
)
from tests.channel_company import ChannelCompany

NOW = datetime.datetime.now(datetime.UTC)
CASES = "{ exceptionCases { nodes { id kind state } } }"


async def recover(company: ChannelCompany, choice: str, **fields: Any) -> Any:
    nodes = (await company.admin.data(CASES))["exceptionCases"]["nodes"]
    (case_id,) = [node["id"] for node in nodes if node["state"] == "OPEN"]
    selection = "exception { state resolution proof }"
    return await company.admin.mutate("exceptionRecover", selection, id=case_id, recovery=choice, **fields)


async def test_an_unknown_sku_is_linked_and_allocated_when_it_is_mapped(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 1, "NEW": 2}, version=1))
    assert await cases(company) == ["ORDER_PROBLEM"]
    assert await mind_orders(company.state) == 0
    await company.admin.mutate("skuUpsert", "", lines=[{"code": "OTHER", "barcode": "NEW", "title": "New"}])
    await company.admin.mutate("stockReceive", "", warehouse="BER", lines=[{"sku": "OTHER", "quantity": 5}])
    await mind_orders(company.state)
    assert (await lines_of(company))["NEW"] == (2, 2, 0, 0)
    assert (await order_row(company))["status"] == "ALLOCATED"
    assert await cases(company, "RESOLVED") == ["ORDER_PROBLEM"]
    proof = orjson.loads(await company.value("SELECT proof::text FROM exception_cases"))
    assert (proof["status"], proof["backordered"]) == ("ALLOCATED", 0)
    assert await events_of(company) == ["PLACED", "RELINKED", "ALLOCATED"]
    assert await mind_orders(company.state) == 0


async def test_what_a_channel_calls_its_listing_is_the_sku_that_is_linked(company: ChannelCompany) -> None:
    """Also where another SKU has such a code: who linked it said so."""
    await company.admin.mutate("skuUpsert", "", lines=[{"code": "item-1", "title": "Another"}])
    await take(company, say({"item-0": 2, "item-1": 1}, version=1))
    assert await lines_of(company) == {"SKU-0": (2, 2, 0, 0), "SKU-1": (1, 1, 0, 0)}
    assert (await available(company), await available(company, "SKU-1")) == (18, 19)
    assert await cases(company) == []
    await take(company, say({"item-0": 1, "item-1": 1}, version=2))
    assert await lines_of(company) == {"SKU-0": (2, 1, 0, 1), "SKU-1": (1, 1, 0, 0)}
    await take(company, say({"item-9": 1}, "o-2", version=1))
    assert await cases(company) == ["ORDER_PROBLEM"]
    link = {"channel": "shop", "lines": [{"sku": "item-1", "externalId": "item-9"}]}
    assert (await company.admin.mutate("listingLink", "", **link))["userErrors"] == []
    await company.admin.mutate("stockReceive", "", warehouse="BER", lines=[{"sku": "item-1", "quantity": 5}])
    await mind_orders(company.state)
    assert (await lines_of(company, "o-2"))["item-9"] == (1, 1, 0, 0)
    assert await available(company, "item-1") == 4


async def test_people_say_what_a_line_is(company: ChannelCompany) -> None:
    """An eBay line may have no SKU at all."""
    word = say({"SKU-0": 1}, version=1)
    nameless = dataclasses.replace(word.lines[0], external_id="l-2", sku=None, quantity=30)
    await take(company, dataclasses.replace(word, lines=(*word.lines, nameless)))
    assert await cases(company) == ["ORDER_PROBLEM"]
    order_id = encode_id("Order", (await order_row(company))["id"])
    refusals = (
        ({"line": "none", "sku": "SKU-1"}, ("INVALID_INPUT", ["line"])),
        ({"line": "line-SKU-0", "sku": "SKU-1"}, ("WRONG_STATE", ["line"])),
        ({"line": "l-2", "sku": "NONE"}, ("SKU_NOT_FOUND", ["sku"])),
    )
    for given, (code, path) in refusals:
        made = await company.admin.mutate("orderLineLink", "order { id }", id=order_id, **given)
        assert [(error["code"], error["path"]) for error in made["userErrors"]] == [(code, path)], given
    shown = "order { status lines { externalId sku allocated backordered } }"
    for _ in range(2):
        given = {"id": order_id, "line": "l-2", "sku": "400001", "note": "by its picture", "idempotencyKey": "k"}
        made = await company.admin.mutate("orderLineLink", shown, **given)
        assert made["userErrors"] == []
        assert made["order"]["lines"][1] == {"externalId": "l-2", "sku": "SKU-1", "allocated": 20, "backordered": 10}
    await mind_orders(company.state)
    assert (await cases(company), await cases(company, "RESOLVED")) == (["OVERSELL"], ["ORDER_PROBLEM"])
    assert (await events_of(company))[-2:] == ["RELINKED", "ALLOCATED"]


async def test_a_worker_that_is_killed_before_it_tells_leaves_nobody_untold(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def die(*_: Any, **__: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as killing:
        killing.setattr("app.orders.take_order.tell_problem", die)
        with pytest.raises(RuntimeError, match="killed"):
            await take(company, say({"SKU-0": 25}, version=1))
    assert await mind_orders(company.state) == 0, "whoever placed it may be about to tell"
    await company.execute("UPDATE orders SET updated_at = now() - interval '1 minute'")
    assert await mind_orders(company.state) == 1
    assert await cases(company) == ["OVERSELL"]
    await recover(company, "BACKORDER")
    await company.execute("UPDATE orders SET updated_at = now() - interval '1 minute'")
    assert await mind_orders(company.state) == 0, "somebody has chosen that it waits"


async def test_a_part_that_fails_keeps_no_other_from_its_turn(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Any) -> int:
        raise ValueError("nobody thought of this")

    await take(company, say({"SKU-0": 1}, version=1, ship_by=NOW + datetime.timedelta(hours=1)))
    monkeypatch.setattr("app.orders.mind_orders.relink_lines", fail)
    with pytest.raises(ValueError, match="nobody"):
        await mind_orders(company.state)
    assert await cases(company) == ["PROMISE_AT_RISK"]


async def test_a_promise_that_is_broken_is_worse_than_one_at_risk(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 1}, version=1, ship_by=NOW + datetime.timedelta(hours=1)))
    assert await mind_orders(company.state) == 1
    await company.execute("UPDATE orders SET ship_by = now() - interval '1 minute'")
    assert await mind_orders(company.state) == 1
    assert await mind_orders(company.state) == 0
    (row,) = await company.state.database.hot.fetch("SELECT severity, count, title FROM exception_cases")
    assert (row["severity"], row["count"], "had to ship" in row["title"]) == ("CRITICAL", 2, True)


@pytest.mark.parametrize("settled", ["PAID", "CANCELLED", "BY_HAND"])
async def test_stock_that_nobody_pays_for_is_told_once_until_it_is_settled(
    company: ChannelCompany, settled: str
) -> None:
    week_ago = NOW - datetime.timedelta(days=8)
    word = dataclasses.replace(say({"SKU-0": 2}, version=1, pending=True), placed_at=week_ago)
    await take(company, word)
    await take(company, dataclasses.replace(say({"SKU-0": 1}, "o-2", version=1), placed_at=week_ago))
    await take(company, dataclasses.replace(say({"SKU-0": 1}, "o-3", version=1, pending=True), placed_at=NOW))
    none_left = dataclasses.replace(say({"NONE": 1}, "o-4", version=1, pending=True), placed_at=week_ago)
    await take(company, none_left)
    assert [await mind_orders(company.state) for _ in range(2)] == [1, 0]
    (row,) = await company.state.database.hot.fetch("SELECT * FROM exception_cases WHERE kind = 'PAYMENT_OVERDUE'")
    assert (row["title"], row["owner"], "holds 2 units" in row["detail"]) == ("Order #o-1 is not paid", "SUPPORT", True)
    if settled == "BY_HAND":
        key = encode_id("ExceptionCase", row["id"])
        made = await company.admin.mutate("exceptionResolve", "exception { state }", id=key, note="it waits")
        assert made["exception"] == {"state": "RESOLVED"}, made
    else:
        await take(company, dataclasses.replace(word, version=2, pending=False, cancelled=settled == "CANCELLED"))
        assert await mind_orders(company.state) == 1
    assert "PAYMENT_OVERDUE" in await cases(company, "RESOLVED")
    assert await mind_orders(company.state) == 0


async def test_one_that_is_mapped_and_not_in_stock_becomes_an_oversell(company: ChannelCompany) -> None:
    await take(company, say({"NEW": 2}, version=1))
    await company.admin.mutate("skuUpsert", "", lines=[{"code": "NEW", "title": "New"}])
    await mind_orders(company.state)
    assert await cases(company, "RESOLVED") == ["ORDER_PROBLEM"]
    assert await cases(company) == ["OVERSELL"]
    assert (await order_row(company))["status"] == "BACKORDERED"


async def test_a_promise_at_risk_is_told_once_and_ends_when_it_is_kept(company: ChannelCompany) -> None:
    soon, later = NOW + datetime.timedelta(hours=1), NOW + datetime.timedelta(days=3)
    await take(company, say({"SKU-0": 1}, version=1, ship_by=soon, deliver_by=later))
    await take(company, say({"SKU-0": 1}, "o-2", version=1, ship_by=later, deliver_by=later))
    await take(company, say({"SKU-0": 1}, "o-3", version=1, ship_by=later, deliver_by=soon))
    await take(company, say({"SKU-0": 1}, "o-4", version=1, deliver_by=NOW - datetime.timedelta(hours=1)))
    assert await mind_orders(company.state) == 3
    assert await mind_orders(company.state) == 0
    titles = await company.state.database.hot.fetch("SELECT title, severity FROM exception_cases ORDER BY title")
    assert [(row[0].partition(" by ")[0], row[1]) for row in titles] == [
        ("Order #o-1 must ship", "HIGH"),
        ("Order #o-3 must arrive", "HIGH"),
        ("Order #o-4 had to arrive", "CRITICAL"),
    ]
    await take(company, say({"SKU-0": 1}, version=2, ship_by=later))
    await take(company, say({"SKU-0": 1}, "o-4", version=2, cancelled=True))
    assert await mind_orders(company.state) == 2
    assert await cases(company) == ["PROMISE_AT_RISK"]
    await company.execute("UPDATE fulfillment_orders SET status = 'RELEASED' WHERE ship_by = $1", later)
    (work,) = await works_of(company, "o-3")
    fields = {"id": encode_id("FulfillmentOrder", work["id"]), "carrier": "DHL", "trackingNumber": "1"}
    for act, given in (("Accept", {"id": fields["id"]}), ("Ship", fields)):
        assert (await company.admin.mutate(f"fulfillmentOrder{act}", "", **given))["userErrors"] == []
    assert await mind_orders(company.state) == 1
    assert await cases(company) == []
    proof = orjson.loads(await company.value("SELECT proof::text FROM exception_cases WHERE title LIKE '%#o-3%'"))
    assert (proof["status"], datetime.datetime.fromisoformat(proof["deliverBy"])) == ("SHIPPED", soon)


@pytest.mark.parametrize(
    ("choice", "status", "kept"), [("BACKORDER", "PARTLY_ALLOCATED", 0), ("CANCEL", "ALLOCATED", 5)]
)
async def test_an_oversell_waits_or_is_cancelled(company: ChannelCompany, choice: str, status: str, kept: int) -> None:
    await take(company, say({"SKU-0": 25}, version=1))
    assert await cases(company) == ["OVERSELL"]
    made = await recover(company, choice)
    assert (made["userErrors"], made["exception"]["state"]) == ([], "RESOLVED")
    assert (await order_row(company))["status"] == status
    assert (await lines_of(company))["SKU-0"] == (25, 20, 0, kept)
    await mind_orders(company.state)
    await take(company, say({"SKU-0": 25}, version=2))
    assert (await lines_of(company))["SKU-0"] == (25, 20, 0, kept), "the channel has not heard of it"
    assert await cases(company) == []


async def test_an_oversell_ships_from_a_warehouse_that_the_channel_does_not_sell_from(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 12}, version=1), "market")
    assert (await lines_of(company))["SKU-0"] == (12, 10, 0, 0)
    refused = await recover(company, "SUBSTITUTE", warehouse="NOWHERE")
    assert refused["userErrors"][0]["code"] == "WAREHOUSE_NOT_FOUND"
    assert (await recover(company, "SUBSTITUTE", warehouse="NYC"))["userErrors"][0]["code"] == "INSUFFICIENT_STOCK"
    made = await recover(company, "SUBSTITUTE", warehouse="BER")
    assert made["userErrors"] == []
    assert (await lines_of(company))["SKU-0"] == (12, 12, 0, 0)
    assert sorted(work["code"] for work in await works_of(company)) == ["BER", "NYC"]
    assert (await order_row(company))["status"] == "ALLOCATED"
    assert await available(company) == 8


async def test_an_oversell_ends_by_itself_when_the_channel_takes_it_back(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 25}, version=1))
    await take(company, say({"SKU-0": 20}, version=2))
    await mind_orders(company.state)
    assert await cases(company, "RESOLVED") == ["OVERSELL"]


async def test_a_warehouse_that_ships_what_it_was_asked_to_cancel_is_told_of(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 2}, version=1))
    await advance(company, "PACKED")
    await take(company, say({"SKU-0": 2}, version=2, cancelled=True))
    await company.execute(SHIP_LINES, "o-1")
    await company.execute("UPDATE fulfillment_orders SET status = 'SHIPPED'")
    await company.execute("UPDATE order_lines SET allocated = 0, shipped = 2")
    await company.execute("UPDATE orders SET status = 'SHIPPED'")
    moved = "committed = committed - 2, customer = customer + 2"
    await company.execute(f"UPDATE stock_levels SET {moved} WHERE committed = 2")
    await company.execute(
        """INSERT INTO stock_movements (sku_id, warehouse_id, from_bucket, to_bucket, quantity, from_balance_after,
             to_balance_after, version, reason, actor)
           SELECT sku_id, warehouse_id, 'committed', 'customer', 2, 0, 2, version + 1, 'TEST', 'tests'
           FROM stock_levels WHERE customer = 2"""
    )
    assert await mind_orders(company.state) == 1
    assert await mind_orders(company.state) == 0
    assert await cases(company) == ["CHANGE_REFUSED"]
    assert (await events_of(company))[-1] == "CANCEL_TOO_LATE"
    await take(company, say({"SKU-0": 2}, version=2, cancelled=True))
    assert await company.value("SELECT count FROM exception_cases") == 1, "the same word again is no news"
