"""Set absolute quantities, at most 250 in a call; Shopify writes all of a call or none of it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from adapters.channels.base import QuantityWrite, WriteOutcome, WriteResult
from adapters.channels.shopify.client import ShopifyClient

WRITES_MAX = 250
RETRY_CODES = frozenset({"IDEMPOTENCY_CONCURRENT_REQUEST", "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"})
STALE = "CHANGE_FROM_QUANTITY_STALE"
_SET = """
mutation SetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}
"""


async def set_quantities(client: ShopifyClient, location_id: str, writes: Sequence[QuantityWrite]) -> list[WriteResult]:
    """A result for each write, in order. Raises `Fault` when the call itself failed."""
    key = hashlib.blake2b("\n".join(write.key for write in writes).encode(), digest_size=16).hexdigest()
    quantities = [
        {
            "inventoryItemId": write.external_id,
            "locationId": location_id,
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
    data = await client.call(_SET, {"input": given, "key": key})
    return _read_results(len(writes), (data.get("inventorySetQuantities") or {}).get("userErrors") or [])


def _read_results(count: int, errors: Sequence[dict[str, Any]]) -> list[WriteResult]:
    if not errors:
        return [WriteResult(WriteOutcome.OK)] * count
    neighbour = WriteResult(WriteOutcome.TRANSIENT, "Another quantity of the same call was refused.")
    results = [neighbour] * count
    for error in errors:
        outcome = _outcome(str(error.get("code")))
        result = WriteResult(outcome, f"{error.get('code')}: {error.get('message')}")
        index = _index(error.get("field") or [])
        if index is not None and index < count:
            results[index] = result
        else:
            shared = outcome is WriteOutcome.REFUSED and count > 1
            results = [WriteResult(WriteOutcome.TRANSIENT, result.message) if shared else result] * count
    return results


def _outcome(code: str) -> WriteOutcome:
    if code == STALE:
        return WriteOutcome.STALE
    return WriteOutcome.TRANSIENT if code in RETRY_CODES else WriteOutcome.REFUSED


def _index(path: Sequence[Any]) -> int | None:
    return next((int(part) for part in path if str(part).isdigit()), None)
