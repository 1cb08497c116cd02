"""What the partner knows, in memory. Nothing here awaits, so each function is one atomic step on the event loop."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from adapters.sandbox.threepl.config import Defect, ProviderConfig
from adapters.sandbox.threepl.inject_faults import Faults

ORDERS_MAX = 20_000
HOOKS_KEPT = 1_000
ENDS = frozenset({"Shipped", "Rejected", "Cancelled"})


@dataclass(slots=True)
class Item:
    """One line of an order; `shipped` and `refused` units of `quantity`."""

    line_id: str | None
    sku: str
    description: str
    quantity: int
    shipped: int = 0
    refused: int = 0


@dataclass(slots=True)
class Order:
    """`status` None: heard of, nothing done yet. `changed_at`: since when `shown_at` the change is told."""

    order_id: str
    transaction_id: str
    external_id: str
    items: list[Item]
    created_at: float
    changed_at: float
    shown_at: float
    status: str | None = None
    reason: str | None = None
    cancel_asked: bool = False
    shipments: list[dict[str, Any]] = field(default_factory=list)
    refusals: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class State:
    """`offset`: seconds by which the sandbox is ahead of its clock. `before`: on hand before the last parcel."""

    config: ProviderConfig
    faults: Faults
    on_hand: dict[str, int]
    orders: dict[str, Order] = field(default_factory=dict)
    by_transaction: dict[str, str] = field(default_factory=dict)
    before: dict[str, int] = field(default_factory=dict)
    offset: float = 0.0
    hooks: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=HOOKS_KEPT))
    calls: dict[str, int] = field(default_factory=dict)
    parcels: int = 0

    def now(self) -> float:
        return self.config.clock() + self.offset

    def has(self, defect: Defect) -> bool:
        return defect in self.config.defects


def open_state(config: ProviderConfig) -> State:
    return State(config, Faults(config.seed), dict(config.stock), before=dict(config.stock))


def write_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
