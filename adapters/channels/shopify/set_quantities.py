"""Set absolute quantities, at most 250 in a call. Shopify writes all of a call or none of it, and mostly says which.

`changeFromQuantity` is always sent: null says that whatever the store shows may be overwritten.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from adapters.channels.base import QuantityWrite, WriteOutcome, WriteResult
from adapters.channels.shopify.client import ShopifyClient
from domain.errors import CauseClass, Fault

WRITES_MAX = 250
COST = 10
RETRY_CODES = frozenset(
    {"IDEMPOTENCY_CONCURRENT_REQUEST", "IDEMPOTENCY_KEY_PARAMETER_MISMATCH", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"}
)
"""What was sent with this key before may have been written: read back, then try with another key."""
STALE = "CHANGE_FROM_QUANTITY_STALE"
CAUSES = {
    "INVALID_INVENTORY_ITEM": CauseClass.MAPPING,
    "INVALID_LOCATION": CauseClass.MAPPING,
    "ITEM_NOT_STOCKED_AT_LOCATION": CauseClass.MAPPING,
    "NON_MUTABLE_INVENTORY_ITEM": CauseClass.POLICY,
} | dict.fromkeys(RETRY_CODES, CauseClass.OUTAGE)
_SET = """
mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}
"""


async def set_quantities(
    client: ShopifyClient, writes: Sequence[QuantityWrite], *, urgent: bool = False
) -> list[WriteResult]:
    """A result for each write, in order. Raises `Fault` when the call itself failed."""
    key = hashlib.blake2b("\n".join(write.key for write in writes).encode(), digest_size=16).hexdigest()
    quantities = [
        {
            "inventoryItemId": write.external_id,
            "locationId": write.location,
            "quantity": write.quantity,
            "changeFromQuantity": write.expected,
        }
        for write in writes
    ]
    given = {
        "name": "available",
        "reason": "correction",
        "referenceDocumentUri": f"onhand://push/{key}",
        "quantities": quantities,
    }
    data = await client.call(_SET, {"input": given, "key": key}, cost=COST, urgent=urgent)
    return _read_results(len(writes), data.get("inventorySetQuantities") or {})


def _read_results(count: int, answer: dict[str, Any]) -> list[WriteResult]:
    errors = answer.get("userErrors") or []
    if not errors:
        return [WriteResult(WriteOutcome.OK)] * count
    results = [_neighbour(written=answer.get("inventoryAdjustmentGroup") is not None)] * count
    for error in errors:
        code = str(error.get("code"))
        outcome, cause = _outcome(code), CAUSES.get(code, CauseClass.VALIDATION)
        message = f"{code}: {error.get('message')}"
        index = _index(error.get("field") or [])
        if index is not None and index < count:
            results[index] = WriteResult(outcome, message, cause)
        elif outcome is WriteOutcome.REFUSED and count > 1:
            raise Fault(f"Shopify: {message}", transient=False, cause=cause)  # which of them, only halving can tell
        else:
            results = [WriteResult(outcome, message, cause)] * count
    return results


def _neighbour(*, written: bool) -> WriteResult:
    """Of a refused quantity. When something was written all the same, nobody knows what: OUTAGE has it read back."""
    message = "Another quantity of the same call was refused."
    cause = CauseClass.OUTAGE if written else None
    return WriteResult(WriteOutcome.TRANSIENT, message, cause, wait_seconds=0.0)


def _outcome(code: str) -> WriteOutcome:
    if code == STALE:
        return WriteOutcome.STALE
    return WriteOutcome.TRANSIENT if code in RETRY_CODES else WriteOutcome.REFUSED


def _index(path: Sequence[Any]) -> int | None:
    return next((int(part) for part in path if str(part).isdigit()), None)
