"""An order that waits for a transfer by name: it has the units the moment they arrive, and its case while they do not.

A transfer's row is locked before the order's. Nobody locks them the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from adapters.postgres.kit_parts import read_parts
from adapters.postgres.ledger import lock_rows
from app.exceptions.act_on_case import CaseAction, change_case
from app.exceptions.open_cases import open_cases
from app.orders.change_order import by_name
from app.orders.lock_order import OrderNow
from app.orders.promise_units import Promise, promise_units
from app.orders.take_order import describe_problem
from app.orders.write_state import OrderEvent, note_events, write_state
from domain.exceptions import UNITS_MISSING
from domain.kits import choose_whole
from domain.provenance import Provenance
from domain.stock import StockKey
from domain.transfers import COMING, TransferState

_COMING = "SELECT number FROM transfers WHERE order_id = $1 AND state = ANY($2::text[]) LIMIT 1"
_CASES = """
SELECT id, state FROM exception_cases WHERE subject = $1 AND kind = ANY($2::text[]) AND state <> 'RESOLVED'
ORDER BY id FOR UPDATE
"""
SYSTEM = Provenance("system")


async def find_coming(connection: Any, order_id: UUID) -> int | None:
    """The number of a transfer that brings units for the order."""
    number: int | None = await connection.fetchval(_COMING, order_id, sorted(COMING))
    return number


async def promise_arrived(
    connection: Any, order: OrderNow, locked: Sequence[StockKey], units: Mapping[int, int], said: str, who: Provenance
) -> None:
    """Promise to a locked order what of `units` (by SKU id, just received) it still wants. `said`: its label.

    `locked`: the rows of the whole transfer where it arrives. Parts of kits are promised whole, of all that is there.
    """
    book = await lock_rows(connection, locked)
    there = {key.sku_id: balance["available"] for key, balance in book.balances.items()}
    lines = ((number, order.lines[number].sku_id, count) for number, count in order.backordered.items())
    wanted = {number: (sku, count) for number, sku, count in lines if sku is not None and sku in there}
    parts = await read_parts(connection, order.id) if wanted else {}
    chosen, left = choose_whole(wanted, there, parts), dict(units)
    for number, (sku, count) in wanted.items():
        if number not in parts:
            chosen[number] = min(count, left.get(sku, 0), there[sku])
            left[sku] = left.get(sku, 0) - chosen[number]
    house = locked[0].warehouse_id
    promises = [Promise(number, house, count) for number, count in sorted(chosen.items()) if count > 0]
    if promises:
        await promise_units(connection, order, book, promises, "ORDER", who)
        data = {"transfer": said, "units": by_name(order, {one.line: one.units for one in promises})}
        await write_state(connection, order, {}, [OrderEvent("TRANSFER_ARRIVED", data=data)], who.actor)


async def reopen_case(connection: Any, order: OrderNow, label: str, state: TransferState) -> None:
    """The transfer brings nothing more: what the order still lacks is somebody's to settle again."""
    missing = order.backordered
    if not missing or await find_coming(connection, order.id) is not None:
        return
    said = {"transfer": label, "state": state.value, "units": by_name(order, missing)}
    await note_events(connection, order.id, [OrderEvent("TRANSFER_ENDED", data=said)], SYSTEM.actor)
    found = await connection.fetch(_CASES, f"order:{order.id}", [kind.value for kind in UNITS_MISSING])
    for case in found:
        action = CaseAction("REOPENED", "OPEN", note=f"{label} is {state.value}, and units are missing still.")
        await change_case(connection, case["id"], action, SYSTEM, said)
    if not found:
        text = order.row["problem"] or f"{label} is {state.value}, and units are missing still."
        kinds = [order.lines[number].sku_id for number in missing]
        problems = describe_problem(order.id, order.channel_id, order.label, text, any(kinds), not all(kinds))
        await open_cases(connection, problems)
