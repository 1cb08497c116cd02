"""Take a SKU off every channel at once, and put it back."""

from __future__ import annotations

from typing import Any

from adapters.postgres.idempotency import IdempotentCall
from app.catalog.find_skus import find_skus
from app.catalog.lookup import sku_not_found
from app.channels.answer_listings import answer_listings
from app.channels.relay_stock import recompute_desired
from app.channels.say_who import say_who
from app.run_once import Answer, run_once
from app.state import State
from domain.errors import Refusal, RefusalCode
from domain.identity import Principal

_FREEZE = "UPDATE skus SET frozen = $2 WHERE id = $1"
_LISTINGS = "SELECT id FROM listings WHERE sku_id = $1 ORDER BY channel_id, id"


async def freeze_sku(
    state: State, principal: Principal, code: str, call: IdempotentCall | None, *, frozen: bool
) -> Answer:
    """Freeze or unfreeze. `sku_id` of the answer, and `listings`: each should show 0 now, in the zero lane.

    Frozen twice is frozen. Raises `Refusal` NOT_ALLOWED for a token that is limited to channels or warehouses, since
    every channel is meant; SKU_NOT_FOUND.
    """

    async def decide(connection: Any) -> Answer:
        if principal.channel_ids is not None or principal.warehouse_ids is not None:
            message = "A freeze is for every channel, and your token is limited: set listingPolicySet's frozen."
            raise Refusal(RefusalCode.NOT_ALLOWED, message, ("sku",))
        sku = (await find_skus(connection, [code])).get(code)
        if sku is None:
            raise sku_not_found(code, ("sku",))
        await say_who(connection, principal)
        await connection.execute(_FREEZE, sku.id, frozen)
        await recompute_desired(connection, [sku.id])
        ids = [row[0] for row in await connection.fetch(_LISTINGS, sku.id)]
        return {"sku_id": sku.id, **await answer_listings(connection, ids)}

    answer = await run_once(state.database, call, decide)
    for bell in ("push", "feed"):
        state.doorbell.ring(bell)
    return answer
