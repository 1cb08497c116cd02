"""The one seam between kits and orders: a line that sells a kit becomes a line for each of its components.

It is done to whatever a channel says of an order, each time and in the same way, so that a later word of it is compared
with what is on record. A line that was taken before its SKU became a kit stays as it was.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from app.state import State
from domain.kits import Component, Part, name_kit, name_line

_COMPONENTS = """
SELECT k.code AS kit, k.barcode, c.code AS component, p.quantity FROM skus k
JOIN kit_components p ON p.kit_id = k.id JOIN skus c ON c.id = p.component_id
WHERE k.code = ANY($1::text[]) OR k.barcode = ANY($1::text[]) ORDER BY k.code, c.code
"""
_RECORDED = """
SELECT l.external_id FROM order_lines l JOIN orders o ON o.id = l.order_id
WHERE o.channel_id = $1 AND o.external_id = $2
"""


async def expand_kits(state: State, channel_id: int, order: ChannelOrder) -> ChannelOrder:
    """The order with components in place of kits; the same one when it sells none."""
    codes = [line.sku for line in order.lines if line.sku]
    kits: dict[str, list[tuple[str, Component]]] = defaultdict(list)
    for row in await state.database.hot.fetch(_COMPONENTS, codes) if codes else ():
        for name in {row["kit"], row["barcode"]} - {None}:
            kits[name].append((row["kit"], Component(row["component"], row["quantity"])))
    if not kits:
        return order
    recorded = {row[0] for row in await state.database.hot.fetch(_RECORDED, channel_id, order.external_id)}
    lines: list[ChannelOrderLine] = []
    for line in order.lines:
        parts = kits.get(line.sku or "")
        lines += (
            [line] if not parts or line.external_id in recorded else [_part(line, *part, len(parts)) for part in parts]
        )
    return replace(order, lines=tuple(lines))


def _part(line: ChannelOrderLine, kit: str, part: Component, parts: int) -> ChannelOrderLine:
    """Its price is the kit's, which no component has."""
    name = name_line(line.external_id, kit, part.sku)
    whole = Part(name_kit(line.external_id, kit), part.quantity, parts)
    units = part.quantity
    left, gone = None if line.unshipped is None else line.unshipped * units, line.shipped * units
    return ChannelOrderLine(name, part.sku, line.title, line.quantity * units, part=whole, unshipped=left, shipped=gone)
