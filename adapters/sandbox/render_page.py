"""A sandbox as a person sees it: one page of plain HTML, no script, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Protocol, TypeVar
from urllib.parse import urlencode

STYLE = """
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem; }
header { display: flex; flex-wrap: wrap; gap: 1rem; align-items: baseline; justify-content: space-between; }
h1 { font-size: 1.4rem; margin: 0; }
table { width: 100%; border-collapse: collapse; margin: 1rem 0; }
th, td { text-align: left; padding: .5rem .6rem; border-bottom: 1px solid var(--line); }
th { font-size: .8rem; font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.none { color: var(--none); }
small { opacity: .7; }
input { width: 4.5rem; padding: .3rem; font: inherit; }
input[type=search] { width: 14rem; max-width: 100%; }
button { font: inherit; padding: .3rem .8rem; border: 0; border-radius: .3rem; background: var(--accent);
  color: #fff; cursor: pointer; }
button:disabled { background: var(--line); cursor: default; }
form { display: flex; gap: .4rem; margin: 0; }
.note { padding: .6rem .8rem; margin: 1rem 0; border-left: 4px solid var(--accent); background: var(--soft); }
.note.bad { border-color: var(--none); }
@media (max-width: 36rem) { .sku { display: none; } td, th { padding: .4rem .3rem; } }
"""
TABLE = """<table><thead><tr><th>Product</th><th class="sku">SKU</th><th class="number">Price</th>
<th class="number">In stock</th><th>Buy</th></tr></thead>
<tbody>{rows}</tbody></table>"""
NOTHING = '<tr><td colspan="5">Nothing here.</td></tr>'


class Titled(Protocol):
    @property
    def title(self) -> str: ...
    @property
    def sku(self) -> str: ...


T = TypeVar("T", bound=Titled)


@dataclass(frozen=True, slots=True)
class View:
    """What is looked at: the words searched for, the page of what was found, and what was just done."""

    query: str = ""
    page: int = 1
    note: str = ""
    bad: bool = False


def read_view(params: Mapping[str, str]) -> View:
    """Of a page's address; what makes no sense in it is left out."""
    page = params.get("page", "1")
    number = int(page) if page.isdecimal() and len(page) < 6 else 1
    return View(params.get("q", "")[:100], number, params.get("note", "")[:200], params.get("bad") == "1")


def find_titled(entries: Iterable[T], query: str) -> list[T]:
    """Those that have every word in their title or SKU."""
    words = query.lower().split()
    return [entry for entry in entries if all(word in f"{entry.title} {entry.sku}".lower() for word in words)]


def render_list(view: View, found: list[T], render: Callable[[T], str], page_size: int) -> tuple[str, str]:
    """The rows of the page looked at, and the links to its neighbours."""
    pages = max(1, -(-len(found) // page_size))
    page = min(max(1, view.page), pages)
    rows = "".join(render(entry) for entry in found[(page - 1) * page_size : page * page_size])
    return rows, _render_pager(view.query, page, pages)


def render_frame(title: str, accent: str, view: View, body: str, orders: int, style: str = "") -> str:
    """The page around `body`. `accent`: the sandbox's colour; `style`: what it has beside the common rules."""
    name, tone = escape(title), "note bad" if view.bad else "note"
    colours = (
        f":root {{ color-scheme: light dark; --line: #8884; --soft: #8881; --none: #b3261e; --accent: {accent}; }}"
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{name}</title><style>{colours}{STYLE}{style}</style></head><body>
<header><h1>{name}</h1><form method="get" role="search">
<input type="search" name="q" value="{escape(view.query)}" aria-label="Search products" placeholder="Search">
<button>Search</button></form></header>
{f'<p class="{tone}" role="status">{escape(view.note)}</p>' if view.note else ""}
{body}
<p><small>A sandbox: nothing is paid or shipped. {orders} orders placed.</small></p>
</body></html>"""


def render_buy(sku: str, title: str, shown: int, *, can_buy: bool, limited: bool, label: str = "Buy") -> str:
    """The form that buys one product. `limited`: no more than is shown."""
    most = f' max="{max(1, shown)}"' if limited else ""
    return f"""<form method="post" action="/buy"><input type="hidden" name="sku" value="{escape(sku)}">
<input type="number" name="quantity" value="1" min="1"{most} aria-label="Quantity of {escape(title)}">
<button{"" if can_buy else " disabled"}>{label}</button></form>"""


def _render_pager(query: str, page: int, pages: int) -> str:
    if pages == 1:
        return ""
    links = [
        f'<a href="/?{escape(urlencode({"q": query, "page": place}))}">{label}</a>'
        for place, label in ((page - 1, "Previous"), (page + 1, "Next"))
        if 1 <= place <= pages
    ]
    return f"<nav>Page {page} of {pages} {' '.join(links)}</nav>"
