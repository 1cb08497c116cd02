"""What the seller account knows, in memory: items, offers, orders, subscriptions, and a history of its writes.

Everything runs on one event loop and nothing here awaits, so each function is one atomic step. Lists that grow
with use are bounded; what falls off is the oldest.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.sandbox.ebay.config import AccountConfig, ProductConfig

ORDERS_MAX = 5_000
HISTORY_MAX = 20_000
FULFILLMENTS_MAX = 100

# (topic, the event's data): told only to who subscribed.
Emit = Callable[[str, dict[str, Any]], None]


def now() -> float:
    """Seconds since the epoch in whole milliseconds, as every timestamp of the vendor has them."""
    return time.time_ns() // 1_000_000 / 1_000


def write_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Item:
    """An inventory item: what the seller has in total, over all marketplaces."""

    sku: str
    title: str
    price: str
    barcode: str | None
    quantity: int
    group: str | None


@dataclass(slots=True)
class Offer:
    """An item on one marketplace. A listing sells the smaller of `available` and the item's quantity."""

    offer_id: str
    sku: str
    listing_id: str
    available: int
    sold: int = 0
    ended: bool = False


@dataclass(slots=True)
class Line:
    line_item_id: str
    sku: str
    listing_id: str
    title: str
    price: str
    quantity: int


@dataclass(slots=True)
class Fulfillment:
    fulfillment_id: str
    lines: list[list[Any]]
    carrier: str | None
    tracking: str | None
    shipped_at: float


@dataclass(slots=True)
class Refund:
    """`lines`: (line, amount) of each; empty when it is of the whole order. `status`: PENDING, REFUNDED or FAILED."""

    refund_id: str
    amount: str
    lines: list[list[str]]
    status: str = "PENDING"
    refunded_at: float | None = None


@dataclass(slots=True)
class Order:
    """`cancel`: NONE_REQUESTED, IN_PROGRESS or CANCELED. `sku_hidden`: its lines carry no sku, as the vendor allows."""

    index: int
    order_id: str
    lines: list[Line]
    address: dict[str, Any]
    email: str | None
    total: str
    created_at: float
    modified_at: float
    paid: bool = True
    sku_hidden: bool = False
    cancel: str = "NONE_REQUESTED"
    cancel_requests: list[dict[str, Any]] = field(default_factory=list)
    cancelled_at: float | None = None
    fulfillments: list[Fulfillment] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)


@dataclass(slots=True)
class Destination:
    destination_id: str
    name: str
    endpoint: str
    verification_token: str
    status: str


@dataclass(slots=True)
class Subscription:
    subscription_id: str
    topic: str
    destination_id: str
    status: str
    created_at: float


@dataclass(slots=True)
class State:
    """The whole account. `emit` is set by the postman; until then events are nobody's."""

    config: AccountConfig
    items: dict[str, Item] = field(default_factory=dict)
    offers: dict[str, Offer] = field(default_factory=dict)
    offers_by_sku: dict[str, list[Offer]] = field(default_factory=dict)
    orders: OrderedDict[str, Order] = field(default_factory=OrderedDict)
    alert_email: str | None = None
    destinations: dict[str, Destination] = field(default_factory=dict)
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    # (day, count) by API and by listing: a new day starts from nothing.
    calls: dict[str, tuple[int, int]] = field(default_factory=dict)
    revisions: dict[str, tuple[int, int]] = field(default_factory=dict)
    history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    counters: dict[str, int] = field(default_factory=dict)
    oversell: bool = False
    # Grows with every change; the saver writes when it moved.
    version: int = 0
    emit: Emit = lambda topic, data: None

    def next_index(self, kind: str) -> int:
        self.counters[kind] = self.counters.get(kind, 0) + 1
        return self.counters[kind]

    def touch(self) -> None:
        self.version += 1

    def add_offer(self, offer: Offer) -> None:
        self.offers[offer.offer_id] = offer
        self.offers_by_sku.setdefault(offer.sku, []).append(offer)


def open_state(config: AccountConfig) -> State:
    return State(config=config, oversell=config.oversell)


def load_product(state: State, product: ProductConfig) -> Offer:
    """Adds an item with a published offer, or changes title, price and barcode of a known sku.

    A known sku keeps the quantity it has: loading twice does not undo what was sold. An ended listing is listed anew.
    """
    state.touch()
    item = state.items.get(product.sku)
    if item is not None:
        item.title, item.price, item.barcode = product.title, product.price, product.barcode
        offer = state.offers_by_sku[product.sku][0]
        if offer.ended:
            publish_offer(state, offer)
        return offer
    state.items[product.sku] = Item(
        product.sku, product.title, product.price, product.barcode, product.quantity, product.group
    )
    offer = Offer(str(8_000_000_000 + state.next_index("Offer")), product.sku, "", product.quantity)
    offer.listing_id = _find_group_listing(state, product.group) or new_listing_id(state)
    state.add_offer(offer)
    return offer


def _find_group_listing(state: State, group: str | None) -> str | None:
    if group is None:
        return None
    mates = (offer for offer in state.offers.values() if state.items[offer.sku].group == group and not offer.ended)
    return next((offer.listing_id for offer in mates), None)


def new_listing_id(state: State) -> str:
    return str(110_000_000_000 + state.next_index("Listing"))


def publish_offer(state: State, offer: Offer) -> None:
    """A listing that ended comes back under another listing id."""
    offer.listing_id, offer.ended, offer.sold = new_listing_id(state), False, 0
    state.touch()


def shown_quantity(state: State, sku: str) -> int:
    """What the listing shows and sells from."""
    live = [offer for offer in state.offers_by_sku.get(sku, ()) if not offer.ended]
    return min(state.items[sku].quantity, live[0].available) if live else 0


def trim(entries: OrderedDict[Any, Any], entries_max: int) -> None:
    while len(entries) > entries_max:
        entries.popitem(last=False)
