"""Patches of a listing: judged at once, submitted at once, applied later. Used by patchListingsItem and by feeds.

Only `fulfillment_availability` is kept. Its entries are selected by fulfillment_channel_code: `replace` and `add` put
a whole entry in the place of the one with its code, `merge` changes the fields given, `delete` takes the entry away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeGuard

from adapters.sandbox.amazon.config import LEAD_TIME_DAYS_MAX, QUANTITY_MAX
from adapters.sandbox.amazon.inject_faults import FaultKind
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.state import Listing, now

PATH = "/attributes/fulfillment_availability"
OPERATIONS = frozenset({"add", "replace", "merge", "delete"})
PATCHES_MAX = 100


@dataclass(frozen=True, slots=True)
class Issue:
    """What the vendor would say is wrong. Codes as the vendor's examples and issue threads show them."""

    code: str
    message: str
    attribute: str | None = None
    category: str | None = None

    def render(self) -> dict[str, Any]:
        raw: dict[str, Any] = {"code": self.code, "message": self.message, "severity": "ERROR"}
        if self.attribute is not None:
            raw["attributeNames"] = [self.attribute]
        return {**raw, "categories": [self.category] if self.category else []}


def is_patch_list(raw: Any) -> TypeGuard[list[dict[str, Any]]]:
    """Whether it has the form the models ask for; what it says is judged later."""
    return (
        isinstance(raw, list)
        and 1 <= len(raw) <= PATCHES_MAX
        and all(
            isinstance(patch, dict)
            and patch.get("op") in OPERATIONS
            and isinstance(patch.get("path"), str)
            and isinstance(patch.get("value", []), list)
            and all(isinstance(entry, dict) for entry in patch.get("value", []))
            for patch in raw
        )
    )


def judge_patches(market: Market, sku: str, product_type: str, patches: list[dict[str, Any]]) -> list[Issue]:
    """Everything that is wrong; empty when they can be submitted."""
    listing = market.state.listings.get(sku)
    if listing is None:
        return [Issue("13013", f"The SKU {sku} does not exist in this catalogue.")]
    if product_type not in (listing.product_type, "PRODUCT"):
        text = f"The product type {product_type} is not the listing's."
        return [Issue("90000900", text, "product_type", "INVALID_ATTRIBUTE")]
    return [issue for patch in patches for issue in _judge_patch(patch)]


def _judge_patch(patch: dict[str, Any]) -> list[Issue]:
    if patch["path"] != PATH:
        name = patch["path"].rpartition("/")[2]
        return [Issue("90000900", "The attributes are invalid.", name, "INVALID_ATTRIBUTE")]
    entries = patch.get("value", [])
    if not entries:
        return [_missing("fulfillment_availability")]
    return [issue for entry in entries for issue in _judge_entry(entry, patch["op"])]


def _judge_entry(entry: dict[str, Any], operation: str) -> list[Issue]:
    if not entry.get("fulfillment_channel_code"):
        return [_missing("fulfillment_channel_code")]
    if operation == "delete":
        return []
    if "quantity" not in entry:
        return [_missing("quantity")]
    issues = [] if _is_count(entry["quantity"], QUANTITY_MAX) else [_invalid("quantity")]
    days = entry.get("lead_time_to_ship_max_days", 0)
    return issues if _is_count(days, LEAD_TIME_DAYS_MAX) else [*issues, _invalid("lead_time_to_ship_max_days")]


def _is_count(value: Any, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _missing(name: str) -> Issue:
    return Issue("90220", f"'{name}' is required but not supplied.", name, "MISSING_ATTRIBUTE")


def _invalid(name: str) -> Issue:
    return Issue("90000900", f"The value of '{name}' is invalid.", name, "INVALID_ATTRIBUTE")


def submit_patches(market: Market, sku: str, patches: list[dict[str, Any]], *, submitted_at: float) -> None:
    """Patches without issues. The attributes show them from now on; the stock follows after `apply_seconds`."""
    listing = market.state.listings[sku]
    lost = market.faults.strike(FaultKind.NOT_APPLIED)
    for patch in patches:
        for entry in patch["value"]:
            _write_entry(market, listing, patch["op"], entry)
            quantity = None if patch["op"] == "delete" else entry["quantity"]
            code = entry["fulfillment_channel_code"]
            if code == market.config.fulfillment_channel:
                market.state.acknowledged.append({"sku": sku, "quantity": quantity, "at": now()})
            data = {"sku": sku, "code": code, "quantity": quantity, "submitted_at": submitted_at}
            if not lost:
                market.schedule(market.config.apply_seconds, "apply", data)
    market.state.touch()


def _write_entry(market: Market, listing: Listing, operation: str, entry: dict[str, Any]) -> None:
    code = entry["fulfillment_channel_code"]
    entry = {**entry, "marketplace_id": market.config.marketplace_id}
    for place, known in enumerate(listing.entries):
        if known["fulfillment_channel_code"] == code:
            if operation == "delete":
                del listing.entries[place]
            else:
                listing.entries[place] = {**known, **entry} if operation == "merge" else entry
            return
    if operation != "delete":
        listing.entries.append(entry)
