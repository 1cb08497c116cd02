"""Low-stock check: whoever picks says what is left of a line, a scan that costs no walk of its own.

What agrees with the books ends the doubts about it. What differs is the first scan of a count of that line alone: it
needs a second scan by somebody else, another picker's or a counter's, and a review, as every difference does.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from adapters.postgres.idempotency import IdempotentCall
from app.calls import check_text
from app.catalog.lookup import sku_not_found
from app.counts.create_count import CountCreate, NewLine, insert_count, lock_warehouse
from app.counts.hold_against_ledger import Looked, read_stands
from app.counts.settle_shortages import settle_shortages
from app.counts.submit_count import CountScan, check_scan, read_bins, take_scans
from app.run_once import Answer, run_once
from app.state import State
from app.stock.reserve_stock import check_line_count
from domain.counts import CountCause
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal
from domain.provenance import Provenance

OLDEST = datetime.timedelta(days=7)
"""A look of longer ago says nothing any more."""
_OPEN = """
SELECT w.line, l.count_id, l.status IN ('OPEN', 'RECOUNT') AND c.status IN ('PLANNED', 'COUNTING')
  AND l.bin_id IS NOT DISTINCT FROM w.bin_id AND coalesce(w.occurred_at >= c.created_at, true) AS may_join,
  EXISTS (SELECT FROM count_scans s
    WHERE s.count_id = l.count_id AND s.line = l.line AND s.principal = $2) AS mine
FROM unnest($3::int[], $4::int[], $5::int[], $6::timestamptz[]) AS w (line, sku_id, bin_id, occurred_at)
JOIN count_lines l ON l.warehouse_id = $1 AND l.sku_id = w.sku_id AND l.bucket = 'available'
  AND l.status IN ('OPEN', 'RECOUNT', 'COUNTED') AND (l.bin_id IS NULL OR w.bin_id IS NULL OR l.bin_id = w.bin_id)
JOIN counts c ON c.id = l.count_id
"""
"""A count of the whole SKU and one of it in a bin are of the same units. `mine`: who looks has scanned it before."""
_BEGAN = "UPDATE counts SET created_at = least(created_at, $2) WHERE id = $1"
_SETTLE = """
INSERT INTO sku_activity AS a (sku_id, warehouse_id, handlings, first_at, settled_at)
SELECT sku_id, $1, 0, at, at FROM unnest($2::int[], $3::timestamptz[]) AS u (sku_id, at)
ON CONFLICT (sku_id, warehouse_id) DO UPDATE SET settled_at = greatest(a.settled_at, excluded.settled_at)
"""


class CheckResult(StrEnum):
    """`COUNTING`: the line is in a count already; the look is a scan of it unless the same person saw that before."""

    MATCHES = "MATCHES"
    DIFFERS = "DIFFERS"
    COUNTING = "COUNTING"


@dataclass(frozen=True, slots=True)
class _Look:
    line: int
    scan: CountScan
    sku_id: int
    bin_id: int | None


async def check_shelf(
    state: State,
    principal: Principal,
    warehouse: str,
    scans: Sequence[CountScan],
    note: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """`results` of the answer are `CheckResult`s, one for each line in order, once per key.

    Raises `Refusal` INVALID_INPUT (note, time), TOO_MANY_LINES, WAREHOUSE_NOT_FOUND or WAREHOUSE_CLOSED, then for each
    line INVALID_QUANTITY, SKU_NOT_FOUND, BIN_NOT_FOUND, DUPLICATE_LINE.
    """

    async def decide(connection: Any) -> Answer:
        check_text(note, "note")
        check_line_count(len(scans))
        house = await state.lookup.find_warehouse(warehouse, principal, ("warehouse",))
        looks = await _match(state, connection, house.id, scans)
        results = dict.fromkeys(range(len(looks)), CheckResult.COUNTING)
        fresh = await _join(state, connection, principal, house.id, looks, provenance)
        differing = await _hold_against_books(connection, house.id, fresh, results, provenance)
        if differing:
            await _begin(state, connection, principal, house.id, differing, note, provenance)
        return {"results": [result.value for _, result in sorted(results.items())]}

    answer = await run_once(state.database, call, decide)
    state.doorbell.ring("listings")
    return answer


async def _match(state: State, connection: Any, warehouse_id: int, scans: Sequence[CountScan]) -> list[_Look]:
    skus = await state.lookup.find_skus(scan.sku for scan in scans)
    bins = await read_bins(connection, warehouse_id, scans)
    oldest = datetime.datetime.now(datetime.UTC) - OLDEST
    seen: dict[tuple[int, int | None], _Look] = {}
    for index, scan in enumerate(scans):
        path = ("lines", str(index))
        check_scan(scan, oldest, path)
        if scan.sku not in skus:
            raise sku_not_found(scan.sku, (*path, "sku"))
        if scan.bin is not None and scan.bin not in bins:
            raise Refusal(RefusalCode.BIN_NOT_FOUND, f"There is no bin {scan.bin!r} here.", (*path, "bin"))
        look = _Look(index, scan, skus[scan.sku], None if scan.bin is None else bins[scan.bin])
        if seen.setdefault((look.sku_id, look.bin_id), look) is not look:
            raise Refusal(RefusalCode.DUPLICATE_LINE, f"{scan.sku!r} comes twice: add the two up.", path)
    return list(seen.values())


async def _join(
    state: State,
    connection: Any,
    principal: Principal,
    warehouse_id: int,
    looks: Sequence[_Look],
    provenance: Provenance,
) -> list[_Look]:
    """Scans for the counts that have the lines; returns the looks of lines that nobody counts.

    The second scan of a difference is another person's. Who looked wrong may say so: what is as the books have it
    changes nothing.
    """
    found = await _find_open(connection, principal, warehouse_id, looks)
    again = [looks[row["line"]] for row in found if row["may_join"] and row["mine"]]
    right = {look.line for look, variance in await _compare(connection, warehouse_id, again) if not variance}
    joined: dict[UUID, list[CountScan]] = defaultdict(list)
    for row in found:
        if row["may_join"] and (not row["mine"] or row["line"] in right):
            joined[row["count_id"]].append(looks[row["line"]].scan)
    for count_id in sorted(joined):
        await take_scans(state, connection, principal, count_id, joined[count_id], provenance)
    taken = {row["line"] for row in found}
    return [look for look in looks if look.line not in taken]


async def _find_open(connection: Any, principal: Principal, warehouse_id: int, looks: Sequence[_Look]) -> list[Any]:
    columns = [[one.line for one in looks], [one.sku_id for one in looks], [one.bin_id for one in looks]]
    times = [one.scan.occurred_at for one in looks]
    rows: list[Any] = await connection.fetch(_OPEN, warehouse_id, principal.id, *columns, times)
    return rows


async def _compare(connection: Any, warehouse_id: int, looks: Sequence[_Look]) -> list[tuple[_Look, int]]:
    """Each with the units that it has more than the books of its moment."""
    if not looks:
        return []
    looked = [Looked(one.line, one.sku_id, one.bin_id, one.scan.bucket, one.scan.occurred_at) for one in looks]
    stands = await read_stands(connection, warehouse_id, looked)
    return [(one, one.scan.quantity - stands[one.line].expected) for one in looks]


async def _hold_against_books(
    connection: Any,
    warehouse_id: int,
    looks: Sequence[_Look],
    results: dict[int, CheckResult],
    provenance: Provenance,
) -> list[tuple[_Look, int]]:
    """Those that differ, each with the units more than expected."""
    compared = await _compare(connection, warehouse_id, looks)
    results |= {one.line: CheckResult.DIFFERS if variance else CheckResult.MATCHES for one, variance in compared}
    now = datetime.datetime.now(datetime.UTC)
    right = [one for one, variance in compared if not variance and one.bin_id is None]
    times = [one.scan.occurred_at or now for one in right]
    await connection.execute(_SETTLE, warehouse_id, [one.sku_id for one in right], times)
    whole = [one.sku_id for one in right if one.scan.occurred_at is None]
    proof = {"check": "as the books have it", "by": provenance.actor, "at": now.isoformat()}
    await settle_shortages(connection, proof, warehouse_id, whole)
    return [(one, variance) for one, variance in compared if variance]


async def _begin(
    state: State,
    connection: Any,
    principal: Principal,
    warehouse_id: int,
    differing: Sequence[tuple[_Look, int]],
    note: str | None,
    provenance: Provenance,
) -> None:
    """A count for each, so that each ends by itself. What somebody began to count meanwhile is theirs."""
    await lock_warehouse(connection, warehouse_id)
    looks = [replace(look, line=number) for number, (look, _) in enumerate(differing)]
    taken = {row["line"] for row in await _find_open(connection, principal, warehouse_id, looks)}
    for number, (look, variance) in enumerate(differing):
        if number in taken:
            continue
        cause = CountCause.SURPLUS if variance > 0 else CountCause.SHORT_PICK
        count_id, command = uuid7(), CountCreate("", note=note)
        line = NewLine(look.sku_id, look.bin_id, cause=cause)
        await insert_count(connection, count_id, warehouse_id, command, [line], provenance.actor, None)
        if look.scan.occurred_at is not None:
            await connection.execute(_BEGAN, count_id, look.scan.occurred_at)
        await take_scans(state, connection, principal, count_id, [look.scan], provenance)
