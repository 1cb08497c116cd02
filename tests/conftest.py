"""Real servers for every test: embedded PostgreSQL and Valkey per test process, a database for each test."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.embedded import Servers, start_servers
from app.settings import Settings
from app.state import State, open_state
from tests.databases import Databases

LONG = ("tests/simulation/", "tests/app/demo/", "tests/api/test_isolation.py")
"""What takes longest begins first, so that no process is left with it at the end."""

# Where it is set, everything that is imported, here and in each server that tests start, would be compiled each time.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
# httpx looks for it along the whole path at each request in process, and it is not installed.
sys.modules.setdefault("sniffio", None)  # type: ignore[arg-type]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONG))


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    found = start_servers(tmp_path_factory.mktemp("servers"), durable=False)
    yield found
    found.stop()


@pytest.fixture(scope="session")
def databases(servers: Servers) -> Databases:
    found = Databases(servers)
    found.make_template()
    return found


@pytest.fixture(scope="session")
def checkout() -> Path:
    return Path(__file__).parents[1]


@pytest.fixture
async def settings(servers: Servers, databases: Databases) -> AsyncIterator[Settings]:
    async with databases.lend() as name:
        yield make_settings(servers, name)


def make_settings(servers: Servers, name: str) -> Settings:
    return Settings(
        database_url=servers.url_for(name),
        migration_database_url=servers.owner_url_for(name),
        redis_url=servers.redis_url,
        token_cache_seconds=0.2,
        reauthorize_seconds=0.2,
    )


@pytest.fixture(scope="module")
async def module_settings(servers: Servers, databases: Databases) -> AsyncIterator[Settings]:
    """A database that the tests of one module share."""
    async with databases.lend() as name:
        yield make_settings(servers, name)


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
