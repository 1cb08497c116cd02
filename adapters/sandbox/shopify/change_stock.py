"""The one door to the store's numbers: every change is stamped, remembered and announced here."""

from __future__ import annotations

from typing import Any

from adapters.sandbox.shopify.ids import number_of, write_level_gid
from adapters.sandbox.shopify.state import (
    INVENTORY_LEVELS_DISCONNECT,
    INVENTORY_LEVELS_UPDATE,
    Level,
    State,
    now,
    write_time,
)


def change_level(
    state: State,
    level: Level,
    *,
    available: int,
    committed: int,
    cause: str,
    key: str | None = None,
    order: str | None = None,
    removed: int = 0,
) -> None:
    """Gives a level its new numbers. An unchanged available quantity is remembered but not announced.

    `cause` is "api" (a client's write), "order" (the store sold), "shipped", "restock" (units that an order gave back)
    or "outside" (a person in the admin). `removed`: units that `order` lost, whether or not they are on sale again.
    """
    at = now()
    delta = available - level.available
    level.available, level.committed, level.updated_at = available, committed, at
    state.history.append(
        {
            "at": at,
            "cause": cause,
            "sku": state.products[level.item].sku,
            "location": level.location,
            "available": available,
            "delta": delta,
            "key": key,
            "order": order,
            "removed": removed,
        }
    )
    state.touch()
    if delta:
        state.emit(INVENTORY_LEVELS_UPDATE, lambda: render_level(level))


def render_level(level: Level) -> dict[str, Any]:
    """The payload of inventory_levels/update. It does not say who wrote: our own writes echo."""
    return {
        "inventory_item_id": number_of("InventoryItem", level.item),
        "location_id": number_of("Location", level.location),
        "available": level.available,
        "updated_at": write_time(level.updated_at).replace("Z", "+00:00"),
        "admin_graphql_api_id": write_level_gid(level.location, level.item),
    }


def change_outside(state: State, sku: str, delta: int) -> bool:
    """Somebody else, in the vendor's own admin, changes the first location's stock. False: no such sku, or no stock."""
    item = state.item_by_sku.get(sku)
    level = next((level for level in state.levels.values() if level.item == item), None)
    if level is None:
        return False
    available = max(0, level.available + delta)
    change_level(state, level, available=available, committed=level.committed, cause="outside")
    return True


def unstock(state: State, sku: str) -> bool:
    """The first location that stocks it does so no longer. False: no such sku, or no stock."""
    item = state.item_by_sku.get(sku)
    level = next((level for level in state.levels.values() if level.item == item), None)
    if level is None:
        return False
    del state.levels[(level.location, level.item)]
    state.touch()
    payload = render_level(level)
    state.emit(
        INVENTORY_LEVELS_DISCONNECT, lambda: {name: payload[name] for name in ("inventory_item_id", "location_id")}
    )
    return True
