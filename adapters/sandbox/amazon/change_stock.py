"""The one door to what is sold from: every change is stamped, remembered and announced here."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.amazon.inject_faults import FaultKind
from adapters.sandbox.amazon.market import Market
from adapters.sandbox.amazon.render_notification import render_quantity_change
from adapters.sandbox.amazon.state import Listing, now, shown_quantity


def change_quantity(
    market: Market,
    listing: Listing,
    code: str,
    quantity: int | None,
    cause: str,
    *,
    order: str | None = None,
    removed: int = 0,
) -> None:
    """`cause`: "api" (a submission was applied), "order" (it sold), "cancel" or "outside" (a person in the admin).

    `removed`: units that `order` lost.
    """
    before = listing.effective.get(code)
    listing.effective[code] = quantity
    listing.updated_at = now()
    ours = code == market.config.fulfillment_channel
    if ours:
        market.state.history.append(
            {
                "at": listing.updated_at,
                "cause": cause,
                "sku": listing.sku,
                "available": quantity,
                "delta": (quantity or 0) - (before or 0),
                "order": order,
                "removed": removed,
            }
        )
    market.state.touch()
    if ours and quantity is not None and quantity != before:
        market.publish(render_quantity_change(market.config, listing, quantity))


def apply_submission(market: Market, data: dict[str, Any]) -> None:
    """A submission comes true: absolute, whatever was sold since it was accepted."""
    listing = market.state.listings.get(data["sku"])
    if listing is None:
        return
    if not market.config.feeds_overwrite_newer and data["submitted_at"] < listing.submitted_at:
        return
    listing.submitted_at = data["submitted_at"]
    change_quantity(market, listing, data["code"], data["quantity"], "api")
    if data["code"] == market.config.fulfillment_channel and market.faults.strike(FaultKind.OUTSIDE_CHANGE):
        change_outside(market, listing.sku, -1)


def change_outside(market: Market, sku: str, delta: int) -> bool:
    """Somebody else, in the vendor's own admin or another tool. False: no such sku."""
    listing = market.state.listings.get(sku)
    if listing is None:
        return False
    quantity = max(0, shown_quantity(market.state, listing) + delta)
    change_quantity(market, listing, market.config.fulfillment_channel, quantity, "outside")
    return True
