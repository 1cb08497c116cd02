"""What a tablet is told about an action that it recorded without network, and that could not be done now."""

from __future__ import annotations

from enum import StrEnum

from domain.errors import RefusalCode


class FloorAdvice(StrEnum):
    """What to do with a refused operation. None was kept: the same key may be sent again.

    `SEND_AGAIN`: something that comes before it has not arrived yet, perhaps from another tablet: keep it, and send it
    again. `COUNT`: the shelf is not what was thought: count it. `CORRECT`: it can never be done like this. `ASK`:
    somebody who may do it must.
    """

    SEND_AGAIN = "SEND_AGAIN"
    COUNT = "COUNT"
    CORRECT = "CORRECT"
    ASK = "ASK"


_COUNT = frozenset({RefusalCode.STALE_VERSION, RefusalCode.OVER_RECEIPT})
_ASK = frozenset(
    {
        RefusalCode.NOT_ALLOWED,
        RefusalCode.SAME_PERSON,
        RefusalCode.WAREHOUSE_NOT_FOUND,
        RefusalCode.WAREHOUSE_CLOSED,
    }
)
_SEND_AGAIN = (
    frozenset(code for code in RefusalCode if code.endswith("_NOT_FOUND"))
    | {RefusalCode.INSUFFICIENT_STOCK, RefusalCode.WRONG_STATE}
) - _ASK


def advise(code: RefusalCode) -> FloorAdvice:
    if code in _SEND_AGAIN:
        return FloorAdvice.SEND_AGAIN
    if code in _COUNT:
        return FloorAdvice.COUNT
    return FloorAdvice.ASK if code in _ASK else FloorAdvice.CORRECT
