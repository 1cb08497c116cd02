"""What goes on on the floors of both warehouses of `partner_world`, and what is asked about it that takes two inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.state import State
from domain.identity import Role
from tests.company import Client, make_secret

LINE = {"sku": "SKU-0", "quantity": 1}
IDS = {
    "Transfer": "SELECT t.id FROM transfers t JOIN warehouses w ON w.id = t.source_id "
    "WHERE w.code = 'ZANZIBAR' AND t.state = 'APPROVED'",
    "Return": "SELECT r.id FROM returns r JOIN warehouses w ON w.id = r.warehouse_id WHERE w.code = 'ZANZIBAR'",
    "Damage": "SELECT d.id FROM damages d JOIN warehouses w ON w.id = d.warehouse_id WHERE w.code = 'ZANZIBAR'",
    "Adjustment": "SELECT a.id FROM adjustments a JOIN warehouses w ON w.id = a.warehouse_id WHERE w.code = 'ZANZIBAR'",
}
READY = {
    "transferReceive": "UPDATE transfers SET state = CASE state WHEN 'APPROVED' THEN 'IN_TRANSIT' ELSE 'APPROVED' END;"
    "UPDATE transfer_lines SET picked = 1 - picked, shipped = 1 - shipped",
}
"""Two transfers of the same unit change places, so that the one that is asked about is on the way."""


async def furnish_floor(admin: Client, state: State) -> None:
    """In ZANZIBAR: a transfer to the port that is held and one on the way, a return, a damage, a pending adjustment."""
    await _do(admin, "warehouseCreate", code="ZANZIBAR-PORT", name="Zanzibar port")
    way: dict[str, Any] = {"source": "ZANZIBAR", "destination": "ZANZIBAR-PORT", "lines": [LINE]}
    for ships in (False, True):
        made = await _do(admin, "transferCreate", "transfer { id }", **way)
        if ships:
            await _do(admin, "transferShip", id=made["transfer"]["id"])
    await _do(admin, "returnAuthorize", warehouse="ZANZIBAR", lines=[LINE])
    await _do(admin, "damageReport", warehouse="ZANZIBAR", origin="STOCK", cause="Zanzibar rain", lines=[LINE])
    await _do(admin, "approvalPolicySet", kind="ADJUSTMENT", role="WAREHOUSE", unitsMax=0)
    worker = Client(admin.http, await make_secret(state, Role.WAREHOUSE))
    lost = [{"sku": "SKU-0", "delta": -1}]
    await _do(worker, "stockAdjust", warehouse="ZANZIBAR", reason="LOST", lines=lost, note="in Zanzibar")
    await _do(admin, "approvalPolicySet", kind="ADJUSTMENT", role="WAREHOUSE")


def more_inputs(name: str, things: Mapping[str, str], ids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Inputs that say something only when two things are given that need not be, or one of some depth."""
    house = things["warehouse"]
    by_field: dict[str, list[dict[str, Any]]] = {
        "transferReceive": [{"id": ids["Transfer"], "lines": [{"sku": "SKU-0", "received": 1}]}],
        "returnReceive": [{"id": ids["Return"], "lines": [LINE]}, {"warehouse": house, "lines": [LINE]}],
    }
    recorded: dict[str, dict[str, Any]] = {
        "stockReceive": {"warehouse": house, "lines": [LINE]},
        "transferPick": {"id": ids["Transfer"], "lines": [LINE]},
        "transferShip": {"id": ids["Transfer"]},
        "returnReceive": by_field["returnReceive"][0],
        "damageDispose": {"id": ids["Damage"], "disposal": "SCRAP", "quantity": 1},
        "adjustmentReject": {"id": ids["Adjustment"]},
    }
    if name == "floorBatch":
        keyed = [{one: {**given, "idempotencyKey": f"recorded-{one}"}} for one, given in recorded.items()]
        return [{"operations": keyed}]
    return by_field.get(name, [])


async def _do(client: Client, name: str, selection: str = "", /, **fields: Any) -> Any:
    made = await client.mutate(name, selection, **fields)
    assert made["userErrors"] == [], (name, made)
    return made
