"""The seller's listings as a buyer sees them."""

from __future__ import annotations

from html import escape

from adapters.sandbox.ebay.state import Item, State, shown_quantity
from adapters.sandbox.render_page import View, find_titled, render_buy, render_frame, render_list

PAGE_ITEMS = 48
ACCENT = "#3556c8"
CARDS = """
h2 { font-size: 1rem; font-weight: 600; margin: 0; }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; padding: 0; }
li { list-style: none; border: 1px solid var(--line); border-radius: .4rem; padding: .9rem; display: grid; gap: .3rem; }
p { margin: 0; }
"""


def render_page(state: State, view: View) -> str:
    found = find_titled(state.items.values(), view.query)
    cards, pager = render_list(view, found, lambda item: _render_card(state, item), PAGE_ITEMS)
    body = f"<ul>{cards or '<li>Nothing here.</li>'}</ul>{pager}"
    return render_frame(state.config.name, ACCENT, view, body, len(state.orders), CARDS)


def _render_card(state: State, item: Item) -> str:
    shown = shown_quantity(state, item.sku)
    ended = all(offer.ended for offer in state.offers_by_sku.get(item.sku, ()))
    stock = "listing ended" if ended else f"{shown} available" if shown > 0 else "out of stock"
    can_buy, limited = shown > 0 or (state.oversell and not ended), not state.oversell
    price, sku = f"{escape(item.price)} {escape(state.config.currency)}", escape(item.sku)
    return f"""<li><h2>{escape(item.title)}</h2><p>{price} <small>{sku}</small></p>
<p{"" if shown > 0 else ' class="none"'}>{stock}</p>
{render_buy(item.sku, item.title, shown, can_buy=can_buy, limited=limited, label="Buy it now")}</li>
"""
