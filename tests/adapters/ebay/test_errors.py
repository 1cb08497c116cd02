"""eBay's errors: who can help, and whether trying again can."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapters.channels.base import WriteOutcome
from adapters.channels.ebay.read_errors import EbayError, EbayFault, fault_of, read_errors, result_of
from adapters.channels.refuse_call import NotPermitted
from domain.errors import CauseClass
from tests.adapters.ebay.contract import DOCUMENTS, FOLDER, load_document


def body(error_id: int, category: str = "REQUEST", message: str = "no") -> dict[str, Any]:
    return {"errors": [{"errorId": error_id, "domain": "X", "category": category, "message": message}]}


@pytest.mark.parametrize(
    ("status", "raw", "transient", "cause"),
    [
        (401, body(1001), False, CauseClass.AUTH),
        (403, body(1100), False, CauseClass.AUTH),
        (403, None, False, CauseClass.AUTH),
        (429, body(2001), True, CauseClass.QUOTA),
        (429, None, True, CauseClass.QUOTA),
        (500, body(25001, "APPLICATION"), True, CauseClass.OUTAGE),
        (500, body(30500, "APPLICATION"), True, CauseClass.OUTAGE),
        (503, "<html>", True, CauseClass.OUTAGE),
        (400, body(25002), False, CauseClass.VALIDATION),
        (400, body(25709), False, CauseClass.VALIDATION),
        (404, body(25710), False, CauseClass.MAPPING),
        (404, body(25713), False, CauseClass.MAPPING),
        (400, body(25759), False, CauseClass.VALIDATION),
        (400, body(25004), False, CauseClass.VALIDATION),
        (400, body(32100), False, CauseClass.MAPPING),
        (400, body(32300), False, CauseClass.VALIDATION),
        (400, body(34100), False, CauseClass.QUOTA),
        (400, body(99999), False, CauseClass.UNKNOWN),
        (400, body(99999, "APPLICATION"), True, CauseClass.OUTAGE),
        (400, {"errors": "?"}, False, CauseClass.UNKNOWN),
        (400, {"errors": [{"errorId": "?"}]}, False, CauseClass.UNKNOWN),
    ],
)
def test_faults_say_whether_to_try_again(status: int, raw: Any, transient: bool, cause: CauseClass) -> None:
    fault = fault_of(status, raw)
    assert (fault.transient, fault.cause) == (transient, cause)
    assert isinstance(fault, NotPermitted) is (status == 403)


def test_a_token_that_has_ended_is_no_missing_permission() -> None:
    fault = fault_of(403, body(1001))
    assert isinstance(fault, EbayFault)
    assert (fault.status, fault.cause) == (403, CauseClass.AUTH)


def test_one_lasting_reason_outweighs_passing_ones() -> None:
    errors = read_errors({"errors": [*body(25001, "APPLICATION")["errors"], *body(25709)["errors"]]})
    result = result_of(400, errors)
    assert (result.outcome, result.cause) == (WriteOutcome.REFUSED, CauseClass.VALIDATION)


@pytest.mark.parametrize(
    ("message", "spent"),
    [
        ("The listing's revision limit for the day is exceeded.", True),
        ("You have exceeded the maximum number of revisions.", True),
        ("The item cannot be revised.", False),
        ("Selling limit exceeded.", False),
    ],
)
def test_used_up_revisions_are_known_by_the_words(message: str, spent: bool) -> None:
    error = EbayError(25002, "REQUEST", message)
    assert error.is_revision_limit is spent
    assert (error.transient, error.cause) == ((True, CauseClass.QUOTA) if spent else (False, CauseClass.VALIDATION))


def test_a_message_is_kept_short() -> None:
    fault = fault_of(400, body(25002, message="long " * 1_000))
    assert len(str(fault)) < 400


OPERATIONS = {
    "bulkUpdatePriceQuantity", "bulkGetInventoryItem", "getInventoryItems", "getOffers", "getOffer", "getOrders",
    "getOrder", "getShippingFulfillments", "createShippingFulfillment", "updateConfig", "getDestinations",
    "createDestination", "updateDestination", "getSubscriptions", "createSubscription", "updateSubscription",
    "issueRefund", "getTopic", "getPublicKey", "getRateLimits", "getUserRateLimits",
}  # fmt: skip


@pytest.mark.contract
@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs ../shared/contracts beside the repository")
def test_every_error_the_operations_list_has_a_cause() -> None:
    unknown = {}
    for name in DOCUMENTS:
        for operation in [op for methods in load_document(name)["paths"].values() for op in methods.values()]:
            if not isinstance(operation, dict) or operation.get("operationId") not in OPERATIONS:
                continue
            for status, response in operation["responses"].items():
                for code, listed in response.get("x-response-codes", {}).get("errors", {}).items():
                    error = EbayError(int(code), listed["category"], json.dumps(listed["description"]))
                    if error.cause is CauseClass.UNKNOWN:
                        unknown[code] = listed["description"]
                    system = listed["category"] == "APPLICATION" and status == "500"
                    assert not system or (error.transient, error.cause) == (True, CauseClass.OUTAGE)
    assert unknown == {}
