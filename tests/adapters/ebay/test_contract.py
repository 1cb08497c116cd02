"""The judge itself: it catches what it should, and the defects it overlooks are still there."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from adapters.channels.base import ListingRef, Shipment
from adapters.channels.ebay.channel import EbayChannel
from adapters.channels.returns import Refund
from tests.adapters.ebay.contract import (
    DECLARED_AS_ERROR,
    ENUMS_SAID_TO_BE_OBJECTS,
    FOLDER,
    REQUIRED_BUT_ABSENT,
    Exchange,
    find_operation,
    judge,
    load_document,
)
from tests.adapters.ebay.market import Market
from tests.adapters.ebay.test_errors import OPERATIONS
from tests.adapters.ebay.test_events import open_inbox

pytestmark = [
    pytest.mark.contract,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="needs ../shared/contracts beside the repository"),
]

INVENTORY = "/sell/inventory/v1"
GOOD = Exchange(
    "POST", f"{INVENTORY}/bulk_update_price_quantity", "", "application/json",
    b'{"requests": [{"sku": "A", "offers": [{"offerId": "1", "availableQuantity": 2}]}]}',
    207, b'{"responses": [{"sku": "A", "offerId": "1", "statusCode": 200}]}', cut=False,
)  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({}, None),
        ({"path": f"{INVENTORY}/bulk_update"}, "no operation"),
        ({"query": "limit=3"}, "not declared"),
        ({"content_type": "text/plain"}, "content type"),
        ({"body": b'{"requests": [{"offers": []}]}'}, "'sku' is a required"),
        ({"body": b'{"requests": [{"sku": "A", "offers": [{"offerID": "1"}]}]}'}, "offerID"),
        ({"body": b'{"requests": [{"sku": "A", "offers": [{"availableQuantity": "2"}]}]}'}, "is not of type"),
        ({"status": 204}, "not declared"),
        ({"answer": b'{"responses": [{"sku": "A"}]}'}, "statusCode"),
        ({"answer": b'{"responses": [], "more": 1}'}, "more"),
        ({"status": 400, "answer": b'{"errors": [{"errorId": 1}]}'}, "not listed"),
        ({"status": 400, "answer": b'{"errors": [{"errorId": 25709, "code": 3}]}'}, "code"),
        ({"status": 400, "answer": b'{"error": "no"}'}, "list of errors"),
        ({"status": 418, "answer": b'{"errors": [{"errorId": 25709}]}'}, "not declared"),
        (
            {"answer": b'{"responses": [{"sku": "A", "statusCode": 400, "errors": [{"errorId": 77}]}]}'},
            "item error 77",
        ),
    ],
)
def test_the_judge_sees_what_is_wrong(wrong: dict[str, Any], word: str | None) -> None:
    faults = judge(replace(GOOD, **wrong))
    assert faults == [] if word is None else any(word in fault for fault in faults), faults


def test_a_wrong_enumeration_value_is_seen() -> None:
    offer = {"offerId": "1", "format": "FIXED", "hideBuyerDetails": False, "includeCatalogProductDetails": True,
             "listingDuration": "GTC", "listingPolicies": {}, "marketplaceId": "EBAY_US", "pricingSummary": {},
             "sku": "A", "status": "PUBLISHED"}  # fmt: skip
    exchange = Exchange("GET", f"{INVENTORY}/offer/1", "", None, b"", 200, json.dumps(offer).encode(), cut=False)
    assert any("'FIXED' is not one of" in fault for fault in judge(exchange))


def test_the_defects_are_still_there() -> None:
    for name, enums in ENUMS_SAID_TO_BE_OBJECTS.items():
        schemas = load_document(name)["components"]["schemas"]
        assert {schemas[enum]["type"] for enum in enums} == {"object"}
        assert all(isinstance(value, str) for enum in enums for value in schemas[enum]["enum"])
    for name, absent in REQUIRED_BUT_ABSENT.items():
        schemas = load_document(name)["components"]["schemas"]
        assert all(field in schemas[schema]["required"] for schema, field in absent.items())
    for operation_id, status in DECLARED_AS_ERROR:
        operation = find_operation("POST", "/commerce/notification/v1/subscription/1/test")
        assert operation is not None
        assert operation.name == operation_id
        content = operation.raw["responses"][status]["content"]["application/json"]
        assert content["schema"]["$ref"].endswith("/Error")


async def test_everything_the_adapter_can_say_was_judged(market: Market) -> None:
    """One pass over the whole port; the market fixture judges it at its end."""
    async with open_inbox(market) as inbox:
        ebay = inbox.channel
        assert isinstance(ebay, EbayChannel)
        for subscription in market.account.subscriptions.values():
            subscription.status = "DISABLED"
        for destination in market.account.destinations.values():
            destination.status = "DISABLED"
        await ebay.subscribe_events("ops@example.org")
        await ebay.set_quantities([market.write("TEA-1", 7), market.write("CUP-1", 0)])
        await ebay.observe([ListingRef("TEA-1", reference=market.reference("TEA-1")), ListingRef("NONE")])
        await ebay.list_items()
        placed = await market.buy("TEA-1", 2, sku_hidden=True, email="a@example.org")
        await market.change("cancel", placed["id"], step="request")
        await ebay.pull_orders(datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC))
        await ebay.read_order(placed["id"])
        lines = ((placed["lines"][0]["id"], 2),)
        await ebay.confirm_shipment(Shipment(placed["id"], lines, "UPS", "1Z1", datetime.now(UTC), "k"))
        await ebay.confirm_shipment(Shipment(placed["id"], lines, "UPS", "1Z1", datetime.now(UTC), "k"))
        asked = Refund(*(placed["id"], None, lines, Decimal("1.00"), "USD", "k", datetime.now(UTC), "RT-1"))
        await ebay.issue_refund(asked)
        await inbox.wait(2)
        seen = [find_operation(one.method, one.path) for one in market.recorder.exchanges]
        assert {operation.name for operation in seen if operation is not None} == OPERATIONS
