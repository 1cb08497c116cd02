"""`onhand seed`, and what it says it did."""

from __future__ import annotations

from pathlib import Path

from app.demo.accounts import Account, find_account
from app.demo.channels import DEMO_CHANNELS
from app.demo.seed import answers, seed_demo
from app.progress import Progress
from app.state import State

_COUNTS = """
SELECT (SELECT count(*) FROM warehouses), (SELECT count(*) FROM skus), (SELECT sum(available) FROM stock_levels),
       (SELECT count(*) FROM listings)
"""


async def seed_and_report(state: State, data_dir: Path, progress: Progress) -> list[str]:
    """Seed, with the marketplaces that run on the folder, and say in lines what there is now."""
    accounts = await _find_marketplaces(state, data_dir)
    changed = await seed_demo(state, accounts, progress)
    warehouses, skus, units, listings = await state.database.hot.fetchrow(_COUNTS)
    lines = [
        "  seeded now." if changed else "  it was complete: nothing changed.",
        f"  {warehouses} warehouses, {skus} SKUs, {units} units available, {listings} listings.",
    ]
    for channel in DEMO_CHANNELS:
        if channel.kind in accounts:
            lines.append(f"  The {channel.title} at {accounts[channel.kind].url} is connected.")
        else:
            lines.append(
                f"  The {channel.title} of the demo does not run on {data_dir}, so nothing was connected to it: "
                "`onhand up` without --empty starts it there and connects it."
            )
    return lines


async def _find_marketplaces(state: State, data_dir: Path) -> dict[str, Account]:
    found = {channel.kind: find_account(data_dir, channel.kind) for channel in DEMO_CHANNELS}
    return {
        kind: account
        for kind, account in found.items()
        if account is not None and await answers(state.http, account.url)
    }
