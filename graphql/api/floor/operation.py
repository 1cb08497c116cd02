"""What all mutations of the warehouse floor share: their common fields, and the way from an input to a use case."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import strawberry

from api.context import Context
from api.directives import Requires, requires
from api.ids import decode_uuid
from app.calls import make_call
from app.floor.find_document import LABELS, DocumentRef, read_label
from app.floor.perform import FloorCall
from app.run_once import Answer
from app.state import State
from domain.identity import Role
from domain.provenance import Remarks

KEY_PREFIX = "key:"
REF = (
    "Its id; or the number on its label, as in TR-12; or `key:` and the idempotency key under which you made it, when "
    "that was without network."
)


PUT_INTO = "The bin that the units are put into; left out: they stand on the floor, to be put away later."


@strawberry.input
class FloorInput:
    reason: str | None = None
    note: str | None = None
    reference: str | None = None
    occurred_at: datetime.datetime | None = strawberry.field(
        default=None, description="When it was done, if that was before now: without network."
    )
    idempotency_key: str | None = strawberry.field(default=None, description="Made by the device.")


@dataclass(frozen=True, slots=True)
class FloorOperation:
    """A floor mutation. `reason`: unless the caller says another. `show`: the payload of its answer, None when another
    area shows it. `hashed`: what of an input must be the same under the same key.
    """

    name: str
    kind: str
    roles: tuple[Role, ...]
    scope: str
    reason: str
    run: Callable[[State, FloorCall, Any], Awaitable[Answer]]
    show: Callable[[Context, Answer], Awaitable[dict[str, Any]]] | None
    hashed: Callable[[Any], object]

    @property
    def directives(self) -> list[object]:
        return requires(list(self.roles), self.scope)

    @property
    def requirement(self) -> Requires:
        return Requires(roles=list(self.roles), scope=self.scope)


def plain(command: Any) -> Any:
    """An input as JSON without what was left out, so that fields added later change no digest."""
    if dataclasses.is_dataclass(command) and not isinstance(command, type):
        return {f.name: plain(v) for f in dataclasses.fields(command) if (v := getattr(command, f.name)) is not None}
    return [plain(one) for one in command] if isinstance(command, list) else command


def without_bins(lines: Sequence[Any]) -> list[dict[str, Any]]:
    """Lines as their digests were made before they could name a bin; with it where they do."""
    given = [dataclasses.asdict(line) for line in lines]
    return [{name: value for name, value in line.items() if (name, value) != ("bin", None)} for line in given]


async def run_operation(context: Context, operation: FloorOperation, command: Any, *, recorded: bool = False) -> Answer:
    """The use case's answer. `recorded`: from a tablet's queue, where a refusal is not for good."""
    key = command.idempotency_key
    call = make_call(context.principal, operation.kind, key, operation.hashed(command), keeps_refusals=not recorded)
    reason = getattr(command, "reason", None) or operation.reason
    remarks = Remarks(reason, getattr(command, "note", None), getattr(command, "reference", None))
    act = FloorCall(context.principal, context.provenance(key), remarks, call, command.occurred_at)
    return await operation.run(context.state, act, command)


async def do(context: Context, operation: FloorOperation, command: Any) -> dict[str, Any]:
    """What the payload holds."""
    assert operation.show is not None
    return await operation.show(context, await run_operation(context, operation, command))


def decode_ref(value: str, kind: str, path: tuple[str, ...] = ("id",)) -> DocumentRef:
    """`kind` as in "transfer". Raises `Refusal` INVALID_INPUT for none of the three ways to name a document."""
    if value.startswith(KEY_PREFIX):
        return DocumentRef(made_under=value.removeprefix(KEY_PREFIX))
    if value.upper().startswith(LABELS[kind] + "-") and (number := read_label(kind, value)) is not None:
        return DocumentRef(number=number)
    return DocumentRef(id=decode_uuid(value, kind.capitalize(), path))
