"""A partner that speaks ShipEngine Connect's contract of a fulfilment provider."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from adapters.channels.threepl.base import ChangePage, Delegation, PartnerOrder, PartnerStock, StockPage
from adapters.channels.threepl.call_provider import ConnectSettings, ProviderCaller, broken
from adapters.channels.threepl.read_orders import read_list, read_order, read_orders, read_text, read_whole
from adapters.channels.threepl.write_order import write_order, write_time
from domain.errors import CauseClass, Fault

LEVELS_MAX = 10_000
CANCEL = uuid.UUID("5f4d7f0e-1d2c-4c8e-9a67-7a1d5f3c0b21")
"""The name space of the transactions of cancellations: another call than the delegation has another transaction."""
Now = Callable[[], datetime.datetime]


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@dataclass(frozen=True, slots=True)
class ConnectProvider:
    caller: ProviderCaller
    now: Now = _now

    async def delegate(self, work: Delegation) -> str:
        answer = await self.caller.call("delegate_fulfillment", work.key, **write_order(work))
        return read_text(answer, "fulfillment_provider_order_id")

    async def request_cancel(self, partner_order_id: str, reason: str, key: str) -> None:
        transaction = str(uuid.uuid5(CANCEL, key))
        body = {"fulfillment_provider_order_id": partner_order_id, "reason": reason or "Cancelled"}
        await self.caller.call("cancel_fulfillment", transaction, **body)

    async def recent_changes(self, since: datetime.datetime, cursor: str | None = None) -> ChangePage:
        body = {"since": write_time(since), "next_request": read_cursor(cursor)}
        answer = await self.caller.call("get_recent_changes", str(uuid.uuid4()), **body)
        orders, wrong = read_orders(answer)
        return ChangePage(orders, write_cursor(answer.get("next_request")), wrong)

    async def read_order(self, partner_order_id: str) -> PartnerOrder | None:
        body = {"fulfillment_provider_order_id": partner_order_id}
        try:
            answer = await self.caller.call("get_fulfillments", str(uuid.uuid4()), **body)
        except Fault as fault:
            if fault.cause is CauseClass.MAPPING:
                return None
            raise
        if any(error.get("code") == "fulfillments_not_found" for error in read_list(answer, "errors", LEVELS_MAX)):
            return None
        return read_order(answer)

    async def read_stock(self, skus: Sequence[str] = (), cursor: str | None = None) -> StockPage:
        """The contract has no time in it: the numbers are as old as the question, or as the settings say."""
        asked = self.now()
        body = {"skus": list(skus) or None, "next_request": read_cursor(cursor)}
        answer = await self.caller.call("get_inventory", str(uuid.uuid4()), **body)
        as_of = asked - datetime.timedelta(seconds=self.caller.settings.snapshot_age_seconds)
        return StockPage(_read_levels(answer), as_of, write_cursor(answer.get("next_request")))


def open_provider(http: httpx.AsyncClient, settings: ConnectSettings, now: Now = _now) -> ConnectProvider:
    return ConnectProvider(ProviderCaller(http, settings), now)


def _read_levels(answer: dict[str, Any]) -> tuple[PartnerStock, ...]:
    """One level, as the contract's schema has it, or a list of them, as its text has it."""
    found = answer.get("inventory")
    if isinstance(found, dict):
        answer = {"inventory": [found] if found else []}
    return tuple(
        PartnerStock(
            read_text(raw, "sku"),
            str(raw.get("warehouse_id") or ""),
            read_whole(raw.get("on_hand_quantity"), "on_hand_quantity"),
            read_whole(raw.get("available_quantity"), "available_quantity"),
            read_whole(raw.get("committed_quantity", "0"), "committed_quantity"),
        )
        for raw in read_list(answer, "inventory", LEVELS_MAX)
    )


def read_cursor(cursor: str | None) -> Any:
    return None if cursor is None else orjson.loads(cursor)


def write_cursor(value: Any) -> str | None:
    """What the partner wants back, whatever it is made of; None at the end, which is empty in one way or another."""
    if not value:
        return None
    if not isinstance(value, str | dict):
        raise broken("The partner's next_request is neither a string nor an object.")
    return orjson.dumps(value).decode()
