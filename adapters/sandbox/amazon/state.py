"""What the marketplace knows, in memory: listings, orders, feeds, what is due later, and a history of its writes.

Everything runs on one event loop and nothing here awaits, so each function is one atomic step. Lists that grow with
use are bounded; what falls off is the oldest.
"""

from __future__ import annotations

import heapq
import time
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.sandbox.amazon.config import MarketConfig, ProductConfig

ORDERS_MAX = 5_000
FEEDS_MAX = 1_000
DOCUMENTS_MAX = 2_000
HISTORY_MAX = 20_000
ASIN_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def now() -> float:
    """Seconds since the epoch, the clock of every timestamp the marketplace gives out."""
    return time.time()


def write_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Listing:
    """`entries`: the submitted attribute fulfillment_availability. `effective`: by channel code, what is sold from;
    None where Amazon counts it itself. The two differ until a submission is applied, and after each sale.
    """

    index: int
    sku: str
    title: str
    price: str
    barcode: str | None
    product_type: str
    entries: list[dict[str, Any]]
    effective: dict[str, int | None]
    created_at: float
    updated_at: float
    # When the submission was made that was applied last.
    submitted_at: float = 0.0

    @property
    def asin(self) -> str:
        digits, rest = "", self.index
        for _ in range(8):
            rest, digit = divmod(rest, len(ASIN_DIGITS))
            digits = ASIN_DIGITS[digit] + digits
        return f"B0{digits}"


@dataclass(slots=True)
class Line:
    item_id: str
    sku: str
    title: str
    asin: str
    price: str
    quantity: int
    shipped: int = 0


@dataclass(slots=True)
class Package:
    reference: str
    carrier: str
    tracking_number: str
    shipped_at: str
    items: dict[str, int]
    created_at: float


@dataclass(slots=True)
class Order:
    """`cancelled_by`: BUYER, MERCHANT or AMAZON once it is. `replaces`: the order that it is sent instead of."""

    order_id: str
    status: str
    lines: list[Line]
    address: dict[str, Any] | None
    email: str | None
    created_at: float
    updated_at: float
    ship_by: float
    packages: list[Package] = field(default_factory=list)
    cancel_reason: str | None = None
    cancelled_by: str | None = None
    replaces: str | None = None


@dataclass(slots=True)
class Return:
    """One item that comes back. `kind`: NORMAL, REPLACEMENT or EXCHANGE."""

    return_id: str
    rma_id: str
    order_id: str
    sku: str
    units: int
    reason: str
    kind: str
    status: str
    created_at: float
    updated_at: float
    reference: str


@dataclass(slots=True)
class Document:
    """`content` is None until it was uploaded."""

    document_id: str
    content_type: str
    created_at: float
    content: str | None = None
    gzip: bool = False


@dataclass(slots=True)
class Feed:
    feed_id: str
    feed_type: str
    input_document: str
    status: str
    created_at: float
    started_at: float | None = None
    ended_at: float | None = None
    result_document: str | None = None


@dataclass(order=True, slots=True)
class Due:
    """Something to do at a time. `data` is plain JSON, so that it survives a restart."""

    at: float
    number: int
    kind: str = field(compare=False)
    data: dict[str, Any] = field(compare=False)


@dataclass(slots=True)
class State:
    config: MarketConfig
    listings: dict[str, Listing] = field(default_factory=dict)
    orders: OrderedDict[str, Order] = field(default_factory=OrderedDict)
    returns: OrderedDict[str, Return] = field(default_factory=OrderedDict)
    documents: OrderedDict[str, Document] = field(default_factory=OrderedDict)
    feeds: OrderedDict[str, Feed] = field(default_factory=OrderedDict)
    due: list[Due] = field(default_factory=list)
    history: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    acknowledged: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=HISTORY_MAX))
    counters: dict[str, int] = field(default_factory=dict)
    oversell: bool = False
    # Grows with every change; the saver writes when it moved.
    version: int = 0

    def next_index(self, kind: str) -> int:
        self.counters[kind] = self.counters.get(kind, 0) + 1
        return self.counters[kind]

    def touch(self) -> None:
        self.version += 1

    def schedule(self, at: float, kind: str, data: dict[str, Any]) -> None:
        heapq.heappush(self.due, Due(at, self.next_index("Due"), kind, data))
        self.touch()

    def pop_due(self, moment: float) -> Due | None:
        if not self.due or self.due[0].at > moment:
            return None
        self.touch()
        return heapq.heappop(self.due)


def load_product(state: State, product: ProductConfig) -> Listing:
    """Adds a listing, or changes title, price and barcode of a known sku, which keeps its stock and lead time."""
    at = now()
    state.touch()
    known = state.listings.get(product.sku)
    if known is not None:
        known.title, known.price, known.barcode, known.updated_at = product.title, product.price, product.barcode, at
        return known
    code = product.fulfillment_channel or state.config.fulfillment_channel
    entry: dict[str, Any] = {"fulfillment_channel_code": code, "marketplace_id": state.config.marketplace_id}
    ours = code == state.config.fulfillment_channel
    if ours:
        entry["quantity"] = product.quantity
    if product.lead_time_days is not None:
        entry["lead_time_to_ship_max_days"] = product.lead_time_days
    listing = Listing(
        index=state.next_index("Listing"),
        sku=product.sku,
        title=product.title,
        price=product.price,
        barcode=product.barcode,
        product_type=product.product_type,
        entries=[entry],
        effective={code: product.quantity if ours else None},
        created_at=at,
        updated_at=at,
    )
    state.listings[product.sku] = listing
    return listing


def shown_quantity(state: State, listing: Listing) -> int:
    """What the marketplace sells from the merchant's stock."""
    return listing.effective.get(state.config.fulfillment_channel) or 0


def trim(entries: OrderedDict[Any, Any], entries_max: int) -> None:
    while len(entries) > entries_max:
        entries.popitem(last=False)
