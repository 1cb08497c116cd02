"""The marketplace as a person sees it."""

from __future__ import annotations

from html import escape

from adapters.sandbox.amazon.state import Listing, State, shown_quantity
from adapters.sandbox.render_page import NOTHING, TABLE, View, find_titled, render_buy, render_frame, render_list

PAGE_LISTINGS = 60
ACCENT = "#8a5a00"


def render_page(state: State, view: View) -> str:
    found = find_titled(state.listings.values(), view.query)
    rows, pager = render_list(view, found, lambda listing: _render_row(state, listing), PAGE_LISTINGS)
    body = TABLE.format(rows=rows or NOTHING) + pager
    return render_frame(state.config.name, ACCENT, view, body, len(state.orders))


def _render_row(state: State, listing: Listing) -> str:
    shown = shown_quantity(state, listing)
    ours = state.config.fulfillment_channel in listing.effective
    can_buy = ours and (shown > 0 or state.oversell)
    stock = (str(shown) if shown > 0 else "sold out") if ours else "from Amazon"
    sku, title = escape(listing.sku), escape(listing.title)
    return f"""<tr><td>{title}</td><td class="sku"><small>{sku}</small></td>
<td class="number">{escape(listing.price)} {escape(state.config.currency)}</td>
<td class="number{"" if shown > 0 or not ours else " none"}">{stock}</td>
<td>{render_buy(listing.sku, listing.title, shown, can_buy=can_buy, limited=not state.oversell)}</td></tr>
"""
