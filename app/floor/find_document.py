"""How a tablet names a document: by its id, by the number on its label, or by the key under which it was made.

The last one is for what was made without network: there is no id yet, and the next action must name it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

LABELS = {"transfer": "TR", "return": "RT", "damage": "DM", "adjustment": "AD"}
_TABLES = {"transfer": "transfers", "return": "returns", "damage": "damages", "adjustment": "adjustments"}
_MADE = "SELECT answer::text FROM idempotency_keys WHERE principal = $1 AND key = $2"
NUMBER_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class DocumentRef:
    """One of: `id`, `number` of the label, `made_under` a key of the same token."""

    id: UUID | None = None
    number: int | None = None
    made_under: str | None = None


def read_label(kind: str, value: str) -> int | None:
    """The number of a label such as TR-12; None for anything else."""
    prefix, _, digits = value.strip().upper().partition("-")
    if prefix != LABELS[kind] or not (digits.isascii() and digits.isdigit()):
        return None
    number = int(digits[:30])
    return number if number <= NUMBER_MAX else None


def write_label(kind: str, number: int) -> str:
    return f"{LABELS[kind]}-{number}"


def not_found(kind: str) -> Refusal:
    code = RefusalCode(f"{kind.upper()}_NOT_FOUND")
    return Refusal(code, f"There is no such {kind}: scan it again, or look it up.", ("id",))


async def find_document(connection: Any, principal: Principal, kind: str, ref: DocumentRef) -> UUID:
    """The id, whether or not the document is there or visible, which whoever locks it checks.

    Raises `Refusal` <KIND>_NOT_FOUND for a number or a key under which there is none.
    """
    if ref.id is not None:
        return ref.id
    found = None
    if ref.number is not None:
        found = await connection.fetchval(f"SELECT id FROM {_TABLES[kind]} WHERE number = $1", ref.number)  # noqa: S608
    elif ref.made_under is not None:
        answer = await connection.fetchval(_MADE, principal.id, ref.made_under)
        found = None if answer is None else (orjson.loads(answer).get(kind) or {}).get("id")
    if found is None:
        raise not_found(kind)
    return found if isinstance(found, UUID) else UUID(str(found))
