"""Set, change and take away a limit; list those there are."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from adapters.postgres.idempotency import IdempotentCall
from app.run_once import Answer, run_once
from app.state import State
from domain.approvals import EVERYBODY, ApprovalKind
from domain.errors import Refusal, RefusalCode
from domain.stock import QUANTITY_MAX

VALUE_MAX = Decimal(10) ** 12
_SET = """
INSERT INTO approval_policies (kind, role, units_max, value_max) VALUES ($1, $2, $3, $4)
ON CONFLICT (kind, role) DO UPDATE SET units_max = excluded.units_max, value_max = excluded.value_max
"""
_DROP = "DELETE FROM approval_policies WHERE kind = $1 AND role = $2"
_LIST = "SELECT kind, role, units_max, value_max FROM approval_policies ORDER BY kind, role"


async def set_policy(
    state: State,
    kind: ApprovalKind,
    role: str | None,
    units_max: int | None,
    value_max: Decimal | None,
    call: IdempotentCall | None,
) -> Answer:
    """`policies` of the answer: all there are. `role` None: everybody without one of their own; both maxima None: no
    limit any more. Raises `Refusal` INVALID_INPUT.
    """

    async def decide(connection: Any) -> Answer:
        _check(units_max, value_max)
        if units_max is None and value_max is None:
            await connection.execute(_DROP, kind.value, role or EVERYBODY)
        else:
            await connection.execute(_SET, kind.value, role or EVERYBODY, units_max, value_max)
        return {"policies": await read_policies(connection)}

    answer = await run_once(state.database, call, decide)
    await state.policies.reload()
    return answer


def _check(units_max: int | None, value_max: Decimal | None) -> None:
    if units_max is not None and not 0 <= units_max <= QUANTITY_MAX:
        raise Refusal(RefusalCode.INVALID_INPUT, f"From 0 to {QUANTITY_MAX} units.", ("unitsMax",))
    if value_max is not None and not 0 <= value_max < VALUE_MAX:
        raise Refusal(RefusalCode.INVALID_INPUT, f"From 0 to less than {VALUE_MAX}.", ("valueMax",))


async def read_policies(connection: Any) -> Sequence[dict[str, Any]]:
    return [dict(row) for row in await connection.fetch(_LIST)]
