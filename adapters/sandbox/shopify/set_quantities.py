"""inventorySetQuantities: absolute quantities, compared with what the client saw, all of them or none.

An item that is not stocked at the location is stocked there by it, with nothing before.
Refusals, in this order: the idempotency key, the name, the reason, the reference, duplicates, then each
quantity (item, location, range, staleness). Two rules are not in the schema, and break the
whole field instead of being a user error: the @idempotent directive, and an explicit changeFromQuantity.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import GraphQLError

from adapters.sandbox.shopify.change_stock import change_level, render_level
from adapters.sandbox.shopify.config import QUANTITY_MAX
from adapters.sandbox.shopify.context import Context, Info
from adapters.sandbox.shopify.ids import read_gid
from adapters.sandbox.shopify.inject_faults import FaultKind
from adapters.sandbox.shopify.require_key import read_key
from adapters.sandbox.shopify.state import (
    ADJUSTMENTS_MAX,
    IDEMPOTENCY_KEYS_MAX,
    INVENTORY_LEVELS_CONNECT,
    Adjustment,
    Attempt,
    Change,
    Level,
    State,
    now,
    trim,
)

NAMES = ("available", "on_hand")

REASONS = frozenset(
    {
        "correction", "cycle_count_available", "damaged", "movement_canceled", "movement_created",
        "movement_received", "movement_updated", "other", "promotion", "quality_control", "received",
        "reservation_created", "reservation_deleted", "reservation_updated", "restock", "safety_stock",
        "shrinkage",
    }
)  # fmt: skip

_URI = re.compile(r"[a-z][a-z0-9+.-]*://?[^\s/]\S*|[a-z][a-z0-9+.-]*:[^\s/]\S*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Write:
    """One accepted quantity: the level, and the available number that gives what was asked."""

    level: Level
    available: int


def refuse(code: str, message: str, *field: str) -> dict[str, Any]:
    return {"code": code, "message": message, "field": ["input", *field] if field else None}


def _payload(adjustment: Adjustment | None, errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {"inventoryAdjustmentGroup": adjustment, "userErrors": errors}


async def set_quantities(source: Any, info: Info, *, input: dict[str, Any]) -> dict[str, Any]:  # noqa: A002 - the vendor's argument name
    """Resolver of Mutation.inventorySetQuantities."""
    context = info.context
    key = read_key(info)
    _require_compare(input["quantities"])
    fingerprint = hashlib.sha256(orjson.dumps(input, option=orjson.OPT_SORT_KEYS)).hexdigest()
    known = context.state.attempts.get(key)
    if known is not None:
        return _answer_again(context, known, fingerprint, input)
    attempt = Attempt(fingerprint, "running")
    context.state.attempts[key] = attempt
    trim(context.state.attempts, IDEMPOTENCY_KEYS_MAX)
    try:
        slow = context.faults.strike(FaultKind.SLOW_WRITE)
        if slow:
            await asyncio.sleep(slow.seconds)
        return _apply(context, key, attempt, input)
    finally:
        if attempt.status == "running":
            attempt.status = "failed"


def _require_compare(quantities: list[dict[str, Any]]) -> None:
    if any("changeFromQuantity" not in quantity for quantity in quantities):
        raise GraphQLError(
            "InventoryQuantityInput must include the following argument: changeFromQuantity",
            extensions={"code": "INVALID_FIELD_ARGUMENTS"},
        )


def _answer_again(context: Context, known: Attempt, fingerprint: str, wanted: dict[str, Any]) -> dict[str, Any]:
    if known.fingerprint != fingerprint:
        return _payload(None, [refuse(
            "IDEMPOTENCY_KEY_PARAMETER_MISMATCH",
            "The same idempotency key cannot be used with different operation parameters.",
        )])  # fmt: skip
    if known.status == "running":
        return _payload(None, [refuse(
            "IDEMPOTENCY_CONCURRENT_REQUEST", "A request with this idempotency key is being processed."
        )])  # fmt: skip
    if known.status == "failed":
        return _payload(None, [refuse(
            "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED",
            "A previous request with this idempotency key failed. Retry with a new idempotency key.",
        )])  # fmt: skip
    if context.faults.strike(FaultKind.IDEMPOTENCY_RECHECK):
        _, errors = check_quantities(context.state, wanted)
        if errors:
            return _payload(None, errors)
    return _payload(known.adjustment, [])


def _apply(context: Context, key: str, attempt: Attempt, wanted: dict[str, Any]) -> dict[str, Any]:
    """Checks everything, then writes everything; nothing awaits in between."""
    state = context.state
    if context.faults.strike(FaultKind.OUTSIDE_CHANGE):
        _change_outside(context, wanted)
    writes, errors = check_quantities(state, wanted)
    if errors:
        attempt.status = "failed"
        return _payload(None, errors)
    adjustment = Adjustment(
        state.next_index("InventoryAdjustmentGroup"),
        wanted["reason"],
        wanted.get("referenceDocumentUri"),
        now(),
        [],
    )
    for write in writes:
        adjustment.changes += _write(state, write, key)
    state.adjustments[adjustment.index] = adjustment
    trim(state.adjustments, ADJUSTMENTS_MAX)
    attempt.status, attempt.adjustment = "succeeded", adjustment
    if context.faults.strike(FaultKind.ERROR_AFTER_WRITE):
        return _payload(adjustment, [refuse("INVALID_INVENTORY_ITEM", "Something went wrong.", "quantities", "0")])
    return _payload(adjustment, [])


def _write(state: State, write: Write, key: str) -> list[Change]:
    level, delta = write.level, write.available - write.level.available
    if (level.location, level.item) not in state.levels:
        state.levels[level.location, level.item] = level
        state.emit(INVENTORY_LEVELS_CONNECT, lambda: render_level(level))
    change_level(state, level, available=write.available, committed=level.committed, cause="api", key=key)
    on_hand = level.available + level.committed
    return [
        Change(level.item, level.location, "available", delta, level.available),
        Change(level.item, level.location, "on_hand", delta, on_hand),
    ]


def _change_outside(context: Context, wanted: dict[str, Any]) -> None:
    levels = [
        level for quantity in wanted["quantities"]
        if (level := _find_level(context.state, quantity)) is not None and level.available > 0
    ]  # fmt: skip
    if levels:
        level = context.faults.dice_of(FaultKind.OUTSIDE_CHANGE).choice(levels)
        change_level(
            context.state,
            level,
            available=level.available - 1,
            committed=level.committed,
            cause="outside",
        )


def check_quantities(state: State, wanted: dict[str, Any]) -> tuple[list[Write], list[dict[str, Any]]]:
    """The writes that would do what is wanted, and every reason not to. Writes nothing."""
    errors = _check_header(wanted)
    pairs = Counter((entry["inventoryItemId"], entry["locationId"]) for entry in wanted["quantities"])
    if any(times > 1 for times in pairs.values()):
        errors.append(refuse(
            "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR",
            "The combination of inventoryItemId and locationId must be unique.",
            "quantities",
        ))  # fmt: skip
    if errors:
        return [], errors
    writes: list[Write] = []
    for place, quantity in enumerate(wanted["quantities"]):
        outcome = _check_quantity(state, wanted["name"], quantity, str(place))
        if isinstance(outcome, Write):
            writes.append(outcome)
        else:
            errors.append(outcome)
    return writes, errors


def _check_header(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    errors = []
    if wanted["name"] not in NAMES:
        errors.append(refuse("INVALID_NAME", "The quantity name must be either 'available' or 'on_hand'.", "name"))
    if wanted["reason"] not in REASONS:
        errors.append(refuse("INVALID_REASON", "The specified reason is invalid.", "reason"))
    reference = wanted.get("referenceDocumentUri")
    if reference is not None and not _URI.fullmatch(reference):
        errors.append(refuse(
            "INVALID_REFERENCE_DOCUMENT", "The reference document URI is invalid.", "referenceDocumentUri"
        ))  # fmt: skip
    return errors


def _find_level(state: State, quantity: dict[str, Any]) -> Level | None:
    """One that is not stocked yet is new, and not yet the store's."""
    item, location = (
        read_gid("InventoryItem", quantity["inventoryItemId"]),
        read_gid("Location", quantity["locationId"]),
    )
    if item not in state.products or location not in state.locations:
        return None
    return state.levels.get((location, item)) or Level(location, item, 0, 0, now(), now())


def _check_quantity(state: State, name: str, quantity: dict[str, Any], place: str) -> Write | dict[str, Any]:
    at = ("quantities", place)
    if read_gid("InventoryItem", quantity["inventoryItemId"]) not in state.products:
        return refuse("INVALID_INVENTORY_ITEM", "The inventory item couldn't be found.", *at, "inventoryItemId")
    level = _find_level(state, quantity)
    if level is None:
        return refuse("INVALID_LOCATION", "The location couldn't be found.", *at, "locationId")
    if quantity["quantity"] < 0:
        return refuse("INVALID_QUANTITY_NEGATIVE", "The quantity can't be negative.", *at, "quantity")
    if quantity["quantity"] > QUANTITY_MAX:
        message = f"The quantity can't be higher than {QUANTITY_MAX:,}."
        return refuse("INVALID_QUANTITY_TOO_HIGH", message, *at, "quantity")
    return _compare(name, quantity, level, at)


def _compare(name: str, quantity: dict[str, Any], level: Level, at: tuple[str, ...]) -> Write | dict[str, Any]:
    held_back = level.committed if name == "on_hand" else 0
    seen = quantity["changeFromQuantity"]
    if seen is not None and seen != level.available + held_back:
        message = "The changeFromQuantity argument no longer matches the persisted quantity."
        return refuse("CHANGE_FROM_QUANTITY_STALE", message, *at, "changeFromQuantity")
    return Write(level, quantity["quantity"] - held_back)
