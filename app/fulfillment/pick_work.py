"""Pick: scan by scan, from bins; what is not there leaves the ledger and is promised from elsewhere."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters.postgres.ledger import lock_rows
from app.catalog.lookup import Lookup
from app.counts.suspect_stock import Suspicion, suspect_once
from app.exceptions.open_cases import open_cases
from app.fulfillment.change_work import Ask, change_work
from app.fulfillment.close_lists import close_lists
from app.fulfillment.give_up import give_up
from app.fulfillment.lock_work import Work, note_event, set_lines, set_work
from app.kits.keep_whole import find_leftovers
from app.run_once import Answer
from app.state import State
from app.stock.reserve_stock import check_line_count
from domain.counts import CountCause
from domain.errors import CauseClass, Refusal, RefusalCode
from domain.exceptions import CaseKind, Problem, Severity
from domain.fulfillment import FulfillmentAction, FulfillmentStatus
from domain.identity import Principal
from domain.stock import StockKey
from domain.work_lines import Pick, WorkLine, apply_picks

SHORT_PICK = "SHORT_PICK"
KIT_SHORT = "KIT_SHORT"
_BIN = "SELECT id, status FROM bins WHERE warehouse_id = $1 AND code = $2"
_HAS_BINS = "SELECT EXISTS (SELECT FROM bins WHERE warehouse_id = $1)"
_HELD = "SELECT quantity FROM bin_contents WHERE bin_id = $1 AND sku_id = $2"
_TAKE = """
UPDATE bin_contents SET updated_at = clock_timestamp(),
  quantity = CASE WHEN $4 THEN 0 ELSE greatest(0, quantity - $3) END
WHERE bin_id = $1 AND sku_id = $2
"""
"""A short bin is empty of it, whatever was written down. A bin may have held more than was known."""


@dataclass(frozen=True, slots=True)
class PickLine:
    """`sku`: code or scanned barcode. `short`: units that should be there and are not."""

    sku: str
    quantity: int
    bin: str | None = None
    short: int = 0


async def pick_work(state: State, principal: Principal, ask: Ask, lines: Sequence[PickLine]) -> Answer:
    """It is PICKED when nothing is left to be picked.

    Raises `Refusal` as every change does, then for each line SKU_NOT_FOUND, INVALID_QUANTITY, SKU_NOT_IN_ORDER,
    OVER_PICK, then BIN_NOT_FOUND, and INVALID_INPUT for a blocked bin unless it is told late.
    """

    async def decide(connection: Any, work: Work) -> None:
        check_line_count(len(lines))
        picks = await _find_picks(state.lookup, lines)
        after = apply_picks(work.lines, picks)
        bins = await _find_bins(connection, work.warehouse_id, lines, done=ask.occurred_at is not None)
        await _lock_stock(connection, work.warehouse_id, picks)
        await set_lines(connection, work, [x._replace(short=y.short) for x, y in zip(after, work.lines, strict=True)])
        short = {x.line: x.short - before.short for x, before in zip(after, work.lines, strict=True)}
        if any(short.values()):
            after = put_back(after, await lose_units(connection, work, short, ask))
        await _take_from_bins(connection, work.warehouse_id, bins, lines, picks)
        await _finish(connection, work, after)
        picked = sum(x.picked - before.picked for x, before in zip(after, work.lines, strict=True))
        data = {"picked": picked, "short": sum(short.values()) or None}
        await note_event(connection, work, ask.provenance, "PICKED", ask.at(), ask.note, **data)
        await close_lists(connection, work.id)

    return await change_work(state, principal, ask, FulfillmentAction.PICK, decide)


async def _find_picks(lookup: Lookup, lines: Sequence[PickLine]) -> list[Pick]:
    skus = await lookup.find_skus(line.sku for line in lines)
    for index, line in enumerate(lines):
        if line.sku not in skus:
            message = f"Nothing has the code or barcode {line.sku!r}: scan again, or give the SKU's code."
            raise Refusal(RefusalCode.SKU_NOT_FOUND, message, ("lines", str(index), "sku"))
    return [Pick(skus[line.sku], line.quantity, line.short) for line in lines]


async def _find_bins(connection: Any, warehouse_id: int, lines: Sequence[PickLine], *, done: bool) -> dict[str, int]:
    found: dict[str, int] = {}
    for index, line in enumerate(lines):
        if line.bin is None:
            continue
        row = await connection.fetchrow(_BIN, warehouse_id, line.bin)
        if row is None:
            message = f"There is no bin {line.bin!r} in this warehouse: scan its label again."
            raise Refusal(RefusalCode.BIN_NOT_FOUND, message, ("lines", str(index), "bin"))
        if row["status"] != "ACTIVE" and not done:
            message = f"Bin {line.bin!r} is blocked, and nothing is picked from it: put it back, and take another bin."
            raise Refusal(RefusalCode.INVALID_INPUT, message, ("lines", str(index), "bin"))
        found[line.bin] = row["id"]
    return found


async def _lock_stock(connection: Any, warehouse_id: int, picks: Sequence[Pick]) -> None:
    """A pick changes no stock level; where there are bins, their contents are changed under its lock."""
    if await connection.fetchval(_HAS_BINS, warehouse_id):
        await lock_rows(connection, {StockKey(pick.sku_id, warehouse_id) for pick in picks})


async def _take_from_bins(
    connection: Any, warehouse_id: int, bins: Mapping[str, int], lines: Sequence[PickLine], picks: Sequence[Pick]
) -> None:
    """After the ledger, and in the order of their ids, so that two pickers never wait for each other.

    What was picked from a bin that holds less by the books is to be counted.
    """
    pairs = [(line, pick) for line, pick in zip(lines, picks, strict=True) if line.bin is not None]
    rows = [(bins[line.bin or ""], pick.sku_id, pick.quantity, pick.short > 0, line.bin) for line, pick in pairs]
    for *row, name in sorted(rows):
        bin_id, sku_id, quantity, _ = row
        held = await connection.fetchval(_HELD, bin_id, sku_id)
        if held is not None and held < quantity:
            doubt = Suspicion(sku_id, warehouse_id, CountCause.NEGATIVE, f"bin:{name}")
            await suspect_once(connection, doubt)
        await connection.execute(_TAKE, *row)


async def _finish(connection: Any, work: Work, after: Sequence[WorkLine]) -> None:
    """What is lost to the last unit has ended already (`give_up`)."""
    if any(line.unpicked for line in after):
        await set_work(connection, work.id)
    elif any(line.bound for line in after):
        await set_work(connection, work.id, status=FulfillmentStatus.PICKED)


async def lose_units(connection: Any, work: Work, short: Mapping[int, int], ask: Ask) -> dict[int, int]:
    """Units by line that are not there: out of the ledger, so that nobody sells them again, and wanted from elsewhere.

    What is left of them is a case, until they are promised again or cancelled. Answers the units by line that go back
    to the shelf, since the kit that they are part of has to come from elsewhere too.
    """
    mates = await find_leftovers(connection, work.order_id, work.lines, short)
    released = await give_up(connection, work, short, SHORT_PICK, ask, lost=True)
    missing = sum((released.units - released.cancelled).values())
    if mates:
        await give_up(connection, work, mates, KIT_SHORT, ask, lost=False)
    if missing:
        await open_cases(connection, [_problem(work, missing, ask.at())])
    return mates


def put_back(lines: Sequence[WorkLine], units: Mapping[int, int]) -> list[WorkLine]:
    """The lines without these units, which are not to be picked any more, or picked for nothing."""
    found = []
    for line in lines:
        cancelled = line.cancelled + units.get(line.line, 0)
        left = line.quantity - cancelled - line.short
        found.append(line._replace(cancelled=cancelled, picked=min(line.picked, left)))
    return found


def _problem(work: Work, units: int, at: datetime.datetime) -> Problem:
    name = work.order["name"] or str(work.order_id)
    return Problem(
        CaseKind.SHORT_PICK,
        Severity.HIGH,
        CauseClass.UNKNOWN,
        f"order:{work.order_id}",
        f"Order {name} was picked short",
        f"{units} units were not there at {at:%Y-%m-%d %H:%M} UTC. They left the ledger as {SHORT_PICK}.",
        work.order["channel_id"],
        None,
        work.warehouse_id,
    )
