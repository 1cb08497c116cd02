"""A return as its channel has it now, read when an event has named it."""

from __future__ import annotations

from typing import Any

from adapters.channels.returns import ReturnReadingChannel
from app.channels.open_channel import OpenChannel
from app.returns.note_refunds import take_seen_order
from app.returns.notice_return import notice_return
from app.state import State


async def take_return(state: State, channel: OpenChannel, external_id: str) -> str | None:
    """The channel's id of its order, None when it says nothing of the return. Raises `Fault`.

    Lines that are sent instead may be news: the order is taken first.
    """
    adapter: Any = channel.adapter
    if not isinstance(adapter, ReturnReadingChannel):
        return None
    notice = await adapter.read_return(external_id)
    if notice is None:
        return None
    if notice.exchange_lines and channel.adapter is not None:
        order = await channel.adapter.read_order(notice.order_external_id)
        if order is not None:
            await take_seen_order(state, channel.id, order)
    await notice_return(state, channel.id, notice)
    return notice.order_external_id
