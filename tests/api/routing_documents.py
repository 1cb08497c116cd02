"""What the documents of routing are sent with, and what must be there before."""

from __future__ import annotations

import datetime
from typing import Any
from uuid import uuid4

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from api.ids import encode_id
from app.orders.place_order import place_order
from app.state import State
from tests.company import Client

POLICY = {"name": "Any", "rules": [{"name": "Any live warehouse"}]}
GIVEN: dict[str, dict[str, Any]] = {
    "routing_explain": {"order": ""},
    "routing_policies": {"first": 20},
    "routing_policy_save": {"input": {"document": POLICY}},
    "routing_policy_publish": {"input": {"version": 0}},
    "routing_simulate": {"from": "2026-11-01T00:00:00Z", "to": "2026-12-01T00:00:00Z", "document": POLICY},
    "routing_reoptimize": {"orders": 50},
    "routing_reoptimize_apply": {"input": {"plan": {}}},
    "order_reroute": {"input": {"order": ""}},
}


async def fill(client: Client, state: State, name: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The variables with an order that was routed, or a draft that can be published."""
    if name == "routing_policy_publish":
        made = await client.mutate("routingPolicySave", "policy { version }", document=POLICY)
        return {"input": {"version": made["policy"]["version"]}}
    if name not in ("routing_explain", "order_reroute", "routing_reoptimize_apply"):
        return variables
    channel = await state.database.hot.fetchval("SELECT id FROM channels WHERE code = 'direct'")
    line = ChannelOrderLine("1", "SKU-0", None, 1)
    order = ChannelOrder(uuid4().hex, "#1", datetime.datetime.now(datetime.UTC), (line,))
    order_id = (await place_order(state, channel, order))["id"]
    if name == "routing_reoptimize_apply":
        return {"input": {"plan": await stay(state, order_id)}}
    key = encode_id("Order", order_id)
    return {"order": key} if name == "routing_explain" else {"input": {"order": key}}


async def stay(state: State, order_id: str) -> dict[str, Any]:
    """A plan by which the order's one unit leaves from where it is promised."""
    query = "SELECT id, version, warehouse_id, day FROM fulfillment_orders WHERE order_id = $1"
    row = await state.database.hot.fetchrow(query, order_id)
    assert row is not None
    parcel = {"warehouse": row["warehouse_id"], "day": row["day"].isoformat(), "units": {"0": 1}}
    return {"moves": [{"order": order_id, "works": [[str(row["id"]), row["version"]]], "parcels": [parcel]}]}
