"""Listings as an answer that can be kept: their columns, and their channels once each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.channels.listing_state import LISTING_COLUMNS, OF_LISTING, STOCK_OF_LISTING
from app.channels.read_channels import read_channels_by_ids
from app.run_once import Answer

_LISTINGS = f"""
SELECT {LISTING_COLUMNS} FROM listings l {OF_LISTING} {STOCK_OF_LISTING}
JOIN unnest($1::bigint[]) WITH ORDINALITY AS g (id, place) ON g.id = l.id ORDER BY g.place
"""  # noqa: S608


async def answer_listings(connection: Any, ids: Sequence[int]) -> Answer:
    """`listings`: rows in the order of the ids; `channels`: rows of their channels."""
    rows = [dict(row) for row in await connection.fetch(_LISTINGS, list(ids))]
    channels = await read_channels_by_ids(connection, sorted({row["channel_id"] for row in rows}))
    return {"listings": rows, "channels": [dict(row) for row in channels]}
