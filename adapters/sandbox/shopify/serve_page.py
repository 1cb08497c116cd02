"""The store as a person sees it: one page of plain HTML, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

from adapters.sandbox.shopify.state import Order, Product, State, shown_quantity

PAGE_PRODUCTS = 60
PAGE_ORDERS = 10

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #0b6e4f; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem; }
header { display: flex; flex-wrap: wrap; gap: 1rem; align-items: baseline; justify-content: space-between; }
h1 { font-size: 1.4rem; margin: 0; }
table { width: 100%; border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .5rem .6rem; border-bottom: 1px solid var(--line); }
th { font-size: .8rem; font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
td.none { color: #b3261e; }
small { opacity: .7; }
input { width: 4.5rem; padding: .3rem; font: inherit; }
input[type=search] { width: 14rem; max-width: 100%; }
button { font: inherit; padding: .3rem .8rem; border: 0; border-radius: .3rem; background: var(--accent);
  color: #fff; cursor: pointer; }
button:disabled { background: var(--line); cursor: default; }
form { display: flex; gap: .4rem; margin: 0; }
.note { padding: .6rem .8rem; border-left: 4px solid var(--accent); background: var(--soft); }
.note.bad { border-color: #b3261e; }
@media (max-width: 36rem) { .sku { display: none; } td, th { padding: .4rem .3rem; } }
"""


def render_page(state: State, *, query: str = "", page: int = 1, note: str = "", bad: bool = False) -> str:
    found = _find_products(state, query)
    pages = max(1, -(-len(found) // PAGE_PRODUCTS))
    page = min(max(1, page), pages)
    rows = "".join(_render_row(state, product) for product in found[(page - 1) * PAGE_PRODUCTS : page * PAGE_PRODUCTS])
    name = escape(state.config.name)
    tone = "note bad" if bad else "note"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title><style>{STYLE}</style></head><body>
<header><h1>{name}</h1><form method="get" role="search">
<input type="search" name="q" value="{escape(query)}" aria-label="Search products" placeholder="Search">
<button>Search</button></form></header>
{f'<p class="{tone}" role="status">{escape(note)}</p>' if note else ""}
<table><thead><tr><th>Product</th><th class="sku">SKU</th><th class="number">Price</th>
<th class="number">In stock</th><th>Buy</th></tr></thead>
<tbody>{rows or '<tr><td colspan="5">Nothing here.</td></tr>'}</tbody></table>
{_render_pager(query, page, pages)}
{_render_orders(state)}
<p><small>A sandbox: nothing is paid or shipped. {len(state.orders)} orders placed.</small></p>
</body></html>"""


def _find_products(state: State, query: str) -> list[Product]:
    words = query.lower().split()
    return [
        product
        for product in state.products.values()
        if all(word in f"{product.title} {product.sku}".lower() for word in words)
    ]


def _render_row(state: State, product: Product) -> str:
    shown = shown_quantity(state, product.index)
    sku, title = escape(product.sku), escape(product.title)
    tracked = product.tracked
    can_buy = shown > 0 or state.oversell or not tracked
    most = "" if state.oversell or not tracked else f' max="{max(1, shown)}"'
    return f"""<tr><td>{title}</td><td class="sku"><small>{sku}</small></td>
<td class="number">{escape(product.price)} {escape(state.config.currency)}</td>
<td class="number{"" if shown > 0 or not tracked else " none"}">{_write_stock(shown, tracked=tracked)}</td>
<td><form method="post" action="/buy"><input type="hidden" name="sku" value="{sku}">
<input type="number" name="quantity" value="1" min="1"{most} aria-label="Quantity of {title}">
<button{"" if can_buy else " disabled"}>Buy</button></form></td></tr>
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


def _render_pager(query: str, page: int, pages: int) -> str:
    if pages == 1:
        return ""
    links = [
        f'<a href="/?{escape(urlencode({"q": query, "page": place}))}">{label}</a>'
        for place, label in ((page - 1, "Previous"), (page + 1, "Next"))
        if 1 <= place <= pages
    ]
    return f"<nav>Page {page} of {pages} {' '.join(links)}</nav>"
