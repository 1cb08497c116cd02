"""Keys that change: what an old one sealed opens beside the new one, and without it once everything is sealed anew."""

from __future__ import annotations

import asyncio
import datetime
import re

import pytest
from cryptography.fernet import Fernet
from typer.testing import CliRunner

from adapters.channels.base import ChannelOrder, ChannelOrderLine
from app.channels import reseal_credentials as reseal_module
from app.channels.connect_channel import ChannelConnect, connect_channel
from app.channels.reseal_credentials import SEALED
from app.channels.seal_credentials import open_credentials, seal_credentials
from app.cli import app
from app.orders.keep_contact import open_contact
from app.orders.take_order import take_order
from app.settings import Settings
from app.state import open_state
from domain.errors import CauseClass, Fault
from tests.seed import make_catalog

OLD, NEW = (Fernet.generate_key().decode() for _ in range(2))
SECRETS = {"access_token": "hush"}
ORDERS = 5


def with_key(settings: Settings, keys: str) -> Settings:
    return settings.model_copy(update={"secret_key": keys})


def test_an_old_key_opens_beside_the_new_one_and_never_without() -> None:
    given = Settings(database_url="postgresql://x", redis_url="redis://x")
    sealed = seal_credentials(with_key(given, OLD), SECRETS)
    both = with_key(given, f"{NEW}, {OLD}")
    assert open_credentials(both, sealed) == SECRETS
    with pytest.raises(Fault, match="sealed with another key") as caught:
        open_credentials(with_key(given, NEW), sealed)
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.AUTH)
    assert open_credentials(with_key(given, NEW), seal_credentials(both, SECRETS)) == SECRETS


async def fill(settings: Settings) -> None:
    """Something in each sealed column."""
    async with open_state(settings, "onhand tests") as state:
        await make_catalog(state, ("BER",), 1)
        async with state.database.hot.acquire() as connection:
            wanted = ChannelConnect("shop", "Shop", "SHOPIFY", {"BER": ""}, {"base_url": "http://x"}, SECRETS)
            channel = await connect_channel(connection, settings, wanted)
            sealed = seal_credentials(settings, SECRETS)
            await connection.execute(
                "INSERT INTO partners (code, warehouse_id, kind, sealed) SELECT 'acme', id, 'API', $1 FROM warehouses",
                sealed,
            )
            await connection.execute(
                "INSERT INTO alert_rules (name, target, sealed) VALUES ('all', 'WEBHOOK', $1)", sealed
            )
        now = datetime.datetime.now(datetime.UTC)
        line = ChannelOrderLine("1", "SKU-0", "Thing", 1)
        for number in range(ORDERS):
            await take_order(state, channel, ChannelOrder(f"{number}", None, now, (line,), email="a@b.example"))


async def read_all(settings: Settings) -> list[object]:
    """What is sealed, opened. Raises where it cannot be."""
    async with open_state(settings, "onhand tests") as state:
        found: list[object] = []
        for one in SEALED[:-1]:
            rows = await state.database.hot.fetch(f"SELECT {one.column} FROM {one.table}")
            found += [open_credentials(settings, row[0]) for row in rows]
        contacts = await state.database.hot.fetch("SELECT sealed FROM order_contacts")
        return [*found, *(open_contact(settings, row[0]) for row in contacts)]


def reseal(settings: Settings) -> tuple[int, list[list[int]]]:
    """Exit code; of each table, in order: sealed anew, sealed already, lost."""
    environment = {
        "ONHAND_DATABASE_URL": settings.database_url,
        "ONHAND_REDIS_URL": settings.redis_url,
        "ONHAND_SECRET_KEY": settings.secret_key,
    }
    ended = CliRunner().invoke(app, ["credentials", "reseal"], env=environment)
    lines = [line for line in ended.stdout.splitlines() if line.split(":")[0] in {one.table for one in SEALED}]
    return ended.exit_code, [[int(number) for number in re.findall(r"\d+", line)] for line in lines]


def test_after_a_reseal_the_old_key_can_go(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reseal_module, "PAGE", 2)
    old, both, new = (with_key(settings, keys) for keys in (OLD, f"{NEW},{OLD}", NEW))
    asyncio.run(fill(old))
    assert reseal(new) == (1, [[0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, ORDERS]]), "nothing that it could open"
    assert reseal(both) == (0, [[1, 0, 0], [1, 0, 0], [1, 0, 0], [ORDERS, 0, 0]])
    assert asyncio.run(read_all(new)) == [SECRETS] * 3 + [{"email": "a@b.example"}] * ORDERS
    assert reseal(both) == (0, [[0, 1, 0], [0, 1, 0], [0, 1, 0], [0, ORDERS, 0]])
