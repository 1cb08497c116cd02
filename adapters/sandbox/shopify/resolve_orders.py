"""Fields of orders, their lines and their addresses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from adapters.sandbox.shopify.context import Info, resolve_by_id, state_of
from adapters.sandbox.shopify.ids import number_of, read_gid, write_gid
from adapters.sandbox.shopify.list_payments import list_payments
from adapters.sandbox.shopify.paginate import build_connection
from adapters.sandbox.shopify.resolve_stock import Variant
from adapters.sandbox.shopify.route_order import list_parts
from adapters.sandbox.shopify.search import Getter, compile_search
from adapters.sandbox.shopify.state import Line, Order, Parcel, State, now, write_time

SEARCHED = {
    "ON_HOLD": "on_hold",
    "UNFULFILLED": "unfulfilled",
    "PARTIALLY_FULFILLED": "partial",
    "FULFILLED": "fulfilled",
}

ORDER_FIELDS: dict[str, Getter] = {
    "id": lambda order: float(number_of("Order", order.index)),
    "name": lambda order: order.name,
    "status": lambda order: "cancelled" if order.cancelled_at else "open",
    "financial_status": lambda order: order.financial_status.lower(),
    "fulfillment_status": lambda order: SEARCHED[order.fulfillment_status],
    "created_at": lambda order: order.created_at,
    "processed_at": lambda order: order.created_at,
    "updated_at": lambda order: order.updated_at,
}

ORDER_KEYS = {
    "CREATED_AT": lambda order: [order.created_at, order.index],
    "PROCESSED_AT": lambda order: [order.created_at, order.index],
    "UPDATED_AT": lambda order: [order.updated_at, order.index],
    "ORDER_NUMBER": lambda order: [order.number],
    "ID": lambda order: [order.index],
}


@dataclass(frozen=True, slots=True)
class Address:
    order: Order
    fields: dict[str, Any]


def list_orders(source: Any, info: Info, **args: Any) -> dict[str, Any]:
    matches = compile_search(args.get("query"), ORDER_FIELDS)
    orders = filter(matches, state_of(info).orders.values())
    return build_connection(orders, ORDER_KEYS[args["sortKey"]], args)


def find_order(state: State, gid: str) -> Order | None:
    return state.orders.get(read_gid("Order", gid) or 0)


def find_line(state: State, gid: str) -> Line | None:
    index = read_gid("LineItem", gid)
    return next((line for order in state.orders.values() for line in order.lines if line.index == index), None)


def _list_lines(order: Order, info: Info, **args: Any) -> dict[str, Any]:
    return build_connection(order.lines, lambda line: [line.index], args)


def show_money(amount: str, info: Info) -> dict[str, Any]:
    money = {"amount": amount, "currencyCode": state_of(info).config.currency}
    return {"shopMoney": money, "presentmentMoney": money}


def _quantity_of(order: Order) -> int:
    return sum(line.quantity for line in order.lines)


def _list_parts(order: Order, info: Info, **args: Any) -> dict[str, Any]:
    return build_connection(list_parts(order, now()), lambda part: [part.index], args)


def _list_parcels(order: Order, info: Info, *, first: int | None = None) -> list[Parcel]:
    return order.parcels[:first]


def _variant_of(line: Line, info: Info) -> Variant | None:
    product = state_of(info).products.get(line.item)
    return Variant(product) if product else None


def _country_of(address: Address, info: Info) -> str | None:
    """The vendor writes ZZ for a country it does not know."""
    code = address.fields.get("country_code")
    if code is None:
        return None
    known = info.schema.type_map["CountryCode"].values  # type: ignore[attr-defined]
    return code if code in known else "ZZ"


def _read(name: str) -> Any:
    return lambda address, info: address.fields.get(name)


ORDER_RESOLVERS: dict[str, Any] = {
    "id": lambda order, info: write_gid("Order", order.index),
    "legacyResourceId": lambda order, info: str(number_of("Order", order.index)),
    "cancelReason": lambda order, info: order.cancel_reason,
    "cancelledAt": lambda order, info: write_time(order.cancelled_at) if order.cancelled_at else None,
    "closedAt": lambda order, info: None,
    "confirmed": lambda order, info: True,
    "currencyCode": lambda order, info: state_of(info).config.currency,
    "currentSubtotalLineItemsQuantity": lambda order, info: sum(line.current for line in order.lines),
    "displayFinancialStatus": lambda order, info: order.financial_status,
    "displayFulfillmentStatus": lambda order, info: order.fulfillment_status,
    "fulfillmentOrders": _list_parts,
    "fulfillments": _list_parcels,
    "lineItems": _list_lines,
    "note": lambda order, info: None,
    "phone": lambda order, info: None,
    "presentmentCurrencyCode": lambda order, info: state_of(info).config.currency,
    "refunds": lambda order, info, first=None: order.refunds[:first],
    "shippingAddress": lambda order, info: Address(order, order.address) if order.address else None,
    "sourceName": lambda order, info: "web",
    "subtotalLineItemsQuantity": lambda order, info: _quantity_of(order),
    "tags": lambda order, info: [],
    "test": lambda order, info: True,
    "totalPriceSet": lambda order, info: show_money(order.total, info),
    "transactions": lambda order, info, first=None, **args: list_payments(order)[:first],
    "createdAt": lambda order, info: write_time(order.created_at),
    "processedAt": lambda order, info: write_time(order.created_at),
    "updatedAt": lambda order, info: write_time(order.updated_at),
}

LINE_RESOLVERS: dict[str, Any] = {
    "id": lambda line, info: write_gid("LineItem", line.index),
    "currentQuantity": lambda line, info: line.current,
    "fulfillableQuantity": lambda line, info: line.unshipped,
    "unfulfilledQuantity": lambda line, info: line.unshipped,
    "isGiftCard": lambda line, info: False,
    "name": lambda line, info: line.title,
    "originalUnitPriceSet": lambda line, info: show_money(line.price, info),
    "refundableQuantity": lambda line, info: line.current,
    "requiresShipping": lambda line, info: True,
    "variant": _variant_of,
    "variantTitle": lambda line, info: None,
}

ADDRESS_RESOLVERS: dict[str, Any] = {
    "id": lambda address, info: f"{write_gid('MailingAddress', address.order.index)}?model_name=Address",
    "countryCodeV2": _country_of,
    "firstName": _read("first_name"),
    "lastName": _read("last_name"),
    "provinceCode": _read("province_code"),
    **{
        name: _read(name)
        for name in (
            "address1", "address2", "city", "company", "country", "latitude", "longitude", "name", "phone",
            "province", "zip",
        )
    },
}  # fmt: skip

RESOLVERS: dict[str, dict[str, Any]] = {
    "QueryRoot": {
        "order": resolve_by_id(find_order),
        "orders": list_orders,
    },
    "Order": ORDER_RESOLVERS,
    "LineItem": LINE_RESOLVERS,
    "MailingAddress": ADDRESS_RESOLVERS,
}
