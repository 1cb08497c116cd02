"""The script of a day: orders, a short one, cancellations in time, in a race and too late, events, and the stock."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

import httpx

from adapters.channels.base import Address
from adapters.channels.threepl.base import ChangePage, DelegatedLine, Delegation, PartnerOrder, PartnerStock, StockPage
from adapters.channels.threepl.call_provider import ConnectSettings
from adapters.channels.threepl.provider import ConnectProvider, open_provider
from app.partners.check.day import Day, Given
from app.partners.check.play_hooks import HookTarget, play_hooks
from app.partners.check.watch_calls import Wire
from domain.errors import CauseClass, Fault

T = TypeVar("T")
TRIES, PAGES_MAX = 3, 1_000
PLAIN_UNITS, SHORT_EXTRA = 2, 3
SCARCE_MAX = 1_000
OVERLAP = datetime.timedelta(minutes=5)
ADDRESS = Address("Conformance Test", ("1 Test Street",), "Berlin", None, "10115", "DE")


@dataclass(frozen=True, slots=True)
class Script:
    """`wait_seconds`: until every order must have ended. `poll_seconds`: between two looks.

    `settle_seconds`: how long what has ended is watched. `sku`, `scarce`: left out, they follow from the snapshot.
    """

    wait_seconds: float = 120.0
    poll_seconds: float = 1.0
    settle_seconds: float = 3.0
    answer_seconds_max: float = 5.0
    sku: str | None = None
    scarce: str | None = None
    unknown: str = "ONHAND-NO-SUCH-SKU"


@dataclass(slots=True)
class Player:
    partner: ConnectProvider
    script: Script
    day: Day
    since: datetime.datetime

    async def try_(self, step: str, work: Awaitable[T]) -> T | None:
        """What a call gives; a failure is evidence, and the day goes on."""
        try:
            return await work
        except Fault as fault:
            self.day.faults.append((step, fault))
            return None


async def play_day(
    settings: ConnectSettings, script: Script, hooks: HookTarget | None, inner: httpx.AsyncBaseTransport
) -> Day:
    """Everything once, in order. Only what the partner says is kept; judging comes after."""
    wire = Wire(inner)
    async with httpx.AsyncClient(transport=wire, timeout=10) as http:
        partner = open_provider(http, settings)
        player = Player(partner, script, Day(script.answer_seconds_max, calls=wire.calls), partner.now() - OVERLAP)
        await _knock(player, http, settings)
        player.day.morning = await _read_stock(player, "snapshot")
        _choose(player)
        await _give(player)
        await _watch(player, script.wait_seconds)
        await _cancel_late(player)
        await _ask_again(player)
        player.day.evening = await _read_stock(player, "snapshot")
        if hooks is not None:
            player.day.hooks = await play_hooks(http, hooks)
        return player.day


async def _knock(player: Player, http: httpx.AsyncClient, settings: ConnectSettings) -> None:
    """With credentials that cannot be right."""
    wrong = {name: f"wrong-{uuid4().hex}" for name in settings.credentials or {"api_key": ""}}
    stranger = open_provider(http, ConnectSettings(settings.base_url, settings.provider, wrong))
    try:
        await stranger.read_stock()
        player.day.stranger = 200
    except Fault as fault:
        player.day.stranger = 401 if fault.cause is CauseClass.AUTH else 500


def _choose(player: Player) -> None:
    """What there is plenty of, and what there is little of."""
    levels = sorted(player.day.morning.values(), key=lambda level: level.available)
    few = [level.sku for level in levels if 0 < level.available <= SCARCE_MAX]
    player.day.sku = player.script.sku or (levels[-1].sku if levels else "")
    player.day.scarce = player.script.scarce or next((sku for sku in few if sku != player.day.sku), "")


async def _give(player: Player) -> None:
    day, script = player.day, player.script
    day.plain, day.twin = _order(day.sku, PLAIN_UNITS), _order(day.sku, 1)
    day.unknown, day.early = _order(script.unknown, 1), _order(day.sku, 1)
    day.race = _order(day.sku, 1)
    for given in (day.plain, day.plain, day.twin, day.unknown, day.early, day.race):
        await _delegate(player, given)
    if day.scarce:
        there = day.morning[day.scarce].available if day.scarce in day.morning else 0
        day.short = _order(day.scarce, there + SHORT_EXTRA)
        await _delegate(player, day.short)
    for _ in range(2):
        await _cancel(player, day.early)


async def _delegate(player: Player, given: Given) -> None:
    """A transient failure is tried again under the same transaction, as any caller would."""
    for attempt in range(TRIES):
        try:
            given.ids.append(await player.partner.delegate(given.work))
        except Fault as fault:
            if not fault.transient or attempt == TRIES - 1:
                player.day.faults.append(("delegate", fault))
                return
        else:
            return


async def _cancel(player: Player, given: Given, step: str = "cancel") -> bool:
    if not given.ids:
        return False
    await player.try_(step, player.partner.request_cancel(given.ids[0], "conformance test", given.work.key))
    return True


async def _watch(player: Player, seconds: float) -> None:
    """Look until every order has ended. The one of the race is cancelled as soon as it is taken on."""
    day, end = player.day, time.monotonic() + seconds
    raced = False
    while time.monotonic() < end:
        await _look(player)
        if day.race is not None and day.race.heard and not raced:
            raced = await _cancel(player, day.race)
        if all(given.ended for given in day.given()):
            return
        await asyncio.sleep(player.script.poll_seconds)


async def _cancel_late(player: Player) -> None:
    """Of what has left, and then a while of watching whether anything goes back."""
    plain = player.day.plain
    if plain is not None and plain.ended:
        player.day.late_cancel = await _cancel(player, plain, "late cancel")
    end = time.monotonic() + player.script.settle_seconds
    while time.monotonic() < end:
        await _look(player)
        await asyncio.sleep(player.script.poll_seconds)


async def _ask_again(player: Player) -> None:
    for _ in range(2):
        player.day.all_again.append(await _read_changes(player))
    for given in player.day.given():
        found = await player.try_("read order", player.partner.read_order(given.ids[0]))
        player.day.asked_alone[given.ids[0]] = found


async def _look(player: Player) -> None:
    said = {order.partner_order_id: order for order in await _read_changes(player)}
    for given in player.day.given():
        order = said.get(given.ids[0])
        if order is not None and order != given.last:
            given.heard.append(order)


async def _read_changes(player: Player) -> list[PartnerOrder]:
    found: list[PartnerOrder] = []
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(PAGES_MAX):
        page: ChangePage | None = await player.try_("changes", player.partner.recent_changes(player.since, cursor))
        if page is None:
            return found
        found += page.orders
        cursor = page.cursor
        if cursor is None:
            return found
        if cursor in seen:
            break
        seen.add(cursor)
    player.day.endless.append("get_recent_changes")
    return found


async def _read_stock(player: Player, step: str) -> dict[str, PartnerStock]:
    found: dict[str, PartnerStock] = {}
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(PAGES_MAX):
        page: StockPage | None = await player.try_(step, player.partner.read_stock((), cursor))
        if page is None:
            return found
        found |= {level.sku: level for level in page.levels}
        cursor = page.cursor
        if cursor is None:
            return found
        if cursor in seen:
            break
        seen.add(cursor)
    player.day.endless.append("get_inventory")
    return found


def _order(sku: str, units: int) -> Given:
    key = str(uuid4())
    line = DelegatedLine(f"line-{key[:8]}", sku, f"Conformance test of {sku}", units)
    return Given(Delegation(key, f"TEST-{key[:8]}", (line,), ADDRESS))
