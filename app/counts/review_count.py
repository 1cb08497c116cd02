"""Decide on what a count found: post it to the ledger as an adjustment with the reason COUNT, or reject it.

What is posted is the difference at the moment of the scan, so that whatever moved since stays as it is. Who scanned a
line that differs does not review it. In bins, a surplus is first taken to be stock that was in no bin by the books; the
rest, as every loss, is of the warehouse.
"""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from adapters.postgres.idempotency import IdempotentCall
from adapters.postgres.ledger import Footing, lock_rows, write_book
from app.calls import check_text
from app.counts.hold_against_ledger import read_late_changes, read_written_off
from app.counts.lock_count import change_count, lock_count, read_lines
from app.counts.read_counts import answer_count
from app.counts.settle_shortages import settle_shortages
from app.counts.suspect_stock import Suspicion, suspect_stock
from app.exceptions.open_cases import open_cases
from app.run_once import Answer, run_once
from app.state import State
from domain.counts import CountAction, CountCause, CountStatus, split_variance
from domain.errors import CauseClass, Refusal, RefusalCode
from domain.exceptions import CaseKind, Problem, Severity
from domain.identity import Principal
from domain.provenance import Provenance, Remarks
from domain.stock import Book, Posting, StockKey

_SCANNED_BY = "SELECT line FROM count_scans WHERE count_id = $1 AND principal = $2"
_UNPLACED = """
SELECT l.sku_id, greatest(0, l.available + l.reserved + l.committed - coalesce(
  (SELECT sum(p.quantity) FROM pick_records p WHERE p.sku_id = l.sku_id AND p.warehouse_id = l.warehouse_id), 0)
  - coalesce((SELECT sum(c.quantity) FROM bin_contents c JOIN bins b ON b.id = c.bin_id
   WHERE b.warehouse_id = l.warehouse_id AND c.sku_id = l.sku_id), 0))::int AS units
FROM stock_levels l WHERE l.warehouse_id = $1 AND l.sku_id = ANY($2::int[])
"""
_BINS = """
INSERT INTO bin_contents AS c (bin_id, sku_id, quantity)
SELECT * FROM unnest($1::int[], $2::int[], $3::int[]) AS g (bin_id, sku_id, change) WHERE change > 0
ON CONFLICT (bin_id, sku_id) DO UPDATE SET quantity = c.quantity + excluded.quantity, updated_at = now()
"""
_LESS_IN_BINS = """
UPDATE bin_contents c SET quantity = greatest(0, c.quantity + g.change), updated_at = now()
FROM unnest($1::int[], $2::int[], $3::int[]) AS g (bin_id, sku_id, change)
WHERE c.bin_id = g.bin_id AND c.sku_id = g.sku_id AND g.change < 0
"""
_UPDATE = """
UPDATE count_lines l SET status = u.status, expected = u.expected, posted = u.posted, unposted = u.unposted
FROM unnest($2::int[], $3::text[], $4::int[], $5::int[], $6::int[]) AS u (line, status, expected, posted, unposted)
WHERE l.count_id = $1 AND l.line = u.line
"""


@dataclass(frozen=True, slots=True)
class LineRef:
    """A line as people name it."""

    sku: str
    bin: str | None = None
    bucket: str = "available"


@dataclass(slots=True)
class Verdict:
    """What becomes of one line. `variance`: against the books of its scan as they are known now. `written_off`: units
    that short picks took from the books since then.
    """

    line: Any
    expected: int
    variance: int
    approved: bool
    written_off: int = 0
    posted: int = 0
    unposted: int = 0


async def review_count(
    state: State,
    principal: Principal,
    count_id: UUID,
    reject: Sequence[LineRef],
    note: str | None,
    provenance: Provenance,
    call: IdempotentCall | None,
) -> Answer:
    """Post every line but those rejected; `count` of the answer is the count, once per key.

    Raises `Refusal` INVALID_INPUT (note, an unknown line to reject), COUNT_NOT_FOUND, WRONG_STATE, NOT_ALLOWED for
    who scanned a line that differs and would be posted.
    """

    async def decide(connection: Any) -> Answer:
        check_text(note, "note")
        count = await lock_count(connection, principal, count_id, CountAction.REVIEW)
        verdicts = await _judge(connection, count_id, reject)
        await _refuse_own(connection, count_id, principal, verdicts)
        await _post(connection, count, verdicts, note, provenance)
        await change_count(connection, count_id, CountStatus.POSTED, provenance.actor)
        return await answer_count(connection, count_id)

    answer = await run_once(state.database, call, decide)
    for bell in ("feed", "listings"):
        state.doorbell.ring(bell)
    return answer


async def _judge(connection: Any, count_id: UUID, reject: Sequence[LineRef]) -> list[Verdict]:
    lines = await read_lines(connection, count_id)
    known = {(line["sku"], line["bin"], line["bucket"]) for line in lines}
    refused = {(ref.sku, ref.bin, ref.bucket) for ref in reject}
    for index, ref in enumerate(reject):
        if (ref.sku, ref.bin, ref.bucket) not in known:
            message = f"There is no line of {ref.sku!r} as you name it: give SKU code, bin and bucket as they are."
            raise Refusal(RefusalCode.INVALID_INPUT, message, ("reject", str(index)))
    late = await read_late_changes(connection, count_id)
    gone = await read_written_off(connection, count_id)
    verdicts = []
    for line in lines:
        expected = line["expected"] + late.get(line["line"], 0)
        approved = (line["sku"], line["bin"], line["bucket"]) not in refused
        written_off = gone.get(line["line"], 0)
        verdicts.append(Verdict(line, expected, line["counted"] - expected, approved, written_off))
    return verdicts


async def _refuse_own(connection: Any, count_id: UUID, principal: Principal, verdicts: Sequence[Verdict]) -> None:
    own = {row["line"] for row in await connection.fetch(_SCANNED_BY, count_id, principal.id)}
    if any(v.approved and v.variance and v.line["line"] in own for v in verdicts):
        message = "You counted a line that differs: a second person reviews it, or you reject it."
        raise Refusal(RefusalCode.NOT_ALLOWED, message, ("id",))


async def _post(
    connection: Any, count: Any, verdicts: Sequence[Verdict], note: str | None, provenance: Provenance
) -> None:
    """Adjust the ledger by SKU and bucket, the bins by line, and say what could not be posted."""
    house, now = count["warehouse_id"], datetime.datetime.now(datetime.UTC)
    differing = [v for v in verdicts if v.approved and v.variance]
    book = await lock_rows(connection, {StockKey(v.line["sku_id"], house) for v in differing})
    unplaced = await _read_unplaced(connection, house, differing)
    groups: dict[tuple[int, str], list[Verdict]] = defaultdict(list)
    for verdict in differing:
        groups[verdict.line["sku_id"], verdict.line["bucket"]].append(verdict)
    for (sku_id, bucket), group in sorted(groups.items()):
        _post_group(book, StockKey(sku_id, house), bucket, group, unplaced.get(sku_id, 0))
    footing = Footing(provenance, Remarks("COUNT", note, count["reference"]), document=f"count:{count['id']}")
    await write_book(connection, book, [footing] * len(book.entries), now)
    placed = [v for v in differing if v.line["bin_id"] is not None]
    for statement in (_BINS, _LESS_IN_BINS):
        await connection.execute(
            statement,
            [v.line["bin_id"] for v in placed],
            [v.line["sku_id"] for v in placed],
            [v.variance for v in placed],
        )
    await connection.execute(
        _UPDATE,
        count["id"],
        [v.line["line"] for v in verdicts],
        ["POSTED" if v.approved else "REJECTED" for v in verdicts],
        [v.expected for v in verdicts],
        [v.posted for v in verdicts],
        [v.unposted for v in verdicts],
    )
    await _tell_shortages(connection, count, verdicts)


async def _read_unplaced(connection: Any, house: int, differing: Sequence[Verdict]) -> dict[int, int]:
    """Units of each SKU that stand in no bin by the books; only where bins are counted do they matter."""
    skus = sorted({v.line["sku_id"] for v in differing if v.line["bin_id"] is not None})
    return {row["sku_id"]: row["units"] for row in await connection.fetch(_UNPLACED, house, skus)} if skus else {}


def _post_group(book: Book, key: StockKey, bucket: str, group: Sequence[Verdict], unplaced: int) -> None:
    """One SKU and bucket: what is too much in one bin and too little in another was only moved.

    What pickers did not find since the scan was written off then.
    """
    total = sum(v.variance for v in group)
    if total > 0:
        total -= min(total, unplaced)
    else:
        total = min(0, total + max(v.written_off for v in group))
    posted, rest = split_variance(total, book.balances[key][bucket])
    if posted:
        source, target = ("adjustment", bucket) if posted > 0 else (bucket, "adjustment")
        book.post(Posting(key, source, target, abs(posted)))
    group[0].posted, group[0].unposted = posted, rest


async def _tell_shortages(connection: Any, count: Any, verdicts: Sequence[Verdict]) -> None:
    """A loss of promised units is a case for people, and stays suspicious until it is settled."""
    house = count["warehouse_id"]
    short = [v for v in verdicts if v.unposted]
    await suspect_stock(
        connection,
        [Suspicion(v.line["sku_id"], house, CountCause.SHORTAGE, f"count:{count['id']}") for v in short],
    )
    await open_cases(
        connection,
        [
            Problem(
                CaseKind.COUNT_SHORTAGE,
                Severity.HIGH,
                CauseClass.UNKNOWN,
                f"stock:{v.line['sku_id']}.{house}",
                f"{-v.unposted} of {v.line['sku']} are missing that orders were promised",
                f"Counted {v.line['counted']}, {v.expected} expected; only {-v.posted} were free to be written off.",
                sku_id=v.line["sku_id"],
                warehouse_id=house,
            )
            for v in short
        ],
    )
    shorts = {v.line["sku_id"] for v in short}
    settled = {v.line["sku_id"] for v in verdicts if v.approved and v.line["bin_id"] is None} - shorts
    await settle_shortages(connection, {"count": str(count["id"])}, house, settled)
