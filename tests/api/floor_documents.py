"""What the documents of the warehouse floor are sent with, and what must be there before."""

from __future__ import annotations

from typing import Any

from app.state import State
from domain.identity import Role
from tests.company import Client, make_secret

ONE = [{"sku": "SKU-1", "quantity": 1}]
WAY: dict[str, Any] = {"source": "BER", "destination": "NYC", "lines": ONE}
PAGE: dict[str, Any] = {"filter": {"warehouses": ["BER"]}, "first": 20, "after": None}
LIVE: dict[str, Any] = {"filter": {"warehouses": ["BER"]}}
GIVEN: dict[str, dict[str, Any]] = {
    "transfer_create": {"input": WAY},
    "transfer_approve": {"input": {"id": ""}},
    "transfer_pick": {"input": {"id": "", "lines": ONE}},
    "transfer_ship": {"input": {"id": "", "carrier": "VAN"}},
    "transfer_receive": {"input": {"id": "", "lines": [{"sku": "SKU-1", "received": 1}]}},
    "transfer_close": {"input": {"id": ""}},
    "transfer_cancel": {"input": {"id": ""}},
    "transfer_page": PAGE,
    "live_transfers": LIVE,
    "live_counts": LIVE,
    "return_authorize": {"input": {"warehouse": "BER", "lines": ONE}},
    "return_receive": {"input": {"id": "", "lines": ONE}},
    "return_inspect": {"input": {"id": "", "lines": [{**ONE[0], "disposition": "RESTOCK"}]}},
    "return_exchange": {"input": {"id": "", "lines": ONE}},
    "return_refund": {"input": {"id": "", "step": "DUE", "refund": {"amount": "12.50"}}},
    "return_close": {"input": {"id": ""}},
    "return_page": PAGE,
    "live_returns": LIVE,
    "damage_report": {"input": {"warehouse": "BER", "origin": "STOCK", "cause": "WATER", "lines": ONE}},
    "damage_dispose": {"input": {"id": "", "disposal": "SCRAP", "quantity": 1}},
    "damage_page": PAGE,
    "adjustment_inbox": {"filter": {"states": ["PENDING"]}, "first": 20, "after": None},
    "adjustment_approve": {"input": {"id": ""}},
    "adjustment_reject": {"input": {"id": "", "note": "counted again"}},
    "live_adjustments": LIVE,
    "approval_policies": {},
    "approval_policy_set": {"input": {"kind": "DISPOSAL", "role": "VIEWER", "unitsMax": 10}},
    "floor_batch": {
        "input": {"operations": [{"stockReceive": {"warehouse": "BER", "lines": ONE, "idempotencyKey": "t"}}]}
    },
    "scan_code": {"code": "400001"},
}


async def fill(client: Client, state: State, name: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The variables with the id of what the document can do its work on; for a stream, something to show."""
    makers = {"transfer": _transfer, "return": _return, "damage": _damage, "adjustment": _adjustment}
    kind = name.removeprefix("live_").removesuffix("s").partition("_")[0]
    if name not in GIVEN or kind not in makers:
        return variables
    if "input" in variables and "id" not in variables["input"]:
        return variables
    made = await makers[kind](client, state, name)
    return {"input": {**variables["input"], "id": made}} if "input" in variables else variables


async def _do(client: Client, name: str, selection: str, **fields: Any) -> Any:
    made = await client.mutate(name, selection, **fields)
    assert made["userErrors"] == [], (name, made)
    return made


async def _worker(client: Client, state: State) -> Client:
    return Client(client.http, await make_secret(state, Role.WAREHOUSE))


async def _transfer(client: Client, state: State, name: str) -> str:
    maker = client
    if name == "transfer_approve":
        await _do(client, "approvalPolicySet", "", kind="TRANSFER", role="WAREHOUSE", unitsMax=0)
        maker = await _worker(client, state)
    made = (await _do(maker, "transferCreate", "transfer { id }", **WAY))["transfer"]["id"]
    if name in ("transfer_receive", "transfer_close"):
        await _do(client, "transferShip", "", id=made)
    return str(made)


async def _return(client: Client, _: State, name: str) -> str:
    if name == "return_exchange":
        order = (await _do(client, "orderCreate", "order { id }", channel="direct", lines=ONE))["order"]["id"]
        came = await _do(client, "returnReceive", "return { id }", warehouse="BER", order={"id": order}, lines=ONE)
        return str(came["return"]["id"])
    made = (await _do(client, "returnAuthorize", "return { id }", warehouse="BER", lines=ONE))["return"]["id"]
    if name == "return_inspect":
        await _do(client, "returnReceive", "", id=made, lines=ONE)
    return str(made)


async def _damage(client: Client, _: State, name: str) -> str:
    given: dict[str, Any] = GIVEN["damage_report"]["input"]
    return str((await _do(client, "damageReport", "damages { id }", **given))["damages"][0]["id"])


async def _adjustment(client: Client, state: State, name: str) -> str:
    await _do(client, "approvalPolicySet", "", kind="ADJUSTMENT", role="WAREHOUSE", unitsMax=0)
    worker = await _worker(client, state)
    lost: dict[str, Any] = {"warehouse": "BER", "reason": "LOST", "lines": [{"sku": "SKU-1", "delta": -1}]}
    return str((await _do(worker, "stockAdjust", "adjustment { id }", **lost))["adjustment"]["id"])
