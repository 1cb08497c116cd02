"""What the documents of orders are sent with, and what must be there before."""

from __future__ import annotations

from typing import Any

from tests.company import Client

LINES = [{"sku": "SKU-0", "quantity": 2}]
ADDRESS = {
    "name": "Ada Adler",
    "lines": ["1 Market Square"],
    "city": "Berlin",
    "postalCode": "10115",
    "countryCode": "DE",
}
GIVEN: dict[str, dict[str, Any]] = {
    "order_page": {"filter": {"statuses": ["ALLOCATED"]}, "first": 50, "after": None},
    "order_show": {"channel": "direct", "externalId": "PO-0"},
    "order_contact": {"id": ""},
    "order_create": {"input": {"channel": "direct", "lines": LINES, "address": ADDRESS}},
    "order_cancel": {"input": {"id": "", "lines": [{"line": "1", "quantity": 1}]}},
    "order_mark_paid": {"input": {"id": "", "note": "INV-7"}},
    "order_promise_update": {"input": {"id": "", "shipBy": "2100-01-01T12:00:00Z", "note": "by phone"}},
    "exception_recover": {"input": {"id": "", "recovery": "BACKORDER"}},
    "live_orders": {"filter": {"channels": ["direct"]}},
}


async def fill(client: Client, name: str, variables: dict[str, Any]) -> dict[str, Any]:
    """The variables with the id of an order that the document can do its work on."""
    if name not in GIVEN or name in ("order_page", "order_create"):
        return variables
    if name == "exception_recover":
        await client.mutate("skuUpsert", "", lines=[{"code": "RARE", "title": "Rare"}])
        lines = [{"sku": "RARE", "quantity": 1}]
        assert (await client.mutate("orderCreate", "", channel="direct", lines=lines))["userErrors"] == []
        cases = await client.data("{ exceptionCases(filter: {kinds: [OVERSELL], states: [OPEN]}) { nodes { id } } }")
        return {"input": {**variables["input"], "id": cases["exceptionCases"]["nodes"][0]["id"]}}
    if name == "order_mark_paid":
        made = await client.mutate("orderCreate", "order { id }", channel="direct", lines=LINES, paid=False)
        return {"input": {**variables["input"], "id": made["order"]["id"]}}
    found = (await client.data('{ order(channel: "direct", externalId: "PO-0") { id } }'))["order"]
    if found is None:
        wanted = {"channel": "direct", "externalId": "PO-0", "lines": [{"sku": "SKU-0", "quantity": 9}]}
        made = await client.mutate("orderCreate", "order { id }", **wanted, address=ADDRESS)
        assert made["userErrors"] == []
        found = made["order"]
    if name == "order_contact":
        return {"id": found["id"]}
    return {"input": {**variables["input"], "id": found["id"]}} if "input" in variables else variables
