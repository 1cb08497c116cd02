"""Real servers for every test: embedded PostgreSQL and Valkey per test process, one database per test."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
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


@pytest.fixture
async def database_name(servers: Servers) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    await asyncio.to_thread(servers.create_database, name, TEMPLATE)
    yield name
    await asyncio.to_thread(servers.drop_database, name)


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
async def module_settings(servers: Servers) -> AsyncIterator[Settings]:
    """A database that the tests of one module share."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    await asyncio.to_thread(servers.create_database, name, TEMPLATE)
    yield make_settings(servers, name)
    await asyncio.to_thread(servers.drop_database, name)


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
