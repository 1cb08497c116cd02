"""The stock area as a client uses it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from app.settings import Settings
from app.stock.verify_ledger import verify_ledger
from tests.company import Client, make_company, make_secret, running_app

LEVEL = "query($s: [String!], $w: [String!]) { stockLevels(filter: {skus: $s, warehouses: $w}) { nodes { available reserved onHand version sku { code } warehouse { code } } } }"


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[Client]:
    async with running_app(settings) as (app, http):
        secret = await make_secret(app._rest.state.onhand)
        found = Client(http, secret)
        await make_company(found)
        yield found
        report = await verify_ledger(app._rest.state.onhand.database)
        assert report.problems == []


async def level_of(client: Client, sku: str = "SKU-0", warehouse: str = "BER") -> dict[str, int]:
    return (await client.data(LEVEL, s=[sku], w=[warehouse]))["stockLevels"]["nodes"][0]


async def test_reservation_moves_stock_and_the_second_buyer_is_refused(client: Client) -> None:
    first = await client.mutate(
        "reservationCreate",
        "reservation { id status lines { quantity sku { code } } }",
        lines=[{"sku": "SKU-0", "quantity": 70, "warehouse": "BER"}],
    )
    assert first["reservation"]["lines"] == [{"quantity": 70, "sku": {"code": "SKU-0"}}]
    second = await client.mutate(
        "reservationCreate",
        "reservation { id }",
        lines=[
            {"sku": "SKU-1", "quantity": 1, "warehouse": "BER"},
            {"sku": "SKU-0", "quantity": 31, "warehouse": "BER"},
        ],
    )
    assert second["reservation"] is None
    assert second["userErrors"][0]["code"] == "INSUFFICIENT_STOCK"
    assert second["userErrors"][0]["path"] == ["lines", "1", "quantity"]
    assert (await level_of(client))["available"] == 30
    assert (await level_of(client, "SKU-1"))["available"] == 100


async def test_concurrent_reservations_never_oversell(client: Client) -> None:
    answers = await asyncio.gather(
        *(
            client.mutate(
                "reservationCreate",
                "reservation { id }",
                lines=[{"sku": "SKU-2", "quantity": 1, "warehouse": "NYC"}],
            )
            for _ in range(150)
        )
    )
    assert sum(answer["reservation"] is not None for answer in answers) == 100
    assert {e["code"] for a in answers for e in a["userErrors"]} == {"INSUFFICIENT_STOCK"}
    found = await level_of(client, "SKU-2", "NYC")
    assert (found["available"], found["reserved"]) == (0, 100)


async def test_the_same_key_has_one_effect_and_another_input_is_refused(client: Client) -> None:
    line = {"sku": "SKU-0", "quantity": 5, "warehouse": "BER"}
    answers = await asyncio.gather(
        *(
            client.mutate("reservationCreate", "reservation { id }", lines=[line], idempotencyKey="once")
            for _ in range(20)
        )
    )
    assert len({answer["reservation"]["id"] for answer in answers}) == 1
    assert (await level_of(client))["available"] == 95
    other = await client.mutate(
        "reservationCreate", "reservation { id }", lines=[{**line, "quantity": 6}], idempotencyKey="once"
    )
    assert other["userErrors"][0]["code"] == "IDEMPOTENCY_KEY_REUSED"


async def test_a_stale_version_changes_nothing(client: Client) -> None:
    version = (await level_of(client))["version"]
    lines = [{"sku": "SKU-0", "delta": -1, "expectedVersion": version}]
    done = await client.mutate(
        "stockAdjust",
        "levels { version available } movements { balanceAfter reason }",
        warehouse="BER",
        reason="LOST",
        lines=lines,
    )
    assert done["levels"] == [{"version": version + 1, "available": 99}]
    assert done["movements"] == [{"balanceAfter": 99, "reason": "LOST"}]
    again = await client.mutate("stockAdjust", "levels { version }", warehouse="BER", reason="LOST", lines=lines)
    assert again["userErrors"][0]["code"] == "STALE_VERSION"
    assert (await level_of(client))["available"] == 99


async def test_a_released_reservation_gives_back_and_ends(client: Client) -> None:
    made = await client.mutate(
        "reservationCreate",
        "reservation { id }",
        lines=[{"sku": "400000", "quantity": 9, "warehouse": "BER"}],
    )
    released = await client.mutate("reservationRelease", "reservation { status }", id=made["reservation"]["id"])
    assert released["reservation"]["status"] == "RELEASED"
    assert (await level_of(client))["available"] == 100
    again = await client.mutate("reservationRelease", "reservation { status }", id=made["reservation"]["id"])
    assert again["userErrors"][0]["code"] == "RESERVATION_ENDED"


async def test_set_adjusts_to_the_number_and_refuses_documents_buckets(client: Client) -> None:
    done = await client.mutate(
        "stockSet",
        "levels { damaged onHand }",
        warehouse="BER",
        lines=[{"sku": "SKU-0", "quantity": 7, "bucket": "DAMAGED"}],
    )
    assert done["levels"] == [{"damaged": 7, "onHand": 107}]
    wrong = await client.mutate(
        "stockSet",
        "levels { damaged }",
        warehouse="BER",
        lines=[{"sku": "SKU-0", "quantity": 7, "bucket": "COMMITTED"}],
    )
    assert wrong["userErrors"][0]["code"] == "INVALID_INPUT"


async def test_a_token_limited_to_a_warehouse_sees_no_other(client: Client, settings: Settings) -> None:
    made = await client.mutate("tokenCreate", "secret", name="partner", roles=["PARTNER"], warehouses=["BER"])
    partner = Client(client.http, made["secret"])
    nodes = (await partner.data(LEVEL, s=None, w=None))["stockLevels"]["nodes"]
    assert {node["warehouse"]["code"] for node in nodes} == {"BER"}
    own = await partner.mutate(
        "stockReceive", "levels { available }", warehouse="BER", lines=[{"sku": "SKU-0", "quantity": 1}]
    )
    assert own == {"levels": [{"available": 101}], "userErrors": []}
    hidden = await partner.mutate(
        "stockReceive", "levels { version }", warehouse="NYC", lines=[{"sku": "SKU-0", "quantity": 1}]
    )
    unknown = await partner.mutate(
        "stockReceive", "levels { version }", warehouse="XXX", lines=[{"sku": "SKU-0", "quantity": 1}]
    )
    assert [hidden["userErrors"][0][k] for k in ("code", "path")] == [
        unknown["userErrors"][0][k] for k in ("code", "path")
    ]
    assert (await level_of(client, warehouse="NYC"))["available"] == 100
    refused = await partner.send('mutation { warehouseCreate(input: {code: "A", name: "A"}) { warehouse { id } } }')
    assert refused["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_what_routing_chooses_by_is_kept_and_shown(client: Client) -> None:
    shown = "warehouse { cutOff groups dailyOrderCapacity }"
    made = await client.mutate("warehouseUpdate", shown, warehouse="BER", cutOff="15:30", groups=["eu", "fast"])
    assert made["warehouse"] == {"cutOff": "15:30", "groups": ["eu", "fast"], "dailyOrderCapacity": None}
    kept = await client.mutate("warehouseUpdate", shown, warehouse="BER", dailyOrderCapacity=9)
    assert kept["warehouse"] == {**made["warehouse"], "dailyOrderCapacity": 9}
    for wrong, path in (({"cutOff": "25:00"}, "cutOff"), ({"groups": [" "]}, "groups"), ({"groups": None}, "groups")):
        refused = await client.mutate("warehouseUpdate", shown, warehouse="BER", **wrong)
        assert refused["userErrors"][0]["path"][0] == path
    tagged = await client.mutate("skuUpsert", "skus { tags }", lines=[{"code": "SKU-0", "tags": ["fragile"]}])
    again = await client.mutate("skuUpsert", "skus { tags }", lines=[{"code": "SKU-0", "title": "T"}])
    assert tagged["skus"] == again["skus"] == [{"tags": ["fragile"]}]
    emptied = await client.mutate("skuUpsert", "skus { tags }", lines=[{"code": "SKU-0", "tags": []}])
    assert emptied["skus"] == [{"tags": []}]


async def test_a_smaller_capacity_leaves_what_is_taken(client: Client, settings: Settings) -> None:
    connection = await asyncpg.connect(settings.owner_database_url)
    try:
        await connection.execute("UPDATE warehouses SET daily_order_capacity = 10")
        await connection.execute(
            "INSERT INTO warehouse_days (warehouse_id, day, capacity, taken)"
            " SELECT id, current_date + n, 10, n FROM warehouses, unnest(ARRAY[1, 7]) AS n WHERE code = 'BER'"
        )
        await client.mutate("warehouseUpdate", "warehouse { id }", warehouse="BER", dailyOrderCapacity=5)
        days = await connection.fetch("SELECT capacity, taken FROM warehouse_days ORDER BY day")
        assert [tuple(day) for day in days] == [(5, 1), (7, 7)]
    finally:
        await connection.close()


async def test_what_may_not_be_asked(client: Client) -> None:
    for query, code in (
        ("{ nothing }", "BAD_USER_INPUT"),
        ("{ " + " ".join(f"a{n}: __typename" for n in range(40)) + " }", "QUERY_TOO_COMPLEX"),
        (
            "{ skus(first: 250) { nodes { stock { sku { stock { sku { stock { sku { code } } } } } } } } }",
            None,
        ),
        ("{ stockLevels(first: 251) { nodes { version } } }", "BAD_USER_INPUT"),
    ):
        answer = await client.send(query)
        found = answer.get("errors", [{"extensions": {"code": None}}])[0]["extensions"]["code"]
        assert found == code or (code is None and found in (None, "QUERY_TOO_COMPLEX"))
    nobody = Client(client.http, "ohd_wrong")
    assert (await nobody.send("{ __typename }"))["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    viewer = Client(client.http, (await client.mutate("tokenCreate", "secret", name="v", roles=["VIEWER"]))["secret"])
    assert (await viewer.send("{ __schema { types { name } } }"))["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_explanation_adds_up(client: Client) -> None:
    await client.mutate(
        "reservationCreate",
        "reservation { id }",
        lines=[{"sku": "SKU-0", "quantity": 9, "warehouse": "BER"}],
        reference="cart",
    )
    found = (
        await client.data(
            '{ stockExplain(sku: "SKU-0", warehouse: "BER") { terms { bucket quantity documents { quantity } } } }'
        )
    )["stockExplain"]["terms"]
    assert {t["bucket"]: t["quantity"] for t in found} == {"AVAILABLE": 91, "RESERVED": 9}
    assert all(sum(d["quantity"] for d in t["documents"]) == t["quantity"] for t in found)
