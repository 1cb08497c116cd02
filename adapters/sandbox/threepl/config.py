"""What a sandbox partner is started with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ConfigError(ValueError):
    """The configuration does not make sense."""


class Defect(StrEnum):
    """A partner that keeps a rule of the conformance kit badly, for as long as it runs."""

    LETS_ANYBODY_IN = "lets_anybody_in"
    SLOW = "slow"  # every answer takes `slow_seconds`
    FORGETS_TRANSACTIONS = "forgets_transactions"  # the same order twice is two orders
    ONE_ID_FOR_ALL = "one_id_for_all"
    BREAKS_SCHEMA = "breaks_schema"  # statuses of its own
    NEVER_SHIPS = "never_ships"
    SHIPS_WITHOUT_TRACKING = "ships_without_tracking"
    SHIPS_TOO_MUCH = "ships_too_much"
    HIDES_SHORTAGE = "hides_shortage"  # ships less and says nothing of the rest
    SHIPS_WHAT_IS_NOT_THERE = "ships_what_is_not_there"  # an unknown SKU
    REFUSES_CANCEL = "refuses_cancel"  # a cancellation is answered 422
    CANCELS_AND_SHIPS = "cancels_and_ships"  # says both of the same units
    UNSHIPS = "unships"  # a cancellation after the parcel has left makes it cancelled
    CHANGES_IDS = "changes_ids"  # another notification_id at each reading
    GOES_BACK = "goes_back"  # what has shipped is in process again
    IGNORES_SINCE = "ignores_since"  # tells of nothing that is older than a moment
    LOOPS_PAGES = "loops_pages"  # next_request never ends
    SAYS_TWO_THINGS = "says_two_things"  # get_fulfillments knows less than get_recent_changes
    SNAPSHOT_IN_NUMBERS = "snapshot_in_numbers"  # not strings
    SNAPSHOT_DOES_NOT_ADD_UP = "snapshot_does_not_add_up"
    SNAPSHOT_FORGETS = "snapshot_forgets"  # what has shipped is still on hand
    HOOK_TAKES_FORGED = "hook_takes_forged"
    HOOK_TAKES_OLD = "hook_takes_old"
    HOOK_REFUSES_DUPLICATES = "hook_refuses_duplicates"
    HOOK_REFUSES_REORDERED = "hook_refuses_reordered"


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """`stock`: units on hand by SKU. `accept_seconds`, `ship_seconds`: after an order came. `clock`: since 1970.

    `listed`: a page of the snapshot is a list, as the contract's text has it; else one level, as its schema has it.
    """

    name: str = "Sandbox 3PL"
    provider: str = "onhand_sandbox"
    api_key: str = "sandbox-key"
    token: str = "sandbox-token"  # noqa: S105 - opens /faults and the other doors of the sandbox
    webhook_secret: str | None = field(default=None, repr=False)
    warehouse_id: str = "SBX-1"
    stock: Mapping[str, int] = field(default_factory=dict)
    accept_seconds: float = 0.2
    ship_seconds: float = 1.0
    slow_seconds: float = 6.0
    page_size: int = 50
    listed: bool = False
    defects: frozenset[Defect] = frozenset()
    seed: int = 0
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        if not 0 <= self.accept_seconds <= self.ship_seconds:
            raise ConfigError("accept_seconds is from 0 to ship_seconds")
        if self.page_size < 1:
            raise ConfigError("page_size is 1 or more")
        if any(quantity < 0 for quantity in self.stock.values()):
            raise ConfigError("a stock quantity is 0 or more")
