"""The one door to the account's numbers: every change is stamped and remembered here."""

from __future__ import annotations

from adapters.sandbox.ebay.state import Offer, State, now, shown_quantity


def change_quantity(
    state: State, sku: str, *, total: int | None = None, offers: dict[str, int] | None = None, cause: str
) -> None:
    """Gives an item its new total and each offer its own new number; what is not given stays.

    `cause` is "api" (a client's write), "order" (the account sold), "outside" (the seller on the website) or
    "not_applied" (a client's write was answered as done, and nothing is changed).
    """
    before = shown_quantity(state, sku)
    if total is not None:
        state.items[sku].quantity = total
    for offer_id, available in (offers or {}).items():
        state.offers[offer_id].available = available
    shown = shown_quantity(state, sku)
    state.history.append({"at": now(), "cause": cause, "sku": sku, "available": shown, "delta": shown - before})
    state.touch()


def end_listing(state: State, offer: Offer) -> None:
    """A listing that reached zero without out-of-stock control, or was withdrawn, is gone for good."""
    offer.ended = True
    state.touch()


def change_outside(state: State, sku: str, delta: int) -> None:
    """The seller changes the stock on the vendor's own website: both numbers move, never below zero."""
    new = max(0, shown_quantity(state, sku) + delta)
    offers = {offer.offer_id: new for offer in state.offers_by_sku.get(sku, ())}
    change_quantity(state, sku, total=new, offers=offers, cause="outside")
