"""Mutations of other areas that tablets record without network as well: fulfilment orders and counts.

Their keys are theirs: an operation is the same whether it comes alone or in a queue.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from api.counts.change_counts import WRITE as COUNTERS
from api.counts.change_counts import CountCheckInput, CountSubmitInput, CountSuspectInput, hash_check, hash_doubts
from api.floor.operation import FloorOperation
from api.fulfillment.act import FLOOR
from api.ids import decode_uuid
from app.counts.check_shelf import check_shelf
from app.counts.report_doubt import report_doubt
from app.counts.submit_count import CountScan, submit_count
from app.floor.perform import FloorCall
from app.fulfillment.change_work import Ask, accept_work, pack_work, start_picking
from app.fulfillment.pick_work import PickLine, pick_work
from app.fulfillment.reject_work import cancel_work, reject_work
from app.fulfillment.ship_work import Parcel, ship_work
from app.run_once import Answer
from app.state import State

Given = Callable[[Any], Any]
Use = Callable[[State, FloorCall, Ask, Any], Awaitable[Answer]]


def _work(name: str, kind: str, given: Given, use: Use) -> FloorOperation:
    """`given`: what of the input belongs to the key besides what every change of a fulfilment order says."""

    async def run(state: State, act: FloorCall, command: Any) -> Answer:
        work_id = decode_uuid(command.id, "FulfillmentOrder")
        said = (command.expected_version, command.occurred_at, command.note)
        return await use(state, act, Ask(work_id, act.provenance, act.call, *said), command)

    def hashed(command: Any) -> object:
        work_id = decode_uuid(command.id, "FulfillmentOrder")
        return [work_id, command.expected_version, command.occurred_at, command.note, given(command)]

    (floor,) = FLOOR
    roles, scope = tuple(floor.roles), floor.scope  # type: ignore[attr-defined]
    return FloorOperation(name, f"fulfillment:{kind}", roles, scope, name, run, None, hashed)


def _picked(command: Any) -> list[PickLine]:
    return [PickLine(line.sku, line.quantity, line.bin, line.short) for line in command.lines]


def _shipped(command: Any) -> list[tuple[str, int]] | None:
    return None if command.lines is None else [(line.sku, line.quantity) for line in command.lines]


def _scans(command: CountSubmitInput) -> list[CountScan]:
    return [
        CountScan(line.sku, line.quantity, line.bin, line.bucket.value, line.occurred_at or command.occurred_at)
        for line in command.lines
    ]


async def _accept(state: State, act: FloorCall, ask: Ask, command: Any) -> Answer:
    return await accept_work(state, act.principal, ask, command.assignee)


async def _reject(state: State, act: FloorCall, ask: Ask, command: Any) -> Answer:
    return await reject_work(state, act.principal, ask, command.reason)


async def _cancel(state: State, act: FloorCall, ask: Ask, command: Any) -> Answer:
    return await cancel_work(state, act.principal, ask)


async def _start(state: State, act: FloorCall, ask: Ask, command: Any) -> Answer:
    return await start_picking(state, act.principal, ask, command.assignee)


async def _pick(state: State, act: FloorCall, ask: Ask, command: Any) -> Answer:
    return await pick_work(state, act.principal, ask, _picked(command))


async def _pack(state: State, act: FloorCall, ask: Ask, command: Any) -> Answer:
    return await pack_work(state, act.principal, ask)


async def _ship(state: State, act: FloorCall, ask: Ask, command: Any) -> Answer:
    parcel = Parcel(command.carrier, command.tracking_number, _shipped(command))
    return await ship_work(state, act.principal, ask, parcel)


async def _submit(state: State, act: FloorCall, command: Any) -> Answer:
    count_id = decode_uuid(command.id, "Count")
    return await submit_count(state, act.principal, count_id, _scans(command), act.provenance, act.call)


async def _check(state: State, act: FloorCall, command: CountCheckInput) -> Answer:
    said = (command.warehouse, command.scans(), command.note)
    return await check_shelf(state, act.principal, *said, act.provenance, act.call)


async def _suspect(state: State, act: FloorCall, command: CountSuspectInput) -> Answer:
    return await report_doubt(state, act.principal, command.doubts(), act.call)


(_counters,) = COUNTERS
SUSPECT = FloorOperation(
    *("countSuspect", "count:suspect", tuple(_counters.roles), _counters.scope, "COUNT"),  # type: ignore[attr-defined]
    *(_suspect, None, hash_doubts),
)
CHECK = FloorOperation(
    *("countCheck", "count:check", tuple(_counters.roles), _counters.scope, "COUNT"),  # type: ignore[attr-defined]
    *(_check, None, hash_check),
)
SUBMIT = FloorOperation(
    *("countSubmit", "count:submit", tuple(_counters.roles), _counters.scope, "COUNT"),  # type: ignore[attr-defined]
    *(_submit, None, lambda command: [decode_uuid(command.id, "Count"), _scans(command)]),
)
OPERATIONS = (
    _work("fulfillmentOrderAccept", "accept", lambda command: command.assignee, _accept),
    _work("fulfillmentOrderReject", "reject", lambda command: command.reason, _reject),
    _work("fulfillmentOrderCancel", "cancel", lambda _: None, _cancel),
    _work("fulfillmentOrderStartPicking", "start", lambda command: command.assignee, _start),
    _work("fulfillmentOrderPick", "pick", _picked, _pick),
    _work("fulfillmentOrderPack", "pack", lambda _: None, _pack),
    _work(
        *("fulfillmentOrderShip", "ship"),
        lambda command: [command.carrier, command.tracking_number, _shipped(command)],
        _ship,
    ),
    SUBMIT,
    CHECK,
    SUSPECT,
)
