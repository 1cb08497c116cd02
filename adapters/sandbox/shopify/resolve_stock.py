"""Fields of products, inventory items, levels and locations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError

from adapters.sandbox.shopify.change_stock import change_level, render_level
from adapters.sandbox.shopify.context import Info, resolve_by_id, state_of
from adapters.sandbox.shopify.ids import (
    number_of,
    read_gid,
    read_level_gid,
    write_gid,
    write_level_gid,
)
from adapters.sandbox.shopify.paginate import build_connection
from adapters.sandbox.shopify.require_key import read_key
from adapters.sandbox.shopify.search import Getter, compile_search
from adapters.sandbox.shopify.set_quantities import set_quantities
from adapters.sandbox.shopify.state import (
    INVENTORY_LEVELS_CONNECT,
    Change,
    Level,
    Location,
    Product,
    State,
    now,
    shown_quantity,
    write_time,
)

# The states a level knows; the store never moves stock into the ones that stay at zero.
ZERO_NAMES = ("damaged", "incoming", "quality_control", "reserved", "safety_stock")


@dataclass(frozen=True, slots=True)
class Variant:
    product: Product


@dataclass(frozen=True, slots=True)
class Item:
    product: Product


def _search_fields(kind: str) -> dict[str, Getter]:
    return {
        "id": lambda entry: float(number_of(kind, entry.product.index)),
        "sku": lambda entry: entry.product.sku,
        "barcode": lambda entry: entry.product.barcode or "",
        "created_at": lambda entry: entry.product.created_at,
        "updated_at": lambda entry: entry.product.updated_at,
    }


VARIANT_FIELDS = _search_fields("ProductVariant")
ITEM_FIELDS = {name: get for name, get in _search_fields("InventoryItem").items() if name != "barcode"}
VARIANT_KEYS = {
    "ID": lambda variant: [variant.product.index],
    "SKU": lambda variant: [variant.product.sku, variant.product.index],
    "TITLE": lambda variant: [variant.product.title, variant.product.index],
}
LOCATION_KEYS = {
    "ID": lambda location: [location.index],
    "NAME": lambda location: [location.config.name, location.index],
}
LOCATION_FIELDS: dict[str, Getter] = {
    "id": lambda location: float(number_of("Location", location.index)),
    "name": lambda location: location.config.name,
}


def list_variants(source: Any, info: Info, **args: Any) -> dict[str, Any]:
    matches = compile_search(args.get("query"), VARIANT_FIELDS)
    variants = [Variant(product) for product in state_of(info).products.values()]
    return build_connection(filter(matches, variants), VARIANT_KEYS[args["sortKey"]], args)


def list_items(source: Any, info: Info, **args: Any) -> dict[str, Any]:
    matches = compile_search(args.get("query"), ITEM_FIELDS)
    items = [Item(product) for product in state_of(info).products.values()]
    return build_connection(filter(matches, items), VARIANT_KEYS["ID"], args)


def list_locations(source: Any, info: Info, **args: Any) -> dict[str, Any]:
    matches = compile_search(args.get("query"), LOCATION_FIELDS)
    locations = state_of(info).locations.values()
    return build_connection(filter(matches, locations), LOCATION_KEYS[args["sortKey"]], args)


def list_levels(source: Any, info: Info, **args: Any) -> dict[str, Any]:
    """Of an item or of a location, whichever the parent is."""
    if args.get("query"):
        raise GraphQLError("the sandbox store does not search inventory levels")
    if isinstance(source, Item):
        levels = [level for level in state_of(info).levels.values() if level.item == source.product.index]
    else:
        levels = [level for level in state_of(info).levels.values() if level.location == source.index]
    return build_connection(levels, lambda level: [level.location, level.item], args)


def find_variant(state: State, gid: str) -> Variant | None:
    product = state.products.get(read_gid("ProductVariant", gid) or 0)
    return Variant(product) if product else None


def find_item(state: State, gid: str) -> Item | None:
    product = state.products.get(read_gid("InventoryItem", gid) or 0)
    return Item(product) if product else None


def find_product(state: State, gid: str) -> Product | None:
    return state.products.get(read_gid("Product", gid) or 0)


def find_location(state: State, gid: str | None) -> Location | None:
    """Without an id: the shop's primary location."""
    return state.locations.get(1 if gid is None else read_gid("Location", gid) or 0)


def find_level(state: State, gid: str) -> Level | None:
    pair = read_level_gid(gid)
    return None if pair is None else state.levels.get(pair)


def _level_of_item(item: Item, info: Info, *, locationId: str, **_: Any) -> Level | None:  # noqa: N803
    return state_of(info).levels.get((read_gid("Location", locationId) or 0, item.product.index))


def _level_of_location(
    location: Location,
    info: Info,
    *,
    inventoryItemId: str,  # noqa: N803
    **_: Any,
) -> Level | None:
    return state_of(info).levels.get((location.index, read_gid("InventoryItem", inventoryItemId) or 0))


def _quantities(level: Level, info: Info, *, names: list[str]) -> list[dict[str, Any]]:
    numbers = {
        "available": level.available,
        "committed": level.committed,
        "on_hand": level.available + level.committed,
        **dict.fromkeys(ZERO_NAMES, 0),
    }
    unknown = [name for name in names if name not in numbers]
    if unknown:
        raise GraphQLError(f"Inventory quantity names are invalid: {', '.join(unknown)}")
    number = number_of("InventoryItem", level.item)
    return [
        {
            "id": f"gid://shopify/InventoryQuantity/{number}?inventory_item_id={number}&name={name}",
            "name": name,
            "quantity": numbers[name],
            "updatedAt": write_time(level.updated_at),
        }
        for name in names
    ]


def activate_inventory(
    source: Any,
    info: Info,
    *,
    inventoryItemId: str,  # noqa: N803
    locationId: str,  # noqa: N803
    available: int | None = None,
    onHand: int | None = None,  # noqa: N803
) -> dict[str, Any]:
    """Resolver of Mutation.inventoryActivate: stocks an item at a further location."""
    read_key(info)
    state = state_of(info)
    item, location = find_item(state, inventoryItemId), find_location(state, locationId)
    if item is None or location is None:
        field = "inventoryItemId" if item is None else "locationId"
        error = {"field": [field], "message": "The inventory item or the location couldn't be found."}
        return {"inventoryLevel": None, "userErrors": [error]}
    key = (location.index, item.product.index)
    quantity = available if available is not None else onHand
    if key in state.levels and quantity is not None:
        message = "Not allowed to set available quantity when the item is already active at the location."
        error = {"field": ["available"], "message": message}
        return {"inventoryLevel": None, "userErrors": [error]}
    if key not in state.levels:
        at = now()
        state.levels[key] = Level(*key, 0, 0, at, at)
        change_level(state, state.levels[key], available=max(0, quantity or 0), committed=0, cause="api")
        state.emit(INVENTORY_LEVELS_CONNECT, lambda: render_level(state.levels[key]))
    return {"inventoryLevel": state.levels[key], "userErrors": []}


def _list_changes(
    adjustment: Any,
    info: Info,
    *,
    inventoryItemIds: list[str] | None = None,  # noqa: N803
    locationIds: list[str] | None = None,  # noqa: N803
    quantityNames: list[str] | None = None,  # noqa: N803
) -> list[Change]:
    changes: list[Change] = adjustment.changes
    return [
        change
        for change in changes
        if (quantityNames is None or change.name in quantityNames)
        and (inventoryItemIds is None or write_gid("InventoryItem", change.item) in inventoryItemIds)
        and (locationIds is None or write_gid("Location", change.location) in locationIds)
    ]


def _handle(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


ADDRESS_RESOLVERS = {
    "city": lambda config, info: config.city,
    "zip": lambda config, info: config.zip,
    "countryCode": lambda config, info: config.country_code,
    "latitude": lambda config, info: config.latitude,
    "longitude": lambda config, info: config.longitude,
    "formatted": lambda config, info: [config.city, config.zip, config.country_code],
}

PRODUCT_RESOLVERS: dict[str, Any] = {
    "id": lambda product, info: write_gid("Product", product.index),
    "legacyResourceId": lambda product, info: str(number_of("Product", product.index)),
    "handle": lambda product, info: _handle(product.title),
    "createdAt": lambda product, info: write_time(product.created_at),
    "updatedAt": lambda product, info: write_time(product.updated_at),
}

VARIANT_RESOLVERS: dict[str, Any] = {
    "id": lambda variant, info: write_gid("ProductVariant", variant.product.index),
    "legacyResourceId": lambda variant, info: str(number_of("ProductVariant", variant.product.index)),
    "availableForSale": lambda variant, info: (
        not variant.product.tracked or shown_quantity(state_of(info), variant.product.index) > 0
    ),
    "barcode": lambda variant, info: variant.product.barcode,
    "displayName": lambda variant, info: f"{variant.product.title} - Default Title",
    "inventoryItem": lambda variant, info: Item(variant.product),
    "inventoryPolicy": lambda variant, info: "CONTINUE" if state_of(info).oversell else "DENY",
    "inventoryQuantity": lambda variant, info: (
        shown_quantity(state_of(info), variant.product.index) if variant.product.tracked else None
    ),
    "position": lambda variant, info: 1,
    "price": lambda variant, info: variant.product.price,
    "sku": lambda variant, info: variant.product.sku,
    "taxable": lambda variant, info: True,
    "title": lambda variant, info: "Default Title",
    "createdAt": lambda variant, info: write_time(variant.product.created_at),
    "updatedAt": lambda variant, info: write_time(variant.product.updated_at),
}

ITEM_RESOLVERS: dict[str, Any] = {
    "id": lambda item, info: write_gid("InventoryItem", item.product.index),
    "legacyResourceId": lambda item, info: str(number_of("InventoryItem", item.product.index)),
    "duplicateSkuCount": lambda item, info: 0,
    "inventoryLevel": _level_of_item,
    "inventoryLevels": list_levels,
    "requiresShipping": lambda item, info: True,
    "sku": lambda item, info: item.product.sku,
    "tracked": lambda item, info: item.product.tracked,
    "variant": lambda item, info: Variant(item.product),
    "createdAt": lambda item, info: write_time(item.product.created_at),
    "updatedAt": lambda item, info: write_time(item.product.updated_at),
}

LOCATION_RESOLVERS: dict[str, Any] = {
    "id": lambda location, info: write_gid("Location", location.index),
    "legacyResourceId": lambda location, info: str(number_of("Location", location.index)),
    "name": lambda location, info: location.config.name,
    "address": lambda location, info: location.config,
    "fulfillsOnlineOrders": lambda location, info: True,
    "hasActiveInventory": lambda location, info: any(key[0] == location.index for key in state_of(info).levels),
    "inventoryLevel": _level_of_location,
    "inventoryLevels": list_levels,
    "isActive": lambda location, info: True,
    "isPrimary": lambda location, info: location.index == 1,
    "shipsInventory": lambda location, info: True,
    "createdAt": lambda location, info: write_time(location.created_at),
    "updatedAt": lambda location, info: write_time(location.created_at),
}

LEVEL_RESOLVERS: dict[str, Any] = {
    "id": lambda level, info: write_level_gid(level.location, level.item),
    "canDeactivate": lambda level, info: False,
    "isActive": lambda level, info: True,
    "item": lambda level, info: Item(state_of(info).products[level.item]),
    "location": lambda level, info: state_of(info).locations[level.location],
    "quantities": _quantities,
    "createdAt": lambda level, info: write_time(level.created_at),
    "updatedAt": lambda level, info: write_time(level.updated_at),
}

CHANGE_RESOLVERS: dict[str, Any] = {
    "item": lambda change, info: Item(state_of(info).products[change.item]),
    "location": lambda change, info: state_of(info).locations[change.location],
    "ledgerDocumentUri": lambda change, info: None,
    "quantityAfterChange": lambda change, info: change.quantity_after,
}

ADJUSTMENT_RESOLVERS: dict[str, Any] = {
    "id": lambda adjustment, info: write_gid("InventoryAdjustmentGroup", adjustment.index),
    "changes": _list_changes,
    "createdAt": lambda adjustment, info: write_time(adjustment.created_at),
    "referenceDocumentUri": lambda adjustment, info: adjustment.reference,
}

RESOLVERS: dict[str, dict[str, Any]] = {
    "QueryRoot": {
        "inventoryItem": resolve_by_id(find_item),
        "inventoryItems": list_items,
        "inventoryLevel": resolve_by_id(find_level),
        "location": resolve_by_id(find_location),
        "locations": list_locations,
        "productVariant": resolve_by_id(find_variant),
        "productVariants": list_variants,
    },
    "Mutation": {"inventoryActivate": activate_inventory, "inventorySetQuantities": set_quantities},
    "Product": PRODUCT_RESOLVERS,
    "ProductVariant": VARIANT_RESOLVERS,
    "InventoryItem": ITEM_RESOLVERS,
    "InventoryLevel": LEVEL_RESOLVERS,
    "InventoryChange": CHANGE_RESOLVERS,
    "InventoryAdjustmentGroup": ADJUSTMENT_RESOLVERS,
    "Location": LOCATION_RESOLVERS,
    "LocationAddress": ADDRESS_RESOLVERS,
}
