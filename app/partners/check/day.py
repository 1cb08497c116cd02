"""A day's evidence: what was asked of a partner, what it said, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from adapters.channels.threepl.base import Delegation, PartnerOrder, PartnerStatus, PartnerStock
from app.partners.check.watch_calls import Call
from domain.errors import Fault

ENDS = frozenset({PartnerStatus.SHIPPED, PartnerStatus.REJECTED, PartnerStatus.CANCELLED})


@dataclass(slots=True)
class Given:
    """An order that was given. `ids`: what each delegation was answered with. `heard`: all that was said of it."""

    work: Delegation
    ids: list[str] = field(default_factory=list)
    heard: list[PartnerOrder] = field(default_factory=list)

    @property
    def last(self) -> PartnerOrder | None:
        return self.heard[-1] if self.heard else None

    @property
    def ended(self) -> bool:
        return self.last is not None and self.last.status in ENDS

    @property
    def ordered(self) -> dict[str, int]:
        return {line.line_id: line.quantity for line in self.work.lines}

    def shipped(self, order: PartnerOrder | None = None) -> dict[str, int]:
        """Units by our line, each parcel once."""
        said = order or self.last
        return self._count(units for parcel in (said.shipments if said else ()) for units in parcel.lines)

    def refused(self) -> dict[str, int]:
        """Units by our line; a refusal without lines is of all that was not shipped."""
        found = dict.fromkeys(self.ordered, 0)
        shipped = self.shipped()
        for refusal in self.last.refusals if self.last else ():
            lines = self._count(refusal.lines) if refusal.lines else {
                key: units - shipped[key] for key, units in self.ordered.items()
            }  # fmt: skip
            for key, units in lines.items():
                found[key] = found.get(key, 0) + units
        return found

    def _count(self, lines: object) -> dict[str, int]:
        found = dict.fromkeys(self.ordered, 0)
        by_sku = {line.sku: line.line_id for line in self.work.lines}
        for line_id, sku, quantity in lines:  # type: ignore[attr-defined]
            key = line_id or by_sku.get(sku, sku)
            found[key] = found.get(key, 0) + quantity
        return found


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What the partner's endpoint answered one event with; None: not at all."""

    status: int | None

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        return self.status is not None and 400 <= self.status < 500


@dataclass(slots=True)
class Day:
    """`sku` is plentiful, `scarce` is not. `faults`: what went wrong, by step. `endless`: lists that did not end."""

    answer_seconds_max: float = 5.0
    sku: str = ""
    scarce: str = ""
    plain: Given | None = None
    twin: Given | None = None
    short: Given | None = None
    unknown: Given | None = None
    early: Given | None = None
    race: Given | None = None
    stranger: int | None = None
    calls: list[Call] = field(default_factory=list)
    faults: list[tuple[str, Fault]] = field(default_factory=list)
    endless: list[str] = field(default_factory=list)
    morning: dict[str, PartnerStock] = field(default_factory=dict)
    evening: dict[str, PartnerStock] = field(default_factory=dict)
    late_cancel: bool = False
    all_again: list[list[PartnerOrder]] = field(default_factory=list)
    asked_alone: dict[str, PartnerOrder | None] = field(default_factory=dict)
    hooks: dict[str, HookAnswer] = field(default_factory=dict)

    def given(self) -> Iterator[Given]:
        """The orders that got an id."""
        for order in (self.plain, self.twin, self.short, self.unknown, self.early, self.race):
            if order is not None and order.ids:
                yield order

    def faults_at(self, step: str) -> list[Fault]:
        return [fault for name, fault in self.faults if name == step]
