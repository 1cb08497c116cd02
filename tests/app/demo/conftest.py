"""The demo without processes of its own: the sandbox store in this one, reached as if by its address."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from cryptography.fernet import Fernet
from rich.console import Console

from adapters.sandbox.shopify import StoreConfig, create_store
from app.demo.accounts import Account
from app.progress import Progress
from app.settings import Settings
from app.state import State, open_state

ACCOUNT = Account(9, "http://onhand", {"token": "token", "secret": "secret"})


class Interrupted(Exception):
    """Stands for a kill: nothing after it is done, and nothing is tidied up."""


class Steps(Progress):
    """Keeps what was told, and ends the run after so many reports."""

    def __init__(self, reports_max: int = 1_000) -> None:
        super().__init__(Console(quiet=True))
        self.told: list[str] = []
        self.reports_max = reports_max

    def step(self, text: str) -> None:
        self._report(text)

    def count(self, done: int, total: int) -> None:
        self._report(f"{done} of {total}")

    def _report(self, text: str) -> None:
        if len(self.told) == self.reports_max:
            raise Interrupted
        self.told.append(text)


@pytest.fixture
def sealed(settings: Settings) -> Settings:
    return settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})


@pytest.fixture
async def store() -> AsyncIterator[httpx.AsyncClient]:
    app = create_store(StoreConfig(token=ACCOUNT.secrets["token"], webhook_secret=ACCOUNT.secrets["secret"]))
    headers = {"X-Shopify-Access-Token": ACCOUNT.secrets["token"]}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ACCOUNT.url, headers=headers) as client:
        yield client


@pytest.fixture
async def demo_state(sealed: Settings, store: httpx.AsyncClient) -> AsyncIterator[State]:
    """What speaks to the store from within Onhand does so through `store`."""
    async with open_state(sealed, "onhand tests") as opened:
        opened.http = opened.channels.http = store
        yield opened
