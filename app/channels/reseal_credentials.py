"""Seal with the first key of `ONHAND_SECRET_KEY` what an older one sealed, so that the older one can be dropped."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

from cryptography.fernet import InvalidToken

from app.channels.seal_credentials import read_keys, read_newest_key
from app.settings import Settings
from app.state import State
from app.transact import rerun

PAGE = 500


class Sealed(NamedTuple):
    """A column that holds what a key sealed. `key`: the table's primary key, of the type `key_type`."""

    table: str
    column: str
    key: str
    key_type: str


SEALED = (
    Sealed("channels", "credentials", "id", "int"),
    Sealed("partners", "sealed", "id", "int"),
    Sealed("alert_rules", "sealed", "id", "int"),
    Sealed("order_contacts", "sealed", "order_id", "uuid"),
)
_PAGE = """
SELECT {key} AS key, {column} AS sealed FROM {table}
WHERE {column} IS NOT NULL AND ($1::{key_type} IS NULL OR {key} > $1) ORDER BY {key} LIMIT $2 FOR NO KEY UPDATE
"""
_WRITE = """
UPDATE {table} t SET {column} = g.sealed FROM unnest($1::{key_type}[], $2::bytea[]) AS g (key, sealed)
WHERE t.{key} = g.key
"""


class Resealed(NamedTuple):
    """Rows of a table. `current`: the first key had sealed them already. `lost`: no key opens them."""

    sealed: int = 0
    current: int = 0
    lost: int = 0


async def reseal_credentials(state: State) -> Mapping[str, Resealed]:
    """By table. A second run finds all of it current. Raises `Refusal` INVALID_INPUT without a key."""
    return {one.table: await _reseal_table(state, one) for one in SEALED}


async def _reseal_table(state: State, table: Sealed) -> Resealed:
    total, after = Resealed(), None
    while True:
        found, after = await rerun(partial(_reseal_page, state, table, after))
        total = Resealed(*map(sum, zip(total, found, strict=True)))
        if after is None:
            return total


async def _reseal_page(state: State, table: Sealed, after: Any) -> tuple[Resealed, Any]:
    """Returns what was done and where to go on, None at the end. Whoever changes a row meanwhile waits."""
    names = table._asdict()
    async with state.database.hot.acquire() as connection, connection.transaction():
        rows = await connection.fetch(_PAGE.format(**names), after, PAGE)
        fresh = {row["key"]: _reseal(state.settings, row["sealed"]) for row in rows}
        changed = {key: sealed for key, sealed in fresh.items() if sealed}
        await connection.execute(_WRITE.format(**names), list(changed), list(changed.values()))
    lost = sum(sealed is None for sealed in fresh.values())
    counts = Resealed(len(changed), len(rows) - len(changed) - lost, lost)
    return counts, rows[-1]["key"] if len(rows) == PAGE else None


def _reseal(settings: Settings, sealed: bytes) -> bytes | None:
    """Empty when the first key opens it already, None when no key does."""
    try:
        read_newest_key(settings).decrypt(sealed)
    except InvalidToken:
        pass
    else:
        return b""
    try:
        return read_keys(settings).rotate(sealed)
    except InvalidToken:
        return None
