"""Real servers for every test: embedded PostgreSQL and Valkey per test process, one database per test."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from app.embedded import Servers, start_servers
from app.settings import Settings
from app.state import State, open_state
from migrations.run import upgrade

TEMPLATE = "onhand_template"
LONG = ("tests/simulation/", "tests/app/demo/", "tests/api/test_isolation.py")
"""What takes longest begins first, so that no process is left with it at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    found = start_servers(tmp_path_factory.mktemp("servers"), durable=False)
    found.create_database(TEMPLATE)
    upgrade(found.owner_url_for(TEMPLATE))
    yield found
    found.stop()


@pytest.fixture(scope="session")
def checkout() -> Path:
    return Path(__file__).parents[1]


class Spares:
    """The next test's database is made, and the last one's dropped, while this one's test runs."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._worker = ThreadPoolExecutor(1, "spare databases")
        self._next = self._worker.submit(self._make)
        self._drops: list[Future[None]] = []

    async def take(self) -> str:
        found, self._next = self._next, self._worker.submit(self._make)
        return await asyncio.wrap_future(found)

    def give_back(self, name: str) -> None:
        self._drops.append(self._worker.submit(self._servers.drop_database, name))

    def close(self) -> None:
        self._worker.shutdown()
        for drop in self._drops:
            drop.result()

    def _make(self) -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._servers.create_database(name, TEMPLATE)
        return name


@pytest.fixture(scope="session")
def spares(servers: Servers) -> Iterator[Spares]:
    found = Spares(servers)
    yield found
    found.close()


@pytest.fixture
async def database_name(spares: Spares) -> AsyncIterator[str]:
    name = await spares.take()
    yield name
    spares.give_back(name)


def make_settings(servers: Servers, name: str) -> Settings:
    return Settings(
        database_url=servers.url_for(name),
        migration_database_url=servers.owner_url_for(name),
        redis_url=servers.redis_url,
        token_cache_seconds=0.2,
        reauthorize_seconds=0.2,
    )


@pytest.fixture
def settings(servers: Servers, database_name: str) -> Settings:
    return make_settings(servers, database_name)


@pytest.fixture(scope="module")
async def module_settings(servers: Servers, spares: Spares) -> AsyncIterator[Settings]:
    """A database that the tests of one module share."""
    name = await spares.take()
    yield make_settings(servers, name)
    spares.give_back(name)


@pytest.fixture
async def state(settings: Settings) -> AsyncIterator[State]:
    async with open_state(settings, "onhand tests") as opened:
        yield opened


@pytest.fixture(scope="session")
def contracts() -> Path:
    folder = Path(__file__).parents[2] / "shared" / "contracts"
    if not folder.is_dir():
        pytest.skip("../shared/contracts is not here")
    return folder
