"""What the documents of counts and replenishment are sent with, and what must be there before."""

from __future__ import annotations

from typing import Any

from app.state import State
from domain.identity import Role
from tests.company import Client, make_secret

GIVEN: dict[str, dict[str, Any]] = {
    "count_create": {"input": {"warehouse": "NYC", "skus": ["SKU-1"]}},
    "count_submit": {"input": {"id": "", "lines": [{"sku": "SKU-2", "quantity": 99}]}},
    "count_review": {"input": {"id": "", "note": "seen twice"}},
    "count_suspect": {"input": {"warehouse": "NYC", "lines": [{"sku": "SKU-1", "cause": "SURPLUS"}]}},
    "count_check": {"input": {"warehouse": "NYC", "lines": [{"sku": "SKU-1", "left": 100}]}},
    "count_page": {"filter": {"warehouses": ["BER"], "statuses": ["PLANNED"]}, "first": 20, "after": None},
    "replenishment_policy_set": {
        "input": {"sku": "SKU-1", "warehouse": "BER", "kind": "COMPUTED", "serviceLevel": 0.95, "coverDays": 14}
    },
    "replenishment_inbox": {"filter": {"warehouses": ["BER"], "statuses": ["PROPOSED"]}, "first": 20, "after": None},
    "purchase_order_create": {
        "input": {"supplier": "ACME", "warehouse": "BER", "lines": [{"sku": "SKU-1", "quantity": 9}]}
    },
    "purchase_order_receive": {"input": {"id": "", "lines": [{"sku": "SKU-1", "quantity": 4}]}},
    "purchase_order_page": {"filter": {"warehouses": ["BER"], "statuses": ["OPEN"]}, "first": 20, "after": None},
    "kit_set": {"input": {"sku": "SET", "components": [{"sku": "SKU-1", "quantity": 2}, {"sku": "SKU-2"}]}},
    "put_away": {"warehouse": "BER", "lines": [{"sku": "SKU-1", "quantity": 3}]},
    "put_away_tasks": {"warehouse": "BER", "first": 20},
    "bin_move": {"input": {"warehouse": "BER", "lines": [{"sku": "SKU-1", "quantity": 3, "to": "A-1"}]}},
    "utilization": {"warehouses": ["BER"]},
    "live_alerts": {"filter": {"warehouses": ["BER"]}},
    "inventory_accuracy": {"filter": {"warehouses": ["BER"]}},
}
BIN = """
WITH zone AS (INSERT INTO zones (warehouse_id, code) SELECT id, 'Z' FROM warehouses WHERE code = 'BER' RETURNING *)
INSERT INTO bins (warehouse_id, zone_id, code) SELECT warehouse_id, id, 'A-1' FROM zone
"""


async def fill(client: Client, state: State, name: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The variables with the id of what the document can do its work on."""
    if name == "kit_set":
        await client.mutate("skuUpsert", "", lines=[{"code": "SET"}])
    if name == "bin_move":
        await state.database.hot.execute(BIN)
    if name.startswith("purchase_order_"):
        await client.mutate("supplierSet", "", code="ACME", name="Acme", leadDays=5)
    if name == "purchase_order_receive":
        made = await client.mutate(
            "purchaseOrderCreate", "purchaseOrder { id }", **GIVEN["purchase_order_create"]["input"]
        )
        return {"input": {**variables["input"], "id": made["purchaseOrder"]["id"]}}
    if name not in ("count_submit", "count_review"):
        return variables
    unfinished = "{ counts(filter: {statuses: [REVIEW]}) { nodes { id } } }"
    for node in (await client.data(unfinished))["counts"]["nodes"]:
        await client.mutate("countCancel", "", id=node["id"])
    made = await client.mutate("countCreate", "count { id }", warehouse="NYC", skus=["SKU-2"], toleranceUnits=5)
    count_id = made["count"]["id"]
    if name == "count_review":
        other = Client(client.http, await make_secret(state, Role.WAREHOUSE))
        lines = [{"sku": "SKU-2", "quantity": 99}]
        assert (await other.mutate("countSubmit", "", id=count_id, lines=lines))["userErrors"] == []
    return {"input": {**variables["input"], "id": count_id}}
