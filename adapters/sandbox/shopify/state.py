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

ORDERS_MAX = 5_000
HISTORY_MAX = 20_000
ADJUSTMENTS_MAX = 2_000
IDEMPOTENCY_KEYS_MAX = 20_000

ORDERS_CREATE = "orders/create"
INVENTORY_LEVELS_UPDATE = "inventory_levels/update"
TOPICS = (ORDERS_CREATE, INVENTORY_LEVELS_UPDATE)

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
    """A product, its only variant and its inventory item: all three share one index."""

    index: int
    sku: str
    title: str
    price: str
    barcode: str | None
    created_at: float
    updated_at: float


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
    index: int
    item: int
    sku: str
    title: str
    price: str
    quantity: int


@dataclass(slots=True)
class Order:
    index: int
    number: int
    lines: list[Line]
    address: dict[str, Any] | None
    email: str | None
    total: str
    created_at: float

    @property
    def name(self) -> str:
        return f"#{self.number}"


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
class State:
    """The whole store. `emit` is set by the postman; until then events are nobody's."""

    config: StoreConfig
    products: dict[int, Product] = field(default_factory=dict)
    item_by_sku: dict[str, int] = field(default_factory=dict)
    locations: dict[int, Location] = field(default_factory=dict)
    levels: dict[tuple[int, int], Level] = field(default_factory=dict)
    orders: OrderedDict[int, Order] = field(default_factory=OrderedDict)
    subscriptions: dict[int, Subscription] = field(default_factory=dict)
    adjustments: OrderedDict[int, Adjustment] = field(default_factory=OrderedDict)
    attempts: OrderedDict[str, Attempt] = field(default_factory=OrderedDict)
    history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    counters: dict[str, int] = field(default_factory=dict)
    oversell: bool = False
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
    state = State(config=config, oversell=config.oversell)
    started_at = now()
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
    """Adds a product, stocked at the first location, or changes title, price and barcode of a known sku.

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
    added = Product(index, product.sku, product.title, product.price, product.barcode, at, at)
    state.products[index] = added
    state.item_by_sku[product.sku] = index
    first = next(iter(state.locations))
    state.levels[(first, index)] = Level(first, index, product.quantity, 0, at, at)
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
    """What the store's page shows and the store sells from: available over all its locations."""
    return sum(
        level.available for location in state.locations if (level := state.levels.get((location, item))) is not None
    )


def trim(entries: OrderedDict[Any, Any], entries_max: int) -> None:
    while len(entries) > entries_max:
        entries.popitem(last=False)
