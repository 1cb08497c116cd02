"""Whether a store still lets us in: any call says so."""

from __future__ import annotations

from adapters.channels.refuse_call import NotPermitted
from adapters.channels.shopify.client import ShopifyClient
from domain.errors import CauseClass, Fault

COST = 3
_ASK = "query AskAccess { webhookSubscriptions(first: 1) { nodes { id } } }"


async def has_access(client: ShopifyClient) -> bool:
    """Raises `Fault` when the store does not answer."""
    try:
        await client.call(_ASK, {}, cost=COST)
    except NotPermitted:
        return True
    except Fault as fault:
        if fault.cause is CauseClass.AUTH:
            return False
        raise
    return True
