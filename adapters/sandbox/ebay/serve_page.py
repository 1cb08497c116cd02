"""The seller's listings as a buyer sees them: one page of plain HTML, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

from adapters.sandbox.ebay.state import Item, State, shown_quantity

PAGE_ITEMS = 48

STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --accent: #3556c8; --none: #b3261e; }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 0 auto; padding: 1.5rem 1rem; }
header { display: flex; flex-wrap: wrap; gap: 1rem; align-items: baseline; justify-content: space-between; }
h1 { font-size: 1.4rem; margin: 0; }
h2 { font-size: 1rem; font-weight: 600; margin: 0; }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; padding: 0; }
li { list-style: none; border: 1px solid var(--line); border-radius: .4rem; padding: .9rem; display: grid; gap: .3rem; }
p { margin: 0; }
small { opacity: .7; }
.none { color: var(--none); }
input { width: 4.5rem; padding: .3rem; font: inherit; }
input[type=search] { width: 14rem; max-width: 100%; }
button { font: inherit; padding: .3rem .8rem; border: 0; border-radius: .3rem; background: var(--accent);
  color: #fff; cursor: pointer; }
button:disabled { background: var(--line); cursor: default; }
form { display: flex; gap: .4rem; }
.note { padding: .6rem .8rem; margin: 1rem 0; border-left: 4px solid var(--accent); background: var(--soft); }
.note.bad { border-color: var(--none); }
"""


def render_page(state: State, *, query: str = "", page: int = 1, note: str = "", bad: bool = False) -> str:
    found = _find_items(state, query)
    pages = max(1, -(-len(found) // PAGE_ITEMS))
    page = min(max(1, page), pages)
    cards = "".join(_render_card(state, item) for item in found[(page - 1) * PAGE_ITEMS : page * PAGE_ITEMS])
    name, tone = escape(state.config.name), "note bad" if bad else "note"
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title><style>{STYLE}</style></head><body>
<header><h1>{name}</h1><form method="get" role="search">
<input type="search" name="q" value="{escape(query)}" aria-label="Search listings" placeholder="Search">
<button>Search</button></form></header>
{f'<p class="{tone}" role="status">{escape(note)}</p>' if note else ""}
<ul>{cards or "<li>Nothing here.</li>"}</ul>
{_render_pager(query, page, pages)}
<p><small>A sandbox: nothing is paid or shipped. {len(state.orders)} orders placed.</small></p>
</body></html>"""


def _find_items(state: State, query: str) -> list[Item]:
    words = query.lower().split()
    return [item for item in state.items.values() if all(w in f"{item.title} {item.sku}".lower() for w in words)]


def _render_card(state: State, item: Item) -> str:
    shown = shown_quantity(state, item.sku)
    sku, title = escape(item.sku), escape(item.title)
    ended = all(offer.ended for offer in state.offers_by_sku.get(item.sku, ()))
    stock = "listing ended" if ended else f"{shown} available" if shown > 0 else "out of stock"
    can_buy = shown > 0 or (state.oversell and not ended)
    most = "" if state.oversell else f' max="{max(1, shown)}"'
    return f"""<li><h2>{title}</h2><p>{escape(item.price)} {escape(state.config.currency)} <small>{sku}</small></p>
<p{"" if shown > 0 else ' class="none"'}>{stock}</p>
<form method="post" action="/buy"><input type="hidden" name="sku" value="{sku}">
<input type="number" name="quantity" value="1" min="1"{most} aria-label="Quantity of {title}">
<button{"" if can_buy else " disabled"}>Buy it now</button></form></li>
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
