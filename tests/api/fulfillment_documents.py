"""What the documents of fulfilment are sent with, and what must be there before."""

from __future__ import annotations

from typing import Any

from app.fulfillment.release_work import release_work
from app.fulfillment.reroute_units import reroute_orders
from app.routing.allocate_order import allocate_order
from app.state import State
from tests.company import Client

STATES = {
    "fulfillment_accept": (),
    "fulfillment_reject": (),
    "fulfillment_pick": ("Accept", "StartPicking"),
    "fulfillment_pack": ("Accept", "StartPicking", "Pick"),
    "fulfillment_ship": ("Accept",),
    "pick_list_create": ("Accept",),
    "live_queue": (),
    "exception_retry": ("Reject",),
}
"""What must have been done with the work of each."""
PICKED = [{"sku": "SKU-0", "quantity": 1}]
GIVEN: dict[str, dict[str, Any]] = {
    "fulfillment_page": {"filter": {"warehouses": ["BER"], "statuses": ["RELEASED"]}, "first": 20, "after": None},
    "fulfillment_accept": {"input": {"id": "", "assignee": "Ada"}},
    "fulfillment_reject": {"input": {"id": "", "reason": "NO_CAPACITY"}},
    "fulfillment_pick": {"input": {"id": "", "lines": PICKED}},
    "fulfillment_pack": {"input": {"id": ""}},
    "fulfillment_ship": {"input": {"id": "", "carrier": "DHL", "trackingNumber": "JD014"}},
    "pick_list_create": {"input": {"warehouse": "BER"}},
    "pick_list_page": {"filter": {"warehouse": "BER", "statuses": ["OPEN"]}, "first": 20, "after": None},
    "bin_page": {"warehouse": "BER", "zone": None, "first": 50, "after": None},
    "live_queue": {"warehouse": "BER"},
    "exception_retry": {"input": {"id": "", "warehouses": ["BER"]}},
}


async def fill(client: Client, state: State, name: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The variables with the id of work that the document can do its work on."""
    if name not in STATES:
        return variables
    made = await client.mutate("orderCreate", "order { id }", channel="direct", lines=PICKED)
    assert made["userErrors"] == []
    await release_work(state)
    query = "query($f: FulfillmentOrderFilter) { fulfillmentOrders(filter: $f) { nodes { id } } }"
    found = await client.data(query, f={"order": made["order"]["id"]})
    (work,) = found["fulfillmentOrders"]["nodes"]
    for verb in STATES[name]:
        more: dict[str, Any] = {"lines": PICKED} if verb == "Pick" else {}
        more |= {"reason": "NO_CAPACITY"} if verb == "Reject" else {}
        assert (await client.mutate(f"fulfillmentOrder{verb}", "", id=work["id"], **more))["userErrors"] == []
    given = variables.get("input", {})
    if name == "exception_retry":
        await reroute_orders(state, allocate_order)
        cases = await client.data("{ exceptionCases(filter: {kinds: [REJECTION], states: [OPEN]}) { nodes { id } } }")
        return {"input": {**given, "id": cases["exceptionCases"]["nodes"][0]["id"]}}
    return {"input": {**given, "id": work["id"]}} if "id" in given else variables
