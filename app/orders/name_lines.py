"""What a channel calls a SKU of ours, where that is not our own code: its linked listing says which one it is."""

from __future__ import annotations

from dataclasses import replace

from adapters.channels.base import ChannelOrder
from app.state import State

_LINKED = """
SELECT l.external_id, min(s.code) FROM listings l JOIN skus s ON s.id = l.sku_id
WHERE l.channel_id = $1 AND l.external_id = ANY($2::text[]) GROUP BY 1 HAVING count(DISTINCT l.sku_id) = 1
"""


async def name_lines(state: State, channel_id: int, order: ChannelOrder) -> ChannelOrder:
    """The order with our codes in place of the channel's names. A link goes before a code that reads the same."""
    names = sorted({line.sku for line in order.lines if line.sku})
    linked = dict(await state.database.hot.fetch(_LINKED, channel_id, names)) if names else {}
    if all(linked.get(name, name) == name for name in names):
        return order
    lines = tuple(replace(x, sku=linked.get(x.sku, x.sku)) if x.sku else x for x in order.lines)
    return replace(order, lines=lines)
