"""A fulfilment order and a count, as far as a test wants them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from app.fulfillment.release_work import release_work
from tests.floor_company import FloorCompany

STEPS = ("RELEASED", "ACCEPTED", "PICKING", "PICKED", "PACKED")


async def make_work(company: FloorCompany, status: str, **fields: Any) -> dict[str, Any]:
    """The id of a fulfilment order of one SKU-0 at BER in a state (ASKED: to be cancelled), and `fields`."""
    channels = (await company.client.data("{ channels { code } }"))["channels"]
    if not channels:
        sources = [{"warehouse": "BER"}]
        await company.do("channelConnect", "channel { code }", code="direct", name="Direct", warehouses=sources, b2b={})
    lines = [{"sku": "SKU-0", "quantity": 1}]
    made = await company.do("orderCreate", "order { id }", channel="direct", externalId=uuid4().hex, lines=lines)
    query = "query($i: ID!) { fulfillmentOrders(filter: {order: $i}) { nodes { id } } }"
    (work,) = (await company.client.data(query, i=made["order"]["id"]))["fulfillmentOrders"]["nodes"]
    release = "UPDATE fulfillment_orders SET release_at = now() - interval '1 hour' WHERE status = 'SCHEDULED'"
    await company.state.database.hot.execute(release)
    await release_work(company.state)
    key = {"id": work["id"]}
    shown = "fulfillmentOrder { id status }"
    steps: dict[str, tuple[str, dict[str, Any]]] = {
        "ACCEPTED": ("fulfillmentOrderAccept", {}),
        "PICKING": ("fulfillmentOrderStartPicking", {}),
        "PICKED": ("fulfillmentOrderPick", {"lines": lines}),
        "PACKED": ("fulfillmentOrderPack", {}),
    }
    wanted = "PICKING" if status == "ASKED" else status
    for step in STEPS[1 : STEPS.index(wanted) + 1]:
        name, given = steps[step]
        await company.do(name, shown, **key, **given)
    if status == "ASKED":
        await company.do("orderCancel", "order { id }", id=made["order"]["id"])
    return {**key, **fields}


async def make_count(company: FloorCompany) -> dict[str, Any]:
    made = await company.do("countCreate", "count { id }", warehouse="BER", skus=["SKU-0"])
    return {"id": made["count"]["id"]}
