"""Hold a snapshot of a warehouse's stock against the ledger: small differences are adjusted, the rest become cases.

A warehouse that is not LIVE yet is compared, and nothing of it changes.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.calls import check_text
from app.catalog.lookup import sku_not_found
from app.exceptions.open_cases import open_cases
from app.exceptions.resolve_cases import resolve_cases
from app.partners.mind_snapshots import end_overdue
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import CauseClass, Refusal, RefusalCode
from domain.exceptions import CaseKind, Problem, Severity
from domain.identity import Principal
from domain.provenance import Provenance, Remarks
from domain.snapshots import Books, Outcome, Tolerance, Verdict, judge_level
from domain.stock import INSIDE, QUANTITY_MAX, Book, Posting, StockKey

REASON = "PARTNER_SNAPSHOT"
LINES_MAX = 1_000
AGE_MAX = datetime.timedelta(days=30)
_HOUSE = "SELECT status FROM warehouses WHERE id = $1 FOR NO KEY UPDATE"
_LATEST = "SELECT max(as_of) FROM partner_snapshots WHERE warehouse_id = $1"
_TOLERANCE = "SELECT tolerance_units, tolerance_percent FROM partners WHERE warehouse_id = $1"
_OURS = "SELECT s.code, l.sku_id FROM stock_levels l JOIN skus s ON s.id = l.sku_id WHERE l.warehouse_id = $1"
_AFTER = """
SELECT sku_id,
  coalesce(sum(quantity) FILTER (WHERE to_bucket = ANY($4) AND NOT from_bucket = ANY($4)), 0)::int AS came,
  coalesce(sum(quantity) FILTER (WHERE from_bucket = ANY($4) AND NOT to_bucket = ANY($4)), 0)::int AS went
FROM stock_movements WHERE warehouse_id = $1 AND sku_id = ANY($2::int[]) AND effective_at > $3 GROUP BY sku_id
"""
_SCHEDULED = """
SELECT l.sku_id, sum(l.quantity - l.shipped - l.cancelled - l.short)::int AS units
FROM fulfillment_order_lines l JOIN fulfillment_orders f ON f.id = l.fulfillment_order_id
WHERE f.warehouse_id = $1 AND l.sku_id = ANY($2::int[]) AND f.status = 'SCHEDULED' GROUP BY l.sku_id
"""
"""Committed, and the warehouse does not know of it: it cannot have left."""
_SNAPSHOT = """
INSERT INTO partner_snapshots
  (id, warehouse_id, source, as_of, applied, actor, reference, levels, equal, adjusted, cases)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_LINES = """
INSERT INTO partner_snapshot_lines (snapshot_id, sku_id, told, least, most, difference, outcome)
SELECT $1, g.* FROM unnest($2::int[], $3::int[], $4::int[], $5::int[], $6::int[], $7::text[])
  AS g (sku_id, told, least, most, difference, outcome)
"""
_SEEN = "UPDATE partners SET snapshot_at = greatest(snapshot_at, $2) WHERE warehouse_id = $1"


@dataclass(frozen=True, slots=True)
class SnapshotReport:
    """`lines`: (SKU code or barcode, units on hand). `complete`: what is not in it, there is none of."""

    warehouse: str
    as_of: datetime.datetime
    lines: Sequence[tuple[str, int]]
    source: str = "API"
    complete: bool = False
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One SKU of a snapshot."""

    sku: str
    sku_id: int
    told: int
    verdict: Verdict
    outcome: Outcome


async def reconcile_snapshot(
    state: State,
    principal: Principal,
    report: SnapshotReport,
    provenance: Provenance,
    now: datetime.datetime,
    call: IdempotentCall | None = None,
) -> Answer:
    """`snapshot` of the answer: what was found, and each line that differs.

    Raises `Refusal` WAREHOUSE_NOT_FOUND, INVALID_INPUT (time, reference), TOO_MANY_LINES, for each line
    SKU_NOT_FOUND, INVALID_QUANTITY, DUPLICATE_LINE; WAREHOUSE_CLOSED; WRONG_STATE for one that is older than the last.
    """
    house = await state.lookup.find_warehouse(report.warehouse, principal, ("warehouse",), open_only=False)

    async def decide(connection: Any) -> Answer:
        _check(report, now)
        told = await _read_lines(state, report)
        status = await connection.fetchval(_HOUSE, house.id)
        await _check_order(connection, house.id, status, report)
        if report.complete:
            told |= {row["sku_id"]: (row["code"], 0) for row in await connection.fetch(_OURS, house.id)
                     if row["sku_id"] not in told}  # fmt: skip
        return await _reconcile(connection, house.id, status == "LIVE", report, told, provenance, now)

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("feed")
    return answer


def _check(report: SnapshotReport, now: datetime.datetime) -> None:
    check_text(report.reference, "reference")
    if not now - AGE_MAX <= report.as_of <= now:
        message = f"asOf is when the numbers were true: a moment of the last {AGE_MAX.days} days."
        raise Refusal(RefusalCode.INVALID_INPUT, message, ("asOf",))
    if not report.lines and not report.complete:
        raise Refusal(RefusalCode.INVALID_INPUT, "A snapshot has at least one line.", ("lines",))
    if len(report.lines) > LINES_MAX:
        raise Refusal(
            RefusalCode.TOO_MANY_LINES, f"At most {LINES_MAX} lines at once: send more snapshots.", ("lines",)
        )


async def _read_lines(state: State, report: SnapshotReport) -> dict[int, tuple[str, int]]:
    """Codes and units by SKU."""
    skus = await state.lookup.find_skus(code for code, _ in report.lines)
    told: dict[int, tuple[str, int]] = {}
    for index, (code, units) in enumerate(report.lines):
        path = ("lines", str(index))
        if code not in skus:
            raise sku_not_found(code, (*path, "sku"))
        if not 0 <= units <= QUANTITY_MAX:
            message = f"onHand is a whole number from 0 to {QUANTITY_MAX}."
            raise Refusal(RefusalCode.INVALID_QUANTITY, message, (*path, "onHand"))
        if skus[code] in told:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"{code!r} is in the snapshot twice.", (*path, "sku"))
        told[skus[code]] = (code, units)
    return told


async def _check_order(connection: Any, house_id: int, status: str, report: SnapshotReport) -> None:
    if status == "CLOSED":
        message = f"Warehouse {report.warehouse!r} is closed."
        raise Refusal(RefusalCode.WAREHOUSE_CLOSED, message, ("warehouse",))
    latest = await connection.fetchval(_LATEST, house_id)
    if latest is not None and report.as_of < latest:
        message = f"There is a snapshot of {latest:%Y-%m-%d %H:%M:%S} UTC: an older one would undo what it showed."
        raise Refusal(RefusalCode.WRONG_STATE, message, ("asOf",))


async def _reconcile(
    connection: Any,
    house_id: int,
    live: bool,
    report: SnapshotReport,
    told: dict[int, tuple[str, int]],
    provenance: Provenance,
    now: datetime.datetime,
) -> Answer:
    snapshot_id = uuid7()
    book = await lock_rows(connection, [StockKey(sku_id, house_id) for sku_id in told])
    judged = await _judge(connection, book, house_id, live, report.as_of, told)
    footing = Footing(
        provenance, Remarks(REASON, reference=report.reference), f"snapshot:{snapshot_id}", effective_at=report.as_of
    )
    await write_book(connection, book, [footing] * len(book.entries), now)
    await _keep(connection, snapshot_id, house_id, live, report, judged, provenance)
    await _tell_cases(connection, house_id, live, report, judged)
    return {"snapshot": _show(snapshot_id, live, report, judged)}


async def _judge(
    connection: Any, book: Book, house_id: int, live: bool, as_of: datetime.datetime, told: dict[int, tuple[str, int]]
) -> list[Judged]:
    """Judge each SKU, and post on the book what is adjusted."""
    ids = list(told)
    after = {row["sku_id"]: row for row in await connection.fetch(_AFTER, house_id, ids, as_of, list(INSIDE))}
    scheduled = {row["sku_id"]: row["units"] for row in await connection.fetch(_SCHEDULED, house_id, ids)}
    row = await connection.fetchrow(_TOLERANCE, house_id)
    tolerance = Tolerance() if row is None else Tolerance(row["tolerance_units"], row["tolerance_percent"])
    judged = []
    for sku_id, (code, units) in told.items():
        key = StockKey(sku_id, house_id)
        balance = book.balances[key]
        moved = after.get(sku_id)
        known = Books(
            balance.on_hand,
            0 if moved is None else moved["came"],
            0 if moved is None else moved["went"],
            max(0, balance["committed"] - scheduled.get(sku_id, 0)),
            balance["in_transit"] + balance.incoming,
        )
        verdict = judge_level(units, known, tolerance)
        judged.append(Judged(code, sku_id, units, verdict, _decide(book, key, verdict, live)))
    return judged


def _decide(book: Book, key: StockKey, verdict: Verdict, live: bool) -> Outcome:
    """What is promised is never adjusted away: only what is available can be missing without a word to people."""
    difference = verdict.difference
    if not difference:
        return Outcome.EQUAL
    if not live:
        return Outcome.NOTED
    if not verdict.tolerable or book.balances[key]["available"] + difference < 0:
        return Outcome.CASE
    accounts = ("adjustment", "available") if difference > 0 else ("available", "adjustment")
    book.post(Posting(key, *accounts, abs(difference)))
    return Outcome.ADJUSTED


async def _keep(
    connection: Any,
    snapshot_id: UUID,
    house_id: int,
    live: bool,
    report: SnapshotReport,
    judged: Sequence[Judged],
    provenance: Provenance,
) -> None:
    counts = [sum(one.outcome is outcome for one in judged) for outcome in (Outcome.EQUAL, Outcome.ADJUSTED)]
    cases = sum(one.outcome is Outcome.CASE for one in judged)
    given = (report.source, report.as_of, live, provenance.actor, report.reference, len(judged), *counts, cases)
    await connection.execute(_SNAPSHOT, snapshot_id, house_id, *given)
    columns = [[one.sku_id, one.told, *one.verdict[:3], one.outcome.value] for one in judged]
    await connection.execute(_LINES, snapshot_id, *(list(column) for column in zip(*columns, strict=True)))
    await connection.execute(_SEEN, house_id, report.as_of)


async def _tell_cases(
    connection: Any, house_id: int, live: bool, report: SnapshotReport, judged: Sequence[Judged]
) -> None:
    """A case for each difference that people must look at; a SKU that is right again ends its own."""
    await end_overdue(connection, house_id, report.as_of)
    if not live:
        return
    wrong = [one for one in judged if one.outcome is Outcome.CASE]
    await open_cases(connection, [_describe(house_id, report, one) for one in wrong])
    proofs = {
        f"stock:{one.sku_id}.{house_id}": {"told": one.told, "asOf": report.as_of.isoformat()}
        for one in judged
        if one.outcome is not Outcome.CASE
    }
    await resolve_cases(connection, [CaseKind.STOCK_DIFFERENCE.value], proofs)


def _describe(house_id: int, report: SnapshotReport, one: Judged) -> Problem:
    least, most = one.verdict.least, one.verdict.most
    expected = str(least) if least == most else f"{least} to {most}"
    return Problem(
        CaseKind.STOCK_DIFFERENCE,
        Severity.MEDIUM,
        CauseClass.UNKNOWN,
        f"stock:{one.sku_id}.{house_id}",
        f"{report.warehouse} has {one.told} of {one.sku}, our books {expected}",
        f"As of {report.as_of:%Y-%m-%d %H:%M} UTC, work on its way taken into account: {one.verdict.difference:+d}.",
        sku_id=one.sku_id,
        warehouse_id=house_id,
    )


def _show(snapshot_id: UUID, live: bool, report: SnapshotReport, judged: Sequence[Judged]) -> dict[str, Any]:
    """As it is kept in an answer: only the lines that differ."""
    lines = [
        {"sku": one.sku, "told": one.told, "outcome": one.outcome.value, **one.verdict._asdict()}
        for one in judged
        if one.outcome is not Outcome.EQUAL
    ]
    return {
        "id": str(snapshot_id),
        "warehouse": report.warehouse,
        "as_of": report.as_of.isoformat(),
        "applied": live,
        "levels": len(judged),
        "equal": len(judged) - len(lines),
        "lines": lines,
    }
