"""`onhand seed`: the demo company, and each of its marketplaces that runs connected to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx

from app.demo.accounts import Account
from app.demo.assortment import SEED, build_assortment
from app.demo.channels import DEMO_CHANNELS
from app.demo.direct import connect_direct
from app.demo.ranges import list_range
from app.demo.seed_company import seed_company
from app.progress import Progress
from app.state import State

SEEDING_LOCK = 7_318_202
ANSWER_SECONDS = 2.0


async def seed_demo(state: State, accounts: Mapping[str, Account], progress: Progress, seed: int = SEED) -> bool:
    """Complete what is missing of the demo; whether anything was.

    `accounts`: of the marketplaces that run, by kind. Raises `Refusal` when another company is in the database.
    """
    async with _seeding_alone(state):
        changed = await seed_company(state, progress, seed)
        products = build_assortment(seed)
        progress.step("Direct B2B: channel and listings")
        changed |= await connect_direct(state, products)
        for channel in DEMO_CHANNELS:
            if channel.kind in accounts:
                progress.step(f"{channel.title}: channel and listings")
                changed |= await channel.connect(state, accounts[channel.kind], list_range(channel.kind, products))
    return changed


@asynccontextmanager
async def _seeding_alone(state: State) -> AsyncIterator[None]:
    """A second seeding waits for the first, and then finds nothing to do."""
    async with state.database.hot.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", SEEDING_LOCK)
        try:
            yield
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", SEEDING_LOCK)


async def answers(http: httpx.AsyncClient, url: str) -> bool:
    """Whether a marketplace serves at `url`."""
    try:
        answer = await http.get(f"{url}/healthz", timeout=ANSWER_SECONDS)
    except httpx.HTTPError:
        return False
    return answer.is_success
