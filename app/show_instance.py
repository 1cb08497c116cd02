"""Where an instance is: a page for people, one line of JSON for scripts."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.demo.company import COMPANY, THIRD_PARTY
from app.demo.start_demo import Demo
from app.supervisor import Instance

FIRST_QUERY = "{ stockLevels(first: 5) { nodes { available sku { title } warehouse { name } } } }"


def ready_line(instance: Instance, token_file: Path, demo: Demo | None) -> str:
    """What `--json` prints once; with the demo, also its shops and the folder of its tokens."""
    found: dict[str, object] = {
        "url": instance.url,
        "graphql": f"{instance.url}/graphql",
        "token_file": str(token_file),
        "database_url": instance.urls["database_url"],
        "redis_url": instance.urls["redis_url"],
        "api_pids": instance.api_pids,
    }
    if demo is not None:
        found |= {"tokens": str(instance.data_dir / "tokens"), "shops": dict(demo.shops)}
    return json.dumps(found)


def show_instance(instance: Instance, token_file: Path, demo: Demo | None, notes: Console, *, empty: bool) -> None:
    notes.print(f"\n[bold]Onhand runs at {instance.url}[/bold]", soft_wrap=True)
    places = [("GraphQL", f"{instance.url}/graphql"), ("GraphiQL", f"{instance.url}/graphiql")]
    places += [] if demo is None else demo.shops
    places += [("Metrics", f"{instance.url}/metrics"), ("Logs", str(instance.data_dir / "logs"))]
    if demo is None:
        places.append(("Token", str(token_file)))
    width = max(len(name) for name, _ in places)
    for name, place in places:
        notes.print(f"  {name:<{width}}  {escape(place)}", soft_wrap=True)
    if demo is not None:
        _show_tokens(instance, demo, notes)
    elif not empty:
        notes.print("\nThis database holds a company of its own, so the demo company stays away.")
    notes.print("\nIn GraphiQL, put a token under Headers and run a query:")
    notes.print('  {"Authorization": "Bearer ohd_…"}')
    notes.print(f"  {FIRST_QUERY}", soft_wrap=True)
    notes.print("\nCtrl-C stops everything; the data stays.\n")


def _show_tokens(instance: Instance, demo: Demo, notes: Console) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    for role, secret in demo.tokens.items():
        sees = f"only {THIRD_PARTY.code}" if role == "PARTNER" else ""
        table.add_row(f"  {role}", secret, sees)
    notes.print(
        f"\n[bold]Tokens of {COMPANY}, the demo company[/bold] (in {instance.data_dir / 'tokens'})", soft_wrap=True
    )
    notes.print(table)
