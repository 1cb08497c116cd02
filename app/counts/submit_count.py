"""Take in what was scanned: each scan is held against the ledger of its own moment."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from app.catalog.lookup import sku_not_found
from app.counts.create_count import LINES_MAX, NewLine, refuse_taken
from app.counts.hold_against_ledger import Looked, Stand, read_stands
from app.counts.lock_count import change_count, lock_count, read_lines
from app.counts.read_counts import answer_count
from app.counts.settle_shortages import settle_shortages
from app.run_once import Answer, run_once
from app.state import State
from domain.counts import (
    BUCKETS,
    SCANNABLE,
    CountAction,
    CountLineStatus,
    CountStatus,
    Tolerance,
    count_status,
    judge_scans,
)
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance
from domain.stock import QUANTITY_MAX

CLOCK_SKEW = datetime.timedelta(minutes=5)
_ADD_LINE = """
INSERT INTO count_lines (count_id, line, warehouse_id, sku_id, bin_id, unit_cost)
SELECT $1, $2, $3, id, $5, unit_cost FROM skus WHERE id = $4
"""
_BINS = "SELECT b.id, b.code FROM bins b WHERE b.warehouse_id = $1 AND b.code = ANY($2::text[])"
_INSERT_SCANS = """
INSERT INTO count_scans (count_id, line, quantity, expected, ledger_version, movement_id, scanned_at, actor, principal)
SELECT $1, u.line, u.quantity, u.expected, u.version, u.movement_id, coalesce(u.at, clock_timestamp()), $2, $3
FROM unnest($4::int[], $5::int[], $6::int[], $7::bigint[], $8::bigint[], $9::timestamptz[])
  AS u (line, quantity, expected, version, movement_id, at)
"""
_UPDATE_LINES = """
UPDATE count_lines l SET status = u.status, expected = u.expected, counted = u.quantity, scans = l.scans + 1,
  ledger_version = u.version, movement_id = u.movement_id, pick_id = u.pick_id,
  bin_record_id = u.bin_record_id, handlings = u.handlings,
  scanned_at = coalesce(u.at, clock_timestamp())
FROM unnest($2::int[], $3::text[], $4::int[], $5::int[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bigint[],
  $10::bigint[], $11::timestamptz[])
  AS u (line, status, expected, quantity, version, movement_id, pick_id, bin_record_id, handlings, at)
WHERE l.count_id = $1 AND l.line = u.line
"""
_VARIANCES = """
SELECT line, array_agg(quantity - expected ORDER BY scanned_at, id) FROM count_scans
WHERE count_id = $1 AND line = ANY($2::int[]) GROUP BY line
"""
_NOTE_OLDER = """
UPDATE count_lines l SET status = u.status, scans = l.scans + 1 FROM unnest($2::int[], $3::text[]) AS u (line, status)
WHERE l.count_id = $1 AND l.line = u.line
"""
_END = "UPDATE count_lines SET status = 'POSTED' WHERE count_id = $1 AND status = 'COUNTED'"


@dataclass(frozen=True, slots=True)
class CountScan:
    """Units found of a SKU, in a bin if the count is by bin. `occurred_at`: when, if not just now."""

    sku: str
    quantity: int
    bin: str | None = None
    bucket: str = "available"
    occurred_at: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class _Scanned:
    line: int
    scan: CountScan
    sku_id: int
    bin_id: int | None
    newest: Any = None
    """The line as a scan left it that was told sooner and made later; None when there is none."""


async def submit_count(
    state: State,
    principal: Principal,
    count_id: UUID,
    scans: Sequence[CountScan],
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """`count` of the answer is the count, once per key.

    Raises `Refusal` INVALID_INPUT or TOO_MANY_LINES for the lines, COUNT_NOT_FOUND, WRONG_STATE, then for each line
    INVALID_QUANTITY, INVALID_INPUT (time, bucket), SKU_NOT_FOUND, BIN_NOT_FOUND, DUPLICATE_LINE, WRONG_STATE.
    """

    async def decide(connection: Any) -> Answer:
        _check_count(scans)
        await take_scans(state, connection, principal, count_id, scans, provenance)
        return await answer_count(connection, count_id)

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("listings")
    return answer


async def take_scans(
    state: State,
    connection: Any,
    principal: Principal,
    count_id: UUID,
    scans: Sequence[CountScan],
    provenance: Provenance,
) -> None:
    """Within the caller's transaction, which has not locked stock yet. Raises `Refusal` as `submit_count`."""
    count = await lock_count(connection, principal, count_id, CountAction.SUBMIT)
    scanned = await _match(state, connection, count, scans)
    looked = [Looked(s.line, s.sku_id, s.bin_id, s.scan.bucket, s.scan.occurred_at) for s in scanned]
    stands = await read_stands(connection, count["warehouse_id"], looked)
    await _write(connection, count, scanned, stands, provenance, principal.id)
    await _advance(connection, count)


def _check_count(scans: Sequence[CountScan]) -> None:
    if not scans:
        raise Refusal(RefusalCode.INVALID_INPUT, "Give at least one line.", ("lines",))
    if len(scans) > LINES_MAX:
        raise Refusal(RefusalCode.TOO_MANY_LINES, f"At most {LINES_MAX} lines at once.", ("lines",))


async def _match(state: State, connection: Any, count: Any, scans: Sequence[CountScan]) -> list[_Scanned]:
    """The line of each scan; in a count by bin, what was not expected there becomes a line of its own."""
    skus = await state.lookup.find_skus(scan.sku for scan in scans)
    bins = await read_bins(connection, count["warehouse_id"], scans)
    lines = await read_lines(connection, count["id"])
    known = {(line["sku_id"], line["bucket"], line["bin_id"]): line for line in lines}
    counted_bins = {line["bin_id"] for line in lines if line["bin_id"] is not None}
    found: dict[int, _Scanned] = {}
    for index, scan in enumerate(scans):
        path = ("lines", str(index))
        check_scan(scan, count["created_at"], path)
        if scan.sku not in skus:
            raise sku_not_found(scan.sku, (*path, "sku"))
        bin_id = None if scan.bin is None else bins.get(scan.bin)
        if scan.bin is not None and bin_id not in counted_bins:
            raise Refusal(RefusalCode.BIN_NOT_FOUND, f"Bin {scan.bin!r} is not in this count.", (*path, "bin"))
        sku_id = skus[scan.sku]
        line = known.get((sku_id, scan.bucket, bin_id))
        number = line["line"] if line is not None else await _add_line(connection, count, lines, sku_id, bin_id, path)
        if number in found:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"{scan.sku!r} comes twice: add the two up.", path)
        if line is not None and CountLineStatus(line["status"]) not in SCANNABLE:
            raise Refusal(RefusalCode.WRONG_STATE, f"{scan.sku!r} is counted already.", path)
        found[number] = _Scanned(number, scan, sku_id, bin_id, line if _is_older(scan, line) else None)
    return list(found.values())


async def read_bins(connection: Any, warehouse_id: int, scans: Sequence[CountScan]) -> dict[str, int]:
    """The bins there are of those that the scans name, by code."""
    names = [scan.bin for scan in scans if scan.bin is not None]
    return {row["code"]: row["id"] for row in await connection.fetch(_BINS, warehouse_id, names)}


def _is_older(scan: CountScan, line: Any) -> bool:
    """Whether somebody looked again before this was told: what stood there last is what counts."""
    seen = None if line is None else line["scanned_at"]
    return seen is not None and scan.occurred_at is not None and bool(scan.occurred_at < seen)


def check_scan(scan: CountScan, earliest: datetime.datetime, path: tuple[str, ...]) -> None:
    """Raises `Refusal` INVALID_QUANTITY or INVALID_INPUT. `earliest`: when it may have been made at the soonest."""
    if not 0 <= scan.quantity <= QUANTITY_MAX:
        message = f"The quantity must be from 0 to {QUANTITY_MAX}."
        raise Refusal(RefusalCode.INVALID_QUANTITY, message, (*path, "quantity"))
    if scan.bucket not in BUCKETS:
        message = "Only AVAILABLE, DAMAGED and QUALITY_CONTROL are counted."
        raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "bucket"))
    if scan.occurred_at is not None and not (
        earliest <= scan.occurred_at <= datetime.datetime.now(datetime.UTC) + CLOCK_SKEW
    ):
        message = f"It was scanned between {earliest:%Y-%m-%d %H:%M} UTC and now: correct the time."
        raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "occurredAt"))


async def _add_line(
    connection: Any, count: Any, lines: list[Any], sku_id: int, bin_id: int | None, path: tuple[str, ...]
) -> int:
    if bin_id is None:
        message = "That is not in this count: make a count of it, or name its bin."
        raise Refusal(RefusalCode.INVALID_INPUT, message, (*path, "sku"))
    if len(lines) >= LINES_MAX:
        raise Refusal(RefusalCode.TOO_MANY_LINES, f"A count has at most {LINES_MAX} lines.", path)
    await refuse_taken(connection, count["warehouse_id"], [NewLine(sku_id, bin_id)])
    number = 1 + max(int(line["line"]) for line in lines)
    await connection.execute(_ADD_LINE, count["id"], number, count["warehouse_id"], sku_id, bin_id)
    lines.append({"line": number, "bin_id": bin_id})
    return number


async def _write(
    connection: Any,
    count: Any,
    scanned: Sequence[_Scanned],
    stands: dict[int, Stand],
    provenance: Provenance,
    principal_id: str,
) -> None:
    numbers, counted = [s.line for s in scanned], [s.scan.quantity for s in scanned]
    expected = [stands[number].expected for number in numbers]
    versions = [stands[number].version for number in numbers]
    movements = [stands[number].movement_id for number in numbers]
    times = [s.scan.occurred_at for s in scanned]
    await connection.execute(
        _INSERT_SCANS,
        *(count["id"], provenance.actor, principal_id, numbers, counted, expected, versions, movements, times),
    )
    tolerance = Tolerance(count["tolerance_units"], count["tolerance_percent"])
    variances = dict(await connection.fetch(_VARIANCES, count["id"], numbers))
    statuses = {
        s.line: judge_scans(
            variances[s.line], stands[s.line].expected if s.newest is None else s.newest["expected"], tolerance
        ).value
        for s in scanned
    }
    older = [s.line for s in scanned if s.newest is not None]
    await connection.execute(_NOTE_OLDER, count["id"], older, [statuses[line] for line in older])
    rows = [_write_row(s, statuses[s.line], stands[s.line]) for s in scanned if s.newest is None]
    if rows:
        await connection.execute(_UPDATE_LINES, count["id"], *map(list, zip(*rows, strict=True)))


def _write_row(scanned: _Scanned, status: str, stand: Stand) -> tuple[Any, ...]:
    """Of `_UPDATE_LINES`."""
    return (
        *(scanned.line, status, stand.expected, scanned.scan.quantity, stand.version, stand.movement_id),
        *(stand.pick_id, stand.bin_record_id, stand.handlings, scanned.scan.occurred_at),
    )


async def _advance(connection: Any, count: Any) -> None:
    """A count in which every line is as the books have it needs no review."""
    count_id = count["id"]
    lines = await read_lines(connection, count_id)
    status = count_status(
        (CountLineStatus(line["status"]), (line["counted"] or 0) - (line["expected"] or 0)) for line in lines
    )
    if status is CountStatus.POSTED:
        await connection.execute(_END, count_id)
        whole = [line["sku_id"] for line in lines if line["bin_id"] is None]
        await settle_shortages(connection, {"count": str(count_id)}, count["warehouse_id"], whole)
    await change_count(connection, count_id, status)
