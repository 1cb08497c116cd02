"""Tokens that end: renewed once, by whoever comes first, kept before they are used, and never shown."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from adapters.channels.base import WriteOutcome
from adapters.channels.shopify.access_token import AccessToken
from adapters.channels.shopify.channel import open_shopify
from domain.errors import CauseClass, Fault
from tests.adapters.shopify.conftest import EXPIRING, REFRESH_TOKEN, TOKEN, Ledger, Setup, Vault, open_setup


@pytest.fixture
async def expiring() -> AsyncIterator[Setup]:
    async with open_setup(**EXPIRING) as opened:
        yield opened


async def test_a_token_that_ends_in_a_batch_is_renewed_once_and_the_call_repeated(expiring: Setup) -> None:
    await expiring.strike("token_expired")
    writes = [expiring.write("TEA-1", 7, 10), expiring.write("CUP-1", 1, 3)]
    results = await expiring.channel.set_quantities(writes)
    assert [result.outcome for result in results] == [WriteOutcome.OK] * 2
    assert expiring.vault.renewals == 1
    assert expiring.vault.kept["refresh_token"] != REFRESH_TOKEN
    assert float(expiring.vault.kept["access_token_expires_at"]) == pytest.approx(time.time() + 3600, abs=60)
    assert float(expiring.vault.kept["refresh_token_expires_at"]) > time.time() + 80 * 86_400
    assert expiring.quota.taken == [10], "a repeated call is not paid twice"


async def test_many_callers_renew_once(expiring: Setup) -> None:
    await expiring.strike("token_expired")
    seen = await asyncio.gather(*(expiring.channel.observe([expiring.ref("TEA-1")]) for _ in range(8)))
    assert {one.quantity for [one] in seen} == {10}
    assert expiring.vault.renewals == 1


async def test_two_processes_renew_once_and_a_third_starts_with_what_was_kept(expiring: Setup) -> None:
    another = expiring.open_another()
    await expiring.strike("token_expired")
    await asyncio.gather(*(channel.observe([expiring.ref("TEA-1")]) for channel in (expiring.channel, another)))
    assert expiring.vault.renewals == 1
    await expiring.open_another().observe([expiring.ref("TEA-1")])
    assert expiring.vault.renewals == 1


async def test_a_lost_reply_to_a_renewal_locks_nobody_out(expiring: Setup) -> None:
    await expiring.set_faults(token_expired={"times": 1}, lost_token={"times": 1})
    with pytest.raises(Fault) as caught:
        await expiring.channel.observe([expiring.ref("TEA-1")])
    assert (caught.value.transient, caught.value.cause) == (True, CauseClass.OUTAGE)
    assert [one.quantity for one in await expiring.channel.observe([expiring.ref("TEA-1")])] == [10]
    assert expiring.vault.renewals == 1


async def test_a_pair_that_cannot_be_kept_is_not_used(expiring: Setup) -> None:
    expiring.vault.broken = Fault("The database is away.", transient=True)
    await expiring.strike("token_expired")
    with pytest.raises(Fault, match="database"):
        await expiring.channel.observe([expiring.ref("TEA-1")])
    assert expiring.vault.kept["refresh_token"] == REFRESH_TOKEN
    assert [one.quantity for one in await expiring.channel.observe([expiring.ref("TEA-1")])] == [10]


async def test_a_refresh_token_is_retired_once_its_successor_was_used(expiring: Setup) -> None:
    for _ in range(2):
        await expiring.strike("token_expired")
        await expiring.channel.observe([expiring.ref("TEA-1")])
    assert expiring.vault.renewals == 2
    stale = Vault({"access_token": TOKEN, **EXPIRING})
    old = open_shopify(expiring.http, expiring.quota, expiring.config, stale.kept, stale)
    with pytest.raises(Fault, match="invalid_grant") as caught:
        await old.observe([expiring.ref("TEA-1")])
    assert (caught.value.transient, caught.value.cause) == (False, CauseClass.AUTH)


async def test_a_token_is_renewed_early_and_an_outage_meanwhile_is_no_harm(expiring: Setup) -> None:
    secrets = {**expiring.vault.kept, "access_token_expires_at": f"{time.time() + 60:.0f}"}
    expiring.vault.kept = secrets
    channel = open_shopify(expiring.http, expiring.quota, expiring.config, secrets, expiring.vault)
    expiring.vault.broken = Fault("away", transient=True)
    with pytest.raises(Fault):  # the pair was given, so the token before it is no good any more
        await expiring.channel.client.token.renew(TOKEN)
    await expiring.client.post("/faults", json={"lost_token": {"times": 1}})
    token = AccessToken(expiring.http, "http://127.0.0.1:9", secrets, expiring.vault)
    assert await token.read() == TOKEN, "nobody is there to renew it, and it still has a minute"
    assert await token.read() == TOKEN
    await expiring.set_faults()
    assert [one.quantity for one in await channel.observe([expiring.ref("TEA-1")])] == [10]
    assert expiring.vault.renewals == 1


async def test_an_ended_token_that_cannot_be_renewed_says_so() -> None:
    async with open_setup(**EXPIRING) as opened:
        await opened.strike("token_expired")
        bare = open_shopify(opened.http, opened.quota, opened.config, opened.vault.kept)
        with pytest.raises(Fault, match="connect the channel again") as caught:
            await bare.observe([opened.ref("TEA-1")])
        assert (caught.value.transient, caught.value.cause) == (False, CauseClass.AUTH)


async def test_after_uninstalling_nothing_opens_the_store(expiring: Setup) -> None:
    await expiring.client.post("/uninstall")
    with pytest.raises(Fault, match="invalid_grant") as caught:
        await expiring.channel.observe([expiring.ref("TEA-1")])
    assert caught.value.cause is CauseClass.AUTH


def answering(status: int, **content: Any) -> AccessToken:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, **content))
    secrets = {"access_token": "a", "refresh_token": "r", "client_id": "i", "client_secret": "s"}
    return AccessToken(httpx.AsyncClient(transport=transport), "http://shop", secrets, Vault(secrets))


@pytest.mark.parametrize(
    ("status", "content", "transient"),
    [
        (503, {}, True),
        (429, {}, True),
        (200, {"text": "<html>"}, True),
        (200, {"json": {"access_token": "b"}}, True),
        (401, {"json": {"error": "invalid_client"}}, False),
        (400, {"text": "Oauth error"}, False),
    ],
)
async def test_renewals_that_fail(status: int, content: Any, transient: bool) -> None:
    with pytest.raises(Fault) as caught:
        await answering(status, **content).renew("a")
    assert caught.value.transient is transient


async def test_a_pair_without_an_end_is_used_until_it_is_refused() -> None:
    token = answering(200, json={"access_token": "b", "refresh_token": "q"})
    assert await token.renew("a") == "b"
    assert await token.read() == "b"


def test_secrets_are_not_shown() -> None:
    secrets = {"access_token": "shpat_secret", "webhook_secret": "hush", **EXPIRING}
    shown = repr(open_shopify(httpx.AsyncClient(), Ledger(), {"base_url": "http://shop"}, secrets))
    assert not [value for value in ("shpat_secret", "hush", REFRESH_TOKEN) if value in shown]
