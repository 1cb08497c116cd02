"""The executable schema: the contract's SDL with the store's resolvers hung on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    build_schema,
)

from adapters.sandbox.shopify import (
    cancel_orders,
    resolve_fulfillment,
    resolve_orders,
    resolve_returns,
    resolve_stock,
    resolve_store,
)
from adapters.sandbox.shopify.context import Info

CONTRACT = Path(__file__).with_name("contract")

SCOPES = {
    "fulfillment": "read_orders",
    "fulfillmentCreate": "write_merchant_managed_fulfillment_orders",
    "fulfillmentOrder": "read_merchant_managed_fulfillment_orders",
    "fulfillmentOrders": "read_merchant_managed_fulfillment_orders",
    "inventoryItem": "read_inventory",
    "inventoryItems": "read_inventory",
    "inventoryLevel": "read_inventory",
    "location": "read_locations",
    "locations": "read_locations",
    "order": "read_orders",
    "orders": "read_orders",
    "refundCreate": "write_orders",
    "return": "read_returns",
    "returnProcess": "write_returns",
    "orderCancel": "write_orders",
    "orderEditBegin": "write_order_edits",
    "orderEditCommit": "write_order_edits",
    "orderEditSetQuantity": "write_order_edits",
    "productVariant": "read_products",
    "productVariants": "read_products",
    "inventoryActivate": "write_inventory",
    "inventorySetQuantities": "write_inventory",
}

DOCUMENTATION = "https://shopify.dev/api/usage/access-scopes"


def read_sdl() -> str:
    return "\n".join(path.read_text("utf-8") for path in sorted(CONTRACT.glob("*.graphql")))


@cache
def build_store_schema() -> GraphQLSchema:
    """The same for every store of the process: a store's state comes with the request."""
    schema = build_schema(read_sdl())
    orders = (resolve_orders, resolve_fulfillment, resolve_returns, cancel_orders)
    for module in (resolve_stock, *orders, resolve_store):
        for type_name, resolvers in module.RESOLVERS.items():
            _hang_resolvers(schema.type_map[type_name], resolvers)
    node, returned = schema.type_map["Node"], schema.type_map["ReturnLineItemType"]
    assert isinstance(node, GraphQLInterfaceType)
    assert isinstance(returned, GraphQLInterfaceType)
    returned.resolve_type = lambda value, info, of: "ReturnLineItem"
    node.resolve_type = lambda value, info, of: resolve_store.NODE_TYPES[type(value)]
    return schema


def _hang_resolvers(type_: Any, resolvers: dict[str, Callable[..., Any]]) -> None:
    assert isinstance(type_, GraphQLObjectType)
    for name, resolver in resolvers.items():
        scope = SCOPES.get(name) if type_.name in ("QueryRoot", "Mutation", "Order") else None
        type_.fields[name].resolve = _guard(resolver, scope) if scope else resolver


def _guard(resolver: Callable[..., Any], scope: str) -> Callable[..., Any]:
    """A missing scope is HTTP 200 with ACCESS_DENIED on the field."""

    def guarded(source: Any, info: Info, **args: Any) -> Any:
        if scope not in info.context.state.config.scopes:
            access = f"`{scope}` access scope."
            raise GraphQLError(
                f"Access denied for {info.field_name} field. Required access: {access}",
                extensions={
                    "code": "ACCESS_DENIED",
                    "documentation": DOCUMENTATION,
                    "requiredAccess": access,
                },
            )
        return resolver(source, info, **args)

    return guarded
