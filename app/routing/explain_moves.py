"""The decision of each order that a plan for the backlog moves: why there, on the stock that the others leave it."""

from __future__ import annotations

import datetime
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from uuid_utils.compat import uuid7

from adapters.postgres.orders import OrderRow
from app.routing.prepare_routing import Prepared, Want
from domain.errors import Refusal, RefusalCode
from domain.kits import count_spare
from domain.routing.explain_batch import BATCH, Share, explain_batch, keep_shares
from domain.routing.keep_plan import keep_plan
from domain.routing.keep_problem import keep_problem
from domain.routing.plan import Parcel, Terms
from domain.routing.price_plan import price_parcels
from domain.routing.problem import Problem
from domain.routing.read_policy import write_policy
from domain.stock import ACCOUNTS, Balance, Book, DayKey, StockKey

REOPTIMIZED = "REOPTIMIZED"


def write_move(
    prepared: Prepared, order: OrderRow, shares: Sequence[Share], book: Book, now: datetime.datetime, orders: int
) -> tuple[Any, ...]:
    """The row of a decision, once all `orders` of the plan have been given theirs on `book`.

    Raises `Refusal` STALE_VERSION when the policy would not have it so any more.
    """
    started = time.perf_counter()
    problem = _leave(prepared, order, shares, book, now)
    plan = explain_batch(prepared.policy, problem, shares)
    if plan is None:
        message = "The policy, or a warehouse of the plan, has changed since it was planned: plan anew."
        raise Refusal(RefusalCode.STALE_VERSION, message, ("plan",))
    inputs = keep_problem(problem)
    before, _ = price_parcels(prepared.policy, problem, _was(order))
    inputs["batch"] = {"orders": orders, "shares": keep_shares(shares), "before": before.total}
    if prepared.policy_version is None:
        inputs["policy"] = write_policy(prepared.policy)
    kept = (orjson.dumps(inputs).decode(), orjson.dumps(keep_plan(plan)).decode())
    seconds = time.perf_counter() - started
    return (uuid7(), order.id, prepared.policy_version, now, seconds, REOPTIMIZED, BATCH, True, *kept)


def _leave(prepared: Prepared, order: OrderRow, shares: Sequence[Share], book: Book, now: datetime.datetime) -> Problem:
    """The order's problem with its own share on the shelf still, and the others' gone."""
    skus = {line: sku for work in order.scheduled for line, sku, _ in work.units}
    wanted: Counter[int] = Counter()
    own: Counter[StockKey] = Counter()
    for share in shares:
        for line, units in share.units.items():
            wanted[line] += units
            own[StockKey(skus[line], share.site_id)] += units
    balances = {
        key: Balance([found["available"] + own[key], *[0] * (len(ACCOUNTS) - 1)], found.version, 0, found.safety_stock)
        for key in prepared.keys(set(skus.values()))
        if (found := book.balances.get(key)) is not None
    }
    days = dict(book.days)
    for key in (DayKey(share.site_id, share.day) for share in shares):
        if key in days:
            days[key] = replace(days[key], taken=days[key].taken - 1)
    lines = [prepared.skus[skus[line]].want(line, skus[line], units) for line, units in sorted(wanted.items())]
    want = Want(order.id, lines, REOPTIMIZED, order.barred)
    return prepared.problem(want, Book(balances, days=days), now, strict=False)


def _was(order: OrderRow) -> list[Parcel]:
    """What the order had, to be priced."""
    return [
        Parcel(work.warehouse_id, "", work.day, {line: units for line, _, units in work.units}, Terms())
        for work in order.scheduled
        if work.day is not None
    ]


def check_whole(order: OrderRow, shares: Sequence[Share]) -> None:
    """Raises `Refusal` INVALID_QUANTITY for a parcel with part of a kit."""
    parts = {line.line: line.part for line in order.lines if line.part is not None}
    for share in shares:
        if any(count_spare((line, part, share.units.get(line, 0)) for line, part in parts.items()).values()):
            raise Refusal(RefusalCode.INVALID_QUANTITY, "A kit goes whole: plan anew.", ("plan",))
