"""The store as a person sees it."""

from __future__ import annotations

from html import escape

from adapters.sandbox.render_page import NOTHING, TABLE, View, find_titled, render_buy, render_frame, render_list
from adapters.sandbox.shopify.state import Order, Product, State, shown_quantity

PAGE_PRODUCTS = 60
PAGE_ORDERS = 10
ACCENT = "#0b6e4f"


def render_page(state: State, view: View) -> str:
    found = find_titled(state.products.values(), view.query)
    rows, pager = render_list(view, found, lambda product: _render_row(state, product), PAGE_PRODUCTS)
    body = TABLE.format(rows=rows or NOTHING) + pager + _render_orders(state)
    return render_frame(state.config.name, ACCENT, view, body, len(state.orders))


def _render_row(state: State, product: Product) -> str:
    shown = shown_quantity(state, product.index)
    tracked = product.tracked
    can_buy, limited = shown > 0 or state.oversell or not tracked, tracked and not state.oversell
    return f"""<tr><td>{escape(product.title)}</td><td class="sku"><small>{escape(product.sku)}</small></td>
<td class="number">{escape(product.price)} {escape(state.config.currency)}</td>
<td class="number{"" if shown > 0 or not tracked else " none"}">{_write_stock(shown, tracked=tracked)}</td>
<td>{render_buy(product.sku, product.title, shown, can_buy=can_buy, limited=limited)}</td></tr>
"""


def _write_stock(shown: int, *, tracked: bool) -> str:
    if not tracked:
        return "not counted"
    return str(shown) if shown > 0 else "sold out"


def _render_orders(state: State) -> str:
    """The latest orders, newest first, with what a buyer may still do."""
    latest = list(state.orders.values())[: -PAGE_ORDERS - 1 : -1]
    if not latest:
        return ""
    rows = "".join(_render_order(order) for order in latest)
    return f"""<table><thead><tr><th>Order</th><th>Holds</th><th>State</th><th>Cancel</th></tr></thead>
<tbody>{rows}</tbody></table>"""


def _render_order(order: Order) -> str:
    held = ", ".join(f"{line.current} x {line.sku}" for line in order.lines if line.current) or "nothing"
    words = "cancelled" if order.cancelled_at else order.fulfillment_status.lower().replace("_", " ")
    unpaid = ", not paid" if order.financial_status == "PENDING" else ""
    can_cancel = order.cancelled_at is None and not order.parcels
    return f"""<tr><td>{escape(order.name)}</td><td>{escape(held)}</td><td>{words}{unpaid}</td>
<td><form method="post" action="/orders/cancel"><input type="hidden" name="order" value="{escape(order.name)}">
<button aria-label="Cancel {escape(order.name)}"{"" if can_cancel else " disabled"}>Cancel</button></form></td></tr>
"""
