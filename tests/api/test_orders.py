"""Orders through the public API: placing, cancelling, holding, erasing, who sees what, and the stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from app.channels.connect_channel import ChannelConnect, connect_channel
from app.fulfillment.release_work import release_work
from app.orders.erase_contact import erase_contacts
from app.settings import Settings
from domain.identity import Role
from tests.api.test_channel_streams import refusal, streaming
from tests.app.orders.world import ADDRESS as PLACE
from tests.app.orders.world import advance, assert_whole, available, order_row, say, take, works_of
from tests.channel_company import ChannelCompany, open_channel_company
from tests.company import Client

SHOWN = "order { id status payment holdReason externalId name lines { externalId quantity allocated cancelled backordered } }"
ADDRESS = {
    "name": "Ada Adler",
    "lines": ["1 Market Square"],
    "city": "Berlin",
    "postalCode": "10115",
    "countryCode": "DE",
}
LINES = [{"sku": "SKU-0", "quantity": 2}]
ORDERS = "query($f: OrderFilter) { orders(filter: $f) { totalCount nodes { externalId } } }"
CONTACT = "query($id: ID!) { orderContact(id: $id) { name lines city email } }"
STREAM = """subscription($filter: OrderChangedFilter, $after: String) { orderChanged(filter: $filter, after: $after) {
  cursor kind order { externalId status timeline { action } lines { cancelled } } } }"""


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as opened:
        async with opened.state.database.hot.acquire() as connection:
            wanted = ChannelConnect("b2b", "Direct", "B2B", {"BER": "", "NYC": ""}, status="LIVE")
            await connect_channel(connection, opened.state.settings, wanted)
        yield opened
        await assert_whole(opened)


async def create(company: ChannelCompany, client: Client | None = None, **fields: Any) -> Any:
    wanted = {"channel": "b2b", "lines": LINES, **fields}
    return await (client or company.admin).mutate("orderCreate", SHOWN, **wanted)


def price(amount: str, currency: str) -> dict[str, Any]:
    return {"sku": "SKU-0", "quantity": 1, "unitPrice": {"amount": amount, "currency": currency}}


def code(made: Any) -> tuple[str, list[str]]:
    assert made["order"] is None
    (error,) = made["userErrors"]
    return error["code"], error["path"]


async def test_an_order_is_placed_once_per_key_and_per_external_id(company: ChannelCompany) -> None:
    made = await create(company, externalId="PO-7", idempotencyKey="k", address=ADDRESS, email="ada@example.com")
    assert (made["userErrors"], made["order"]["status"]) == ([], "ALLOCATED")
    again = await create(company, externalId="PO-7", idempotencyKey="k", address=ADDRESS, email="ada@example.com")
    assert again["order"]["id"] == made["order"]["id"]
    assert code(await create(company, externalId="PO-7")) == ("ALREADY_EXISTS", ["externalId"])
    other = await create(company, externalId="PO-8", idempotencyKey="k")
    assert code(other)[0] == "IDEMPOTENCY_KEY_REUSED"
    assert await available(company) == 18
    row = await order_row(company, "PO-7")
    assert "10115" in row["destination"]
    kept = await company.value("SELECT string_agg(answer::text, ' ') FROM idempotency_keys")
    assert "10115" not in kept
    assert "Ada" not in kept


async def test_what_nobody_has_is_backordered_and_a_case(company: ChannelCompany) -> None:
    made = await create(company, lines=[{"sku": "SKU-0", "quantity": 25}, {"sku": "400001", "quantity": 1}])
    assert made["order"]["status"] == "PARTLY_ALLOCATED"
    assert sum(line["backordered"] for line in made["order"]["lines"]) > 0
    assert await company.value("SELECT count(*) FROM exception_cases WHERE kind = 'OVERSELL'") == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"channel": "nowhere"}, ("CHANNEL_NOT_FOUND", ["channel"])),
        ({"channel": "shop"}, ("NOT_ALLOWED", ["channel"])),
        ({"lines": []}, ("INVALID_INPUT", ["lines"])),
        ({"lines": [{"sku": "SKU-0", "quantity": 1}] * 1001}, ("TOO_MANY_LINES", ["lines"])),
        ({"lines": [{"sku": "SKU-0", "quantity": 0}]}, ("INVALID_QUANTITY", ["lines", "0", "quantity"])),
        ({"lines": [{"sku": "NONE", "quantity": 1}]}, ("SKU_NOT_FOUND", ["lines", "0", "sku"])),
        (
            {"lines": [{"sku": "SKU-0", "quantity": 1, "externalId": "a"}] * 2},
            ("DUPLICATE_LINE", ["lines", "1", "externalId"]),
        ),
        ({"address": {**ADDRESS, "countryCode": "Germany"}}, ("INVALID_INPUT", ["address", "countryCode"])),
        ({"name": " "}, ("INVALID_INPUT", ["name"])),
        ({"total": {"amount": "-5"}}, ("INVALID_INPUT", ["total", "amount"])),
        ({"total": {"amount": "99999999999"}}, ("INVALID_INPUT", ["total", "amount"])),
        ({"lines": [price("-1", "EUR")]}, ("INVALID_INPUT", ["lines", "0", "unitPrice", "amount"])),
        (
            {"lines": [price("1", "USD")], "total": {"amount": "2", "currency": "EUR"}},
            ("INVALID_INPUT", ["lines", "0", "unitPrice", "currency"]),
        ),
        (
            {"lines": [price("1", "USD"), price("1", "EUR")]},
            ("INVALID_INPUT", ["lines", "1", "unitPrice", "currency"]),
        ),
        (
            {"shipBy": "2027-03-02T00:00:00Z", "deliverBy": "2027-03-01T00:00:00Z"},
            ("INVALID_INPUT", ["shipBy"]),
        ),
    ],
)
async def test_what_cannot_be_placed_is_refused(
    company: ChannelCompany, fields: dict[str, Any], expected: tuple[str, list[str]]
) -> None:
    assert code(await create(company, **fields)) == expected
    assert await available(company) == 20
    assert await company.value("SELECT count(*) FROM orders") == 0


async def test_prices_keep_their_currency_without_a_total(company: ChannelCompany) -> None:
    shown = "order { total { amount } lines { unitPrice { amount currency } } }"
    made = await company.admin.mutate("orderCreate", shown, channel="b2b", lines=[price("1.50", "USD")])
    assert made["order"] == {"total": None, "lines": [{"unitPrice": {"amount": "1.5000", "currency": "USD"}}]}


async def test_a_token_limited_to_channels_orders_there_alone(company: ChannelCompany) -> None:
    shop_id, b2b = [(await company.channel(one)).id for one in ("shop", "b2b")]
    theirs = await company.client(Role.ECOMMERCE, channel_ids=(b2b,))
    assert (await create(company, theirs))["userErrors"] == []
    others = await company.client(Role.ECOMMERCE, channel_ids=(shop_id,))
    assert code(await create(company, others))[0] == "CHANNEL_NOT_FOUND"
    assert (await others.data(ORDERS, f=None))["orders"] == {"totalCount": 0, "nodes": []}


async def test_some_units_and_then_all_are_cancelled(company: ChannelCompany) -> None:
    order = (await create(company, lines=[{"sku": "SKU-0", "quantity": 5}]))["order"]
    made = await company.admin.mutate("orderCancel", SHOWN, id=order["id"], lines=[{"line": "1", "quantity": 2}])
    assert made["order"]["lines"][0] | {"cancelled": 2, "allocated": 3} == made["order"]["lines"][0]
    too_many = await company.admin.mutate("orderCancel", SHOWN, id=order["id"], lines=[{"line": "1", "quantity": 4}])
    assert code(too_many) == ("INVALID_QUANTITY", ["lines", "0", "quantity"])
    made = await company.admin.mutate("orderCancel", f"asked {{ line }} {SHOWN}", id=order["id"])
    assert (made["order"]["status"], made["asked"]) == ("CANCELLED", [])
    assert code(await company.admin.mutate("orderCancel", SHOWN, id=order["id"])) == ("WRONG_STATE", ["id"])
    assert await available(company) == 20


async def test_a_warehouse_that_has_begun_is_asked(company: ChannelCompany) -> None:
    order = (await create(company, externalId="PO"))["order"]
    await advance(company, "PICKED", "PO")
    made = await company.admin.mutate("orderCancel", f"asked {{ line quantity }} {SHOWN}", id=order["id"])
    assert made["asked"] == [{"line": "1", "quantity": 2}]
    assert made["order"]["status"] == "ALLOCATED"
    assert code(await company.admin.mutate("orderCancel", SHOWN, id=order["id"])) == ("WRONG_STATE", ["id"])


async def test_what_was_cancelled_here_is_not_revived_by_a_channel_that_has_not_heard(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 5}, version=1))
    order = (await company.admin.data('{ order(channel: "shop", externalId: "o-1") { id } }'))["order"]
    cancelled = {"id": order["id"], "lines": [{"line": "line-SKU-0", "quantity": 2}]}
    assert (await company.admin.mutate("orderCancel", SHOWN, **cancelled))["userErrors"] == []
    await take(company, say({"SKU-0": 5}, version=2))
    assert await available(company) == 17
    await take(company, say({"SKU-0": 3}, version=3))
    await take(company, say({"SKU-0": 4}, version=4))
    assert await available(company) == 16, "it has heard of it, and wants one more"


async def test_hold_and_release(company: ChannelCompany) -> None:
    order = (await create(company, externalId="PO"))["order"]
    made = await company.admin.mutate("orderHold", SHOWN, id=order["id"], reason="FRAUD")
    assert made["order"]["holdReason"] == "FRAUD"
    assert [work["hold_reason"] for work in await works_of(company, "PO")] == ["ORDER_HELD"]
    assert code(await company.admin.mutate("orderHold", SHOWN, id=order["id"], reason="X")) == ("WRONG_STATE", ["id"])
    assert (await company.admin.data(ORDERS, f={"held": True}))["orders"]["totalCount"] == 1
    made = await company.admin.mutate("orderRelease", SHOWN, id=order["id"])
    assert made["order"]["holdReason"] is None
    assert [work["hold_reason"] for work in await works_of(company, "PO")] == [None]
    assert code(await company.admin.mutate("orderRelease", SHOWN, id=order["id"])) == ("WRONG_STATE", ["id"])


async def test_an_order_on_account_is_released_when_it_is_paid(company: ChannelCompany) -> None:
    order = (await create(company, externalId="PO", paid=False))["order"]
    assert order["payment"] == "PENDING"
    assert await release_work(company.state) == 0
    shop_id = (await company.channel("shop")).id
    houses = tuple(work["warehouse_id"] for work in await works_of(company, "PO"))
    await take(company, say({"SKU-0": 1}, pending=True))
    elsewhere = await company.admin.data('{ order(channel: "shop", externalId: "o-1") { id } }')
    client: Client
    given: Any
    for client, given, refused in (
        (company.admin, {"note": "x" * 501}, ("INVALID_INPUT", ["note"])),
        (company.admin, {"id": elsewhere["order"]["id"]}, ("NOT_ALLOWED", ["id"])),
        (await company.client(Role.ECOMMERCE, channel_ids=(shop_id,)), {}, ("ORDER_NOT_FOUND", ["id"])),
        (await company.client(Role.OPERATIONS, warehouse_ids=houses), {}, ("NOT_ALLOWED", ["id"])),
    ):
        assert code(await client.mutate("orderMarkPaid", SHOWN, **{"id": order["id"], **given})) == refused, given
    for _ in range(2):
        made = await company.admin.mutate("orderMarkPaid", SHOWN, id=order["id"], note="INV-7", idempotencyKey="k")
        assert (made["userErrors"], made["order"]["payment"]) == ([], "PAID")
    timeline = (await company.admin.data('{ order(channel: "b2b", externalId: "PO") { timeline { action note } } }'))[
        "order"
    ]["timeline"]
    assert timeline[1:] == [{"action": "PAID", "note": "INV-7"}]
    assert await release_work(company.state) == 1
    assert [work["status"] for work in await works_of(company, "PO")] == ["RELEASED"]
    assert code(await company.admin.mutate("orderMarkPaid", SHOWN, id=order["id"])) == ("WRONG_STATE", ["id"])
    unpaid = (await create(company, paid=False))["order"]
    await company.admin.mutate("orderCancel", SHOWN, id=unpaid["id"])
    assert code(await company.admin.mutate("orderMarkPaid", SHOWN, id=unpaid["id"])) == ("WRONG_STATE", ["id"])


async def test_who_it_goes_to_is_for_those_who_need_it(company: ChannelCompany) -> None:
    order = (await create(company, externalId="PO", address=ADDRESS, email="ada@example.com"))["order"]
    moved = {**ADDRESS, "city": "Hamburg"}
    changed = await company.admin.mutate("orderAddressUpdate", SHOWN, id=order["id"], address=moved)
    assert changed["userErrors"] == []
    contact = {"name": "Ada Adler", "lines": ["1 Market Square"], "city": "Hamburg", "email": "ada@example.com"}
    houses = {row["warehouse_id"] for row in await works_of(company, "PO")}
    everywhere = await company.state.database.hot.fetch("SELECT id FROM warehouses")
    elsewhere = {row[0] for row in everywhere} - houses
    for client in (
        await company.client(Role.SUPPORT),
        await company.client(Role.WAREHOUSE, warehouse_ids=tuple(houses)),
        await company.client(Role.PARTNER, warehouse_ids=tuple(houses)),
    ):
        assert (await client.data(CONTACT, id=order["id"]))["orderContact"] == contact
    for hidden in (
        await company.client(Role.WAREHOUSE, warehouse_ids=tuple(elsewhere)),
        await company.client(Role.PARTNER),
    ):
        assert (await hidden.data(CONTACT, id=order["id"]))["orderContact"] is None
    for role in (Role.VIEWER, Role.FINANCE, Role.ECOMMERCE):
        answer = await (await company.client(role)).send(CONTACT, id=order["id"])
        assert answer["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_warehouse_sees_its_own_part_and_nothing_else(company: ChannelCompany) -> None:
    await create(company, externalId="PO", lines=[{"sku": "SKU-0", "quantity": 8}])
    await take(company, say({"SKU-0": 6}, "o-9", version=1))
    await take(company, say({"SKU-0": 6, "SKU-1": 10}, "o-9", version=2))
    rows = await works_of(company, "o-9")
    assert len(rows) >= 1
    for house in {row["warehouse_id"] for row in rows}:
        client = await company.client(Role.WAREHOUSE, warehouse_ids=(house,))
        query = """{ order(channel: "shop", externalId: "o-9") { status total { amount } problem timeline { action }
          lines { quantity allocated backordered allocations { warehouse quantity } } } }"""
        order = (await client.data(query))["order"]
        units = sum(number[0] for row in rows if row["warehouse_id"] == house for number in row["lines"].values())
        assert sum(line["quantity"] for line in order["lines"]) == units
        assert sum(line["backordered"] for line in order["lines"]) == 0
        assert len({found["warehouse"] for line in order["lines"] for found in line["allocations"]}) == 1
        assert (order["total"], order["problem"], order["timeline"], order["status"]) == (None, None, [], "ALLOCATED")
        (mine, *_) = (await client.data("{ orders { nodes { id externalId } } }"))["orders"]["nodes"]
        client = await company.client(Role.OPERATIONS, warehouse_ids=(house,))
        assert code(await client.mutate("orderCancel", SHOWN, id=mine["id"]))[0] == "NOT_ALLOWED"
    unrelated = await company.client(Role.WAREHOUSE, warehouse_ids=())
    assert (await unrelated.data(query))["order"] is None
    assert (await unrelated.data(ORDERS, f=None))["orders"]["totalCount"] == 0


async def test_orders_are_found(company: ChannelCompany) -> None:
    await create(company, externalId="PO-1", name="Alpha 100%")
    await create(company, externalId="PO-2", name="Alpine")
    await take(company, say({"SKU-0": 50}, "o-3"))
    for chosen, found in (
        ({"search": "Alp"}, ["PO-2", "PO-1"]),
        ({"search": "Alpha 100%"}, ["PO-1"]),
        ({"search": "Al%"}, []),
        ({"search": "PO-2"}, ["PO-2"]),
        ({"channels": ["b2b"], "statuses": ["ALLOCATED"]}, ["PO-2", "PO-1"]),
        ({"placedTo": "2026-11-02T00:00:00Z"}, ["o-3"]),
        ({"placedFrom": "2026-11-02T00:00:00Z"}, ["PO-2", "PO-1"]),
        ({"warehouses": ["NOWHERE"]}, []),
        ({"statuses": []}, []),
    ):
        nodes = (await company.admin.data(ORDERS, f=chosen))["orders"]["nodes"]
        assert [node["externalId"] for node in nodes] == found, chosen


async def test_who_it_was_for_is_erased_with_what_the_channel_sent(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 1}, version=1, address=PLACE, email="ada@example.com"))
    order = (await company.admin.data('{ order(channel: "shop", externalId: "o-1") { id } }'))["order"]
    assert code(await company.admin.mutate("orderErase", SHOWN, id=order["id"])) == ("WRONG_STATE", ["id"])
    await company.execute(
        """INSERT INTO inbound_events (channel_id, external_id, topic, headers, body, processed_at, order_external_id)
        SELECT channel_id, 'e-' || n, 'orders/create', '{}', 'Ada Adler', now(), CASE n WHEN 1 THEN 'o-1' ELSE 'o-2' END
        FROM orders, generate_series(1, 2) n"""
    )
    await take(company, say({"SKU-0": 1}, version=2, cancelled=True))
    made = await company.admin.mutate("orderErase", SHOWN, id=order["id"])
    assert made["userErrors"] == []
    assert await company.value("SELECT sealed IS NULL AND erased_at IS NOT NULL FROM order_contacts")
    row = await order_row(company)
    assert "Berlin" not in row["destination"]
    assert "DE" in row["destination"]
    bodies = await company.state.database.hot.fetch("SELECT body FROM inbound_events ORDER BY external_id")
    assert [bytes(body[0]) for body in bodies] == [b"", b"Ada Adler"]
    assert (await company.admin.data(CONTACT, id=order["id"]))["orderContact"] is None
    await take(company, say({"SKU-0": 1}, version=3, address=PLACE, cancelled=True))
    assert await company.value("SELECT sealed IS NULL FROM order_contacts"), "a late word brings nothing back"
    again = await company.admin.mutate("eventReprocess", "event { id }", id=await event_id(company))
    assert again["userErrors"][0]["code"] == "WRONG_STATE"


async def test_where_an_order_went_is_erased_also_when_nothing_of_its_contact_could_be_sealed(
    company: ChannelCompany,
) -> None:
    company.state.settings = company.state.settings.model_copy(update={"secret_key": None})
    await take(company, say({"SKU-0": 1}, version=1, address=PLACE))
    await take(company, say({"SKU-0": 1}, "o-2", version=1))
    assert await company.value("SELECT array_agg(sealed IS NULL AND erased_at IS NULL) FROM order_contacts") == [True]
    await take(company, say({"SKU-0": 1}, "o-2", version=2, address=PLACE))
    assert "Berlin" in (await order_row(company, "o-2"))["destination"]
    for number in ("o-1", "o-2"):
        await take(company, say({"SKU-0": 1}, number, version=3, address=PLACE, cancelled=True))
    assert await erase_contacts(company.state) == 0
    await company.execute("UPDATE order_contacts SET erase_at = now() - interval '1 second'")
    assert await erase_contacts(company.state) == 2, "also the one whose address came later"
    for number in ("o-1", "o-2"):
        destination = (await order_row(company, number))["destination"]
        assert ("Berlin" in destination, "10115" in destination) == (False, False)


DECISIONS = """query($id: ID!) { routingDecisions(order: $id) { replays replayRefused { code } erasedAt precision
  policyVersion cost { amount } parcels { warehouse distanceKm units { quantity } }
  steps { candidates { warehouse removedBy distanceKm detail terms { total } } } } }"""
RULE = {
    "name": "near",
    "warehouses": {"maxDistanceKm": 900},
    "orders": {"destinations": ["DE"], "postalPrefixes": ["1"]},
}
NEAR = {"name": "near", "currency": "EUR", "rules": [RULE]}


async def test_decisions_on_an_erased_order_cannot_say_where_it_went(company: ChannelCompany) -> None:
    made = await company.admin.mutate("routingPolicySave", "policy { version }", document=NEAR)
    await company.admin.mutate("routingPolicyPublish", "", version=made["policy"]["version"])
    await company.execute("UPDATE warehouses SET latitude = 52.5, longitude = 13.4 WHERE code = 'BER'")
    await company.execute("UPDATE warehouses SET latitude = 40.7, longitude = -74 WHERE code = 'NYC'")
    company.state.routing.forget()
    await take(company, say({"SKU-0": 1}, version=1, address=PLACE))
    order = (await company.admin.data('{ order(channel: "shop", externalId: "o-1") { id } }'))["order"]
    (before,) = (await company.admin.data(DECISIONS, id=order["id"]))["routingDecisions"]
    assert (before["replays"], before["replayRefused"], before["precision"]) == (True, None, "CITY")
    removed = [one for one in before["steps"][0]["candidates"] if one["removedBy"] == "DISTANCE"]
    assert "km" in removed[0]["detail"]
    await take(company, say({"SKU-0": 1}, version=2, cancelled=True))
    assert (await company.admin.mutate("orderErase", SHOWN, id=order["id"]))["userErrors"] == []
    (after,) = (await company.admin.data(DECISIONS, id=order["id"]))["routingDecisions"]
    assert (after["replays"], after["replayRefused"]) == (None, {"code": "DECISION_ERASED"})
    assert after["erasedAt"] is not None
    assert after["precision"] == "NONE"
    assert [(one["distanceKm"], one["units"]) for one in after["parcels"]] == [(None, [{"quantity": 1}])]
    assert after["cost"] == before["cost"]
    candidates = after["steps"][0]["candidates"]
    assert {one["warehouse"] for one in candidates} == {"BER", "NYC"}
    for one in candidates:
        assert (one["distanceKm"], one["detail"], one["terms"]) == (None, None, None)
    kept = await company.value("SELECT inputs::text || outcome::text FROM routing_decisions")
    assert '"postal_code": null' in kept
    assert "CITY" not in kept
    period = {"from": "2026-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z", "version": before["policyVersion"]}
    query = """query($from: DateTime!, $to: DateTime!, $version: Int) {
      routingSimulate(from: $from, to: $to, version: $version) { orders undecided } }"""
    simulated = (await company.admin.data(query, **period))["routingSimulate"]
    assert simulated == {"orders": 0, "undecided": 1}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await company.execute("UPDATE routing_decisions SET inputs = '{}'")


async def event_id(company: ChannelCompany) -> str:
    events = (await company.admin.data("{ inboundEvents { nodes { id externalId } } }"))["inboundEvents"]["nodes"]
    found: str = next(event["id"] for event in events if event["externalId"] == "e-1")
    return found


@pytest.mark.parametrize(("kind", "days"), [("SHOPIFY", 365), ("AMAZON", 30)])
async def test_contacts_are_erased_on_the_schedule_of_the_channels_kind(
    company: ChannelCompany, kind: str, days: int
) -> None:
    await take(company, say({"SKU-0": 1}, version=1, address=PLACE))
    assert await erase_contacts(company.state) == 0
    await take(company, say({"SKU-0": 1}, version=2, cancelled=True))
    await company.execute("UPDATE channels SET kind = $1 WHERE code = 'shop'", kind)
    assert await erase_contacts(company.state) == 0
    left = await company.value("SELECT extract(days FROM erase_at - now()) FROM order_contacts")
    assert left in (days - 1, days)
    await company.execute("UPDATE order_contacts SET erase_at = now() - interval '1 minute'")
    assert await erase_contacts(company.state) == 1
    assert await company.value("SELECT sealed IS NULL FROM order_contacts")


async def test_a_contact_is_kept_for_so_long_after_the_parcel_arrived(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 1}, version=1, address=PLACE))
    await company.execute(
        """INSERT INTO fulfillments (id, fulfillment_order_id, order_id, warehouse_id, carrier, tracking_number,
             shipped_at, delivered_at)
           SELECT gen_random_uuid(), f.id, f.order_id, f.warehouse_id, 'DHL', n::text, now() - interval '400 days',
             CASE n WHEN 1 THEN now() - interval '360 days' END
           FROM fulfillment_orders f, generate_series(1, 2) n"""
    )
    await company.execute("UPDATE orders SET status = 'SHIPPED'")
    assert await erase_contacts(company.state) == 0
    left = await company.value("SELECT extract(days FROM erase_at - now()) FROM order_contacts")
    assert left in (4, 5), "a year after the last of its parcels, of which one is only taken to have arrived"
    await company.execute("UPDATE order_contacts SET erase_at = now() - interval '1 second'")
    await company.execute("UPDATE orders SET status = 'PARTLY_SHIPPED'")
    assert await erase_contacts(company.state) == 0, "units were added to it"
    assert await company.value("SELECT erase_at IS NULL AND sealed IS NOT NULL FROM order_contacts")


async def test_orders_as_a_stream_resume(company: ChannelCompany) -> None:
    await create(company, externalId="PO-1")
    chosen = {"channels": ["b2b"]}
    async with streaming(company, company.admin, STREAM, filter=chosen) as stream:
        start = await stream.until("READY")
        assert [one["order"]["externalId"] for one in start[:-1]] == ["PO-1"]
        await take(company, say({"SKU-0": 1}))
        order = (await create(company, externalId="PO-2"))["order"]
        change = await stream.read()
        assert (change["kind"], change["order"]["externalId"], change["order"]["status"]) == (
            "CHANGE",
            "PO-2",
            "ALLOCATED",
        )
    await company.admin.mutate("orderCancel", SHOWN, id=order["id"])
    async with streaming(company, company.admin, STREAM, filter=chosen, after=change["cursor"]) as stream:
        change = await stream.read()
        assert change["order"]["status"] == "CANCELLED"
        assert [event["action"] for event in change["order"]["timeline"]] == ["PLACED", "CANCELLED"]
        assert (await stream.read())["kind"] == "READY"
    limited = await company.client(Role.WAREHOUSE, warehouse_ids=(1,))
    assert "limited to warehouses" in await refusal(company, limited, STREAM)
    shop_id = (await company.channel("shop")).id
    other = await company.client(Role.VIEWER, channel_ids=(shop_id,))
    assert "no channel" in await refusal(company, other, STREAM, filter=chosen)
    assert "no such order" in await refusal(company, other, STREAM, filter={"order": order["id"]})
