"""bulk_update_price_quantity: absolute numbers, each item judged by itself, 207 when any of them failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.sandbox.ebay.change_stock import change_outside, change_quantity, end_listing
from adapters.sandbox.ebay.config import QUANTITY_MAX, AtZero
from adapters.sandbox.ebay.count_calls import count_revision, revisions_left
from adapters.sandbox.ebay.inject_faults import FaultKind, Faults
from adapters.sandbox.ebay.refuse import ApiError, describe_error
from adapters.sandbox.ebay.serve_api import Answer, Call
from adapters.sandbox.ebay.state import Offer, State

REQUESTS_MAX = 25


class ItemError(Exception):
    """Why one item of the request was not done."""

    def __init__(self, error_id: int, message: str) -> None:
        super().__init__(message)
        self.error_id = error_id
        self.message = message

    @property
    def status(self) -> int:
        return 500 if self.error_id == 25001 else 400


@dataclass(frozen=True, slots=True)
class BulkUpdate:
    state: State
    faults: Faults

    def answer(self, call: Call) -> Answer:
        requests = call.body.get("requests") if isinstance(call.body, dict) else None
        if not isinstance(requests, list) or not 1 <= len(requests) <= REQUESTS_MAX:
            raise ApiError(400, 25709, f"Invalid value for requests. 1 to {REQUESTS_MAX} are allowed.")
        if not all(isinstance(wanted, dict) and isinstance(wanted.get("sku"), str) for wanted in requests):
            raise ApiError(400, 25709, "Invalid value for sku.")
        if any(not _fits(value) for wanted in requests for value in _list_numbers(wanted)):
            raise ApiError(400, 2004, "Invalid request. Could not serialize field [requests.quantity]")
        entries = [entry for wanted in requests for entry in self._update(wanted)]
        if self.faults.strike(FaultKind.SHUFFLED):
            self.faults.dice_of(FaultKind.SHUFFLED).shuffle(entries)
        failed = any(entry["statusCode"] != 200 for entry in entries)
        return Answer({"responses": entries}, 207 if failed else 200)

    def _update(self, wanted: dict[str, Any]) -> list[dict[str, Any]]:
        """The answer's entries for one item: one for each of its offers, or one for the item."""
        sku = wanted["sku"]
        offer_ids = [offer.get("offerId") for offer in wanted.get("offers") or [] if isinstance(offer, dict)]
        names = [{"sku": sku, "offerId": str(offer_id)} for offer_id in offer_ids] or [{"sku": sku}]
        if self.faults.strike(FaultKind.OUTSIDE_CHANGE) and sku in self.state.items:
            change_outside(self.state, sku, -1)
        try:
            self._strike()
            total, offers = self._check(wanted)
            if self.faults.strike(FaultKind.NOT_APPLIED):
                change_quantity(self.state, sku, cause="not_applied")
            else:
                self._write(sku, total, offers)
        except ItemError as error:
            details = [describe_error(error.error_id, error.message)]
            return [{**name, "statusCode": error.status, "errors": details} for name in names]
        if self.faults.strike(FaultKind.PARTIAL_MISSING):
            return []
        return [{**name, "statusCode": 200} for name in names]

    def _strike(self) -> None:
        if self.faults.strike(FaultKind.PARTIAL):
            raise ItemError(25001, "A system error has occurred.")
        if self.faults.strike(FaultKind.ITEM_REFUSED):
            raise ItemError(25002, "A user error has occurred. The item cannot be revised.")

    def _check(self, wanted: dict[str, Any]) -> tuple[int | None, list[tuple[Offer, int]]]:
        """(total, each offer with its number), or the first reason against it. Writes nothing."""
        if wanted["sku"] not in self.state.items:
            raise ItemError(25709, "Invalid value for sku. The inventory item does not exist.")
        ship_to = wanted.get("shipToLocationAvailability") or {}
        total = _read_quantity(ship_to.get("quantity"), "quantity") if "quantity" in ship_to else None
        offers = [self._check_offer(wanted["sku"], raw) for raw in wanted.get("offers") or []]
        if total is None and not offers:
            raise ItemError(25709, "Invalid value for offers. Nothing to update.")
        if len({offer.offer_id for offer, _ in offers}) != len(offers):
            raise ItemError(25002, "A user error has occurred. Duplicate offerId.")
        if total == 0 and self.state.config.at_zero is AtZero.REFUSE:
            raise ItemError(25004, "The quantity must be a valid number greater than 0.")
        return total, offers

    def _check_offer(self, sku: str, raw: Any) -> tuple[Offer, int]:
        offer = self.state.offers.get(str(raw.get("offerId"))) if isinstance(raw, dict) else None
        if offer is None or offer.sku != sku:
            raise ItemError(25002, "A user error has occurred. The offer does not belong to the SKU.")
        available = _read_quantity(raw.get("availableQuantity"), "availableQuantity")
        if offer.ended:
            raise ItemError(25002, "A user error has occurred. The offer is not published.")
        if revisions_left(self.state, offer.listing_id) < 1:
            raise ItemError(25002, "A user error has occurred. The listing's revision limit for the day is exceeded.")
        if available == 0 and self.state.config.at_zero is AtZero.REFUSE:
            raise ItemError(25004, "The quantity must be a valid number greater than 0.")
        return offer, available

    def _write(self, sku: str, total: int | None, offers: list[tuple[Offer, int]]) -> None:
        for offer, _ in offers:
            count_revision(self.state, offer.listing_id)
        numbers = {offer.offer_id: available for offer, available in offers}
        change_quantity(self.state, sku, total=total, offers=numbers, cause="api")
        if self.state.config.at_zero is AtZero.END:
            for offer in self.state.offers_by_sku[sku]:
                if min(offer.available, self.state.items[sku].quantity) == 0 and not offer.ended:
                    end_listing(self.state, offer)


def _list_numbers(wanted: dict[str, Any]) -> list[Any]:
    ship_to, offers = wanted.get("shipToLocationAvailability"), wanted.get("offers")
    numbers = [ship_to.get("quantity")] if isinstance(ship_to, dict) else []
    return numbers + [offer.get("availableQuantity") for offer in offers or [] if isinstance(offer, dict)]


def _fits(value: Any) -> bool:
    """What is no 32-bit number breaks the whole request before any item is looked at."""
    return value is None or (isinstance(value, int) and abs(value) < 2**31)


def _read_quantity(raw: Any, name: str) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or not 0 <= raw <= QUANTITY_MAX:
        raise ItemError(25709, f"Invalid value for {name}. A whole number from 0 to {QUANTITY_MAX} is needed.")
    return raw
