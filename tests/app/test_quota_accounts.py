"""Channels that are one account to their vendor share its budgets; others do not."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

import httpx
import orjson
import pytest
from cryptography.fernet import Fernet

from adapters.channels.base import Throttled
from adapters.redis.quota import PREFIX, open_quota_client
from app.channels.keep_secrets import Keeper
from app.channels.open_channel import ChannelBook
from app.channels.seal_credentials import seal_credentials
from app.channels.share_quota import open_quota
from app.embedded import Servers
from app.settings import Settings
from app.state import State

AMAZON = {"client_secret": "s", "refresh_token": "r"}
EBAY = {"client_id": "app", "client_secret": "s", "refresh_token": "r"}
SHOPIFY = {"access_token": "t", "webhook_secret": "w"}


@pytest.fixture
async def book(state: State, settings: Settings, servers: Servers) -> AsyncIterator[ChannelBook]:
    sealed = settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    client = open_quota_client(servers.redis_url)
    async with httpx.AsyncClient() as http:
        yield ChannelBook(http, sealed, partial(open_quota, client), Keeper(state.database, sealed))
    keys = [key async for key in client.scan_iter(f"{PREFIX}*")]
    assert not any(b"seller" in key or b"app" in key for key in keys), "what names an account stays out of Redis"
    await client.aclose()


def amazon(marketplace: str, seller: str, **config: str) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
    return "AMAZON", {"seller_id": seller, "marketplace_id": marketplace, "client_id": "app", **config}, AMAZON


def ebay(refresh_token: str, client_id: str = "app") -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
    return "EBAY", {}, {**EBAY, "client_id": client_id, "refresh_token": refresh_token}


def shopify(store: str) -> tuple[str, Mapping[str, Any], Mapping[str, str]]:
    return "SHOPIFY", {"base_url": store}, SHOPIFY


SELLER = f"seller-{uuid.uuid4()}"


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (amazon("A1PA6795UKMFR9", SELLER), amazon("A13V1IB3VIYZZH", SELLER), True),
        (amazon("A1PA6795UKMFR9", SELLER), amazon("A1PA6795UKMFR9", "another seller"), False),
        (amazon("A1PA6795UKMFR9", SELLER), amazon("ATVPDKIKX0DER", SELLER, base_url="https://na.test"), False),
        (ebay("seller one"), ebay("seller two"), True),
        (ebay("seller one"), ebay("seller one", client_id="another application"), False),
        (shopify("https://a.test"), shopify("https://a.test/"), True),
        (shopify("https://a.test"), shopify("https://b.test"), False),
    ],
)
async def test_channels_of_one_account_share_its_budgets(book: ChannelBook, one: Any, other: Any, shared: bool) -> None:
    quotas = []
    for number, (kind, config, secrets) in enumerate((one, other)):
        credentials = seal_credentials(book.settings, secrets)
        record = {"id": number, "code": f"c{number}", "kind": kind, "status": "LIVE", "credentials": credentials}
        quotas.append(book.open({**record, "config": orjson.dumps(config).decode()}).quota)
    assert quotas[0] is not None
    assert quotas[1] is not None
    await quotas[0].announce("write", rate=0.001, burst=1.0, available=0.0)
    if shared:
        with pytest.raises(Throttled):
            await quotas[1].take("write")
    else:
        await quotas[1].take("write")
