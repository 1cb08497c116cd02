"""What the store knows, in memory: products, levels, orders, subscriptions, and a history of its writes.

Everything runs on one event loop and nothing here awaits, so each function is one atomic step. Lists that
grow with use are bounded; what falls off is the oldest.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.sandbox.shopify.config import LocationConfig, ProductConfig, StoreConfig
from adapters.sandbox.shopify.refunds import Refund, Return

ORDERS_MAX = 5_000
HISTORY_MAX = 20_000
ADJUSTMENTS_MAX = 2_000
IDEMPOTENCY_KEYS_MAX = 20_000

ORDERS_CREATE = "orders/create"
ORDERS_UPDATED = "orders/updated"
ORDERS_PAID = "orders/paid"
ORDERS_EDITED = "orders/edited"
ORDERS_CANCELLED = "orders/cancelled"
ORDERS_FULFILLED = "orders/fulfilled"
ORDERS_PARTIALLY_FULFILLED = "orders/partially_fulfilled"
REFUNDS_CREATE = "refunds/create"
RETURNS_APPROVE = "returns/approve"
RETURNS_CANCEL = "returns/cancel"
RETURNS_PROCESS = "returns/process"
FULFILLMENTS_CREATE = "fulfillments/create"
CANCELLATION_REQUESTED = "fulfillment_orders/cancellation_request_submitted"
INVENTORY_LEVELS_UPDATE = "inventory_levels/update"
INVENTORY_LEVELS_CONNECT = "inventory_levels/connect"
INVENTORY_LEVELS_DISCONNECT = "inventory_levels/disconnect"
APP_UNINSTALLED = "app/uninstalled"
TOPICS = (
    ORDERS_CREATE,
    ORDERS_UPDATED,
    ORDERS_PAID,
    ORDERS_EDITED,
    ORDERS_CANCELLED,
    ORDERS_FULFILLED,
    ORDERS_PARTIALLY_FULFILLED,
    REFUNDS_CREATE,
    RETURNS_APPROVE,
    RETURNS_CANCEL,
    RETURNS_PROCESS,
    FULFILLMENTS_CREATE,
    CANCELLATION_REQUESTED,
    INVENTORY_LEVELS_UPDATE,
    INVENTORY_LEVELS_CONNECT,
    INVENTORY_LEVELS_DISCONNECT,
    APP_UNINSTALLED,
)

# (topic, what builds its payload): built only if somebody subscribed.
Emit = Callable[[str, Callable[[], dict[str, Any]]], None]


def now() -> float:
    """Seconds since the epoch, the clock of every timestamp the store gives out."""
    return time.time()


def write_time(at: float) -> str:
    """A DateTime as the GraphQL API writes it; microseconds are dropped, as the vendor does."""
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(slots=True)
class Product:
    """A product, its only variant and its inventory item: all three share one index.

    One that is not `tracked` has no levels and sells without being counted.
    """

    index: int
    sku: str
    title: str
    price: str
    barcode: str | None
    created_at: float
    updated_at: float
    tracked: bool = True


@dataclass(slots=True)
class Location:
    index: int
    config: LocationConfig
    created_at: float


@dataclass(slots=True)
class Level:
    """`committed` is sold and not yet shipped; on_hand is the sum of both."""

    location: int
    item: int
    available: int
    committed: int
    created_at: float
    updated_at: float


@dataclass(slots=True)
class Line:
    """`removed`: units edited out, cancelled or refunded; `returned`: those of them that had been shipped.

    `shipped`: units told in fulfilments.
    """

    index: int
    item: int
    sku: str
    title: str
    price: str
    quantity: int
    removed: int = 0
    shipped: int = 0
    returned: int = 0

    @property
    def current(self) -> int:
        return self.quantity - self.removed

    @property
    def unshipped(self) -> int:
        return max(0, self.current - self.shipped + self.returned)

    @property
    def kept(self) -> int:
        """Units that were shipped and did not come back: no edit takes them away."""
        return self.current - self.unshipped


@dataclass(slots=True)
class Share:
    """Units of an order line in a fulfilment order."""

    index: int
    line: int
    total: int
    remaining: int


@dataclass(slots=True)
class Part:
    """A fulfilment order: what one location is to ship. Nobody sees it before `created_at`."""

    index: int
    order: int
    location: int
    shares: list[Share]
    created_at: float
    updated_at: float
    status: str = "OPEN"
    request_status: str = "UNSUBMITTED"
    fulfill_by: float | None = None


@dataclass(slots=True)
class ParcelLine:
    index: int
    line: int
    quantity: int


@dataclass(slots=True)
class Parcel:
    """A fulfilment: what was shipped from one location under one number."""

    index: int
    order: int
    place: int
    location: int
    company: str | None
    number: str | None
    lines: list[ParcelLine]
    created_at: float


@dataclass(slots=True)
class Order:
    index: int
    number: int
    lines: list[Line]
    address: dict[str, Any] | None
    email: str | None
    total: str
    created_at: float
    updated_at: float = 0.0
    cancelled_at: float | None = None
    cancel_reason: str | None = None
    financial_status: str = "PAID"
    parts: list[Part] = field(default_factory=list)
    parcels: list[Parcel] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)
    returns: list[Return] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.updated_at = self.updated_at or self.created_at

    @property
    def name(self) -> str:
        return f"#{self.number}"

    @property
    def fulfillment_status(self) -> str:
        """The vendor's displayFulfillmentStatus, as far as the store knows it."""
        if any(part.status == "ON_HOLD" for part in self.parts):
            return "ON_HOLD"
        if not self.parcels:
            return "UNFULFILLED"
        return "PARTIALLY_FULFILLED" if any(line.unshipped for line in self.lines) else "FULFILLED"

    def find_line(self, index: int) -> Line:
        return next(line for line in self.lines if line.index == index)


@dataclass(slots=True)
class Edit:
    """An order edit that is not committed: what would remain of each line. `restock`: what goes is on sale again."""

    index: int
    order: int
    quantities: dict[int, int]
    restock: bool = False


@dataclass(slots=True)
class Subscription:
    """`configured`: by the store's start; it follows when a later start names another address."""

    index: int
    topic: str
    uri: str
    created_at: float
    configured: bool = False


@dataclass(slots=True)
class Change:
    item: int
    location: int
    name: str
    delta: int
    quantity_after: int


@dataclass(slots=True)
class Adjustment:
    index: int
    reason: str
    reference: str | None
    created_at: float
    changes: list[Change]


@dataclass(slots=True)
class Attempt:
    """What became of an idempotency key. `adjustment` is set once it succeeded."""

    fingerprint: str
    status: str  # running, failed, succeeded
    adjustment: Adjustment | None = None


@dataclass(slots=True)
class Tokens:
    """What opens the Admin API. Without `refresh` the access token is good for ever.

    `previous`: the refresh token that `refresh` came of; it is taken again until `refresh` was used.
    """

    access: str
    expires_at: float | None = None
    refresh: str | None = None
    previous: str | None = None


@dataclass(slots=True)
class State:
    """The whole store. `emit` is set by the postman; until then events are nobody's."""

    config: StoreConfig
    tokens: Tokens
    products: dict[int, Product] = field(default_factory=dict)
    item_by_sku: dict[str, int] = field(default_factory=dict)
    locations: dict[int, Location] = field(default_factory=dict)
    levels: dict[tuple[int, int], Level] = field(default_factory=dict)
    orders: OrderedDict[int, Order] = field(default_factory=OrderedDict)
    edits: OrderedDict[int, Edit] = field(default_factory=OrderedDict)
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    adjustments: OrderedDict[int, Adjustment] = field(default_factory=OrderedDict)
    attempts: OrderedDict[str, Attempt] = field(default_factory=OrderedDict)
    # What became of a refund's idempotency key: its fingerprint, and its refund unless it was refused.
    refund_keys: OrderedDict[str, tuple[str, Refund | None]] = field(default_factory=OrderedDict)
    history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    counters: dict[str, int] = field(default_factory=dict)
    oversell: bool = False
    # False: the app was uninstalled, and nothing it knows opens the API.
    installed: bool = True
    # Grows with every change; the saver writes when it moved.
    version: int = 0
    emit: Emit = lambda topic, build: None

    def next_index(self, kind: str) -> int:
        self.counters[kind] = self.counters.get(kind, 0) + 1
        return self.counters[kind]

    def touch(self) -> None:
        self.version += 1


def open_state(config: StoreConfig) -> State:
    """A store with its locations and nothing else: what was saved comes next, then the configuration."""
    started_at = now()
    expires_at = started_at + config.token_seconds if config.refresh_token else None
    tokens = Tokens(config.token, expires_at, config.refresh_token)
    state = State(config=config, tokens=tokens, oversell=config.oversell)
    for location in config.locations:
        index = state.next_index("Location")
        state.locations[index] = Location(index, location, started_at)
    return state


def load_config(state: State) -> None:
    """The configured products and subscriptions, on top of what was saved."""
    for product in state.config.products:
        load_product(state, product)
    if state.config.webhook_url:
        for topic in TOPICS:
            _configure_subscription(state, topic, state.config.webhook_url)


def _configure_subscription(state: State, topic: str, uri: str) -> None:
    known = next((s for s in state.subscriptions.values() if s.configured and s.topic == topic), None)
    if known is None:
        made = subscribe(state, topic, uri)
        if made is not None:
            made.configured = True
    elif known.uri != uri:
        known.uri = uri
        state.touch()


def load_product(state: State, product: ProductConfig) -> Product:
    """Adds a product, stocked at its locations, or changes title, price and barcode of a known sku.

    A known sku keeps the quantity the store already has: loading twice does not undo what was sold.
    """
    at = now()
    item = state.item_by_sku.get(product.sku)
    state.touch()
    if item is not None:
        known = state.products[item]
        known.title, known.price, known.barcode = product.title, product.price, product.barcode
        known.updated_at = at
        return known
    index = state.next_index("Product")
    added = Product(index, product.sku, product.title, product.price, product.barcode, at, at, product.tracked)
    state.products[index] = added
    state.item_by_sku[product.sku] = index
    if product.tracked:
        for location, quantity in zip(state.locations, product.quantities or (product.quantity,), strict=False):
            state.levels[(location, index)] = Level(location, index, quantity, 0, at, at)
    return added


def subscribe(state: State, topic: str, uri: str) -> Subscription | None:
    """None when that address already listens to that topic."""
    if any(known.topic == topic and known.uri == uri for known in state.subscriptions.values()):
        return None
    index = state.next_index("WebhookSubscription")
    state.subscriptions[index] = Subscription(index, topic, uri, now())
    state.touch()
    return state.subscriptions[index]


def shown_quantity(state: State, item: int) -> int:
    """What the store's page shows and the store sells from: available over all its locations.

    Nothing of what is not tracked, which sells all the same.
    """
    return sum(
        level.available for location in state.locations if (level := state.levels.get((location, item))) is not None
    )


def trim(entries: OrderedDict[Any, Any], entries_max: int) -> None:
    while len(entries) > entries_max:
        entries.popitem(last=False)
