"""The store as its own process on a real port: cut connections, kills and restarts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from adapters.sandbox.keep_file import lock_file
from adapters.sandbox.shopify.state import TOPICS
from tests.adapters.sandbox.conftest import SECRET, TOKEN, Listener, Store, open_store
from tests.adapters.sandbox.test_set_quantities import entry, write
from tests.within import within

ROOT = Path(__file__).parents[3]
PRODUCTS = [{"sku": "TEA-1", "title": "Green tea", "price": "4.50", "quantity": 10}]


@contextlib.asynccontextmanager
async def run_store(folder: Path, *more: str) -> AsyncIterator[tuple[Store, asyncio.subprocess.Process]]:
    products = folder / "products.json"
    products.write_text(json.dumps(PRODUCTS))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "adapters.sandbox.shopify", "--port", str(port), "--token", TOKEN,
        "--secret", SECRET, "--products", str(products), "--state", str(folder / "store.json"), *more,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'graphql'}"},
        stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    headers = {"X-Shopify-Access-Token": TOKEN}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers) as client:
        try:
            await wait_until_up(client)
            yield Store(client), process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            await within(10, process.wait())


async def wait_until_up(client: httpx.AsyncClient) -> None:
    for _ in range(200):
        with contextlib.suppress(httpx.TransportError):
            if (await client.get("/healthz")).is_success:
                return
        await asyncio.sleep(0.05)
    pytest.fail("the store did not come up")


async def test_lost_reply_cuts_the_connection_after_the_commit(tmp_path: Path) -> None:
    async with run_store(tmp_path) as (store, _):
        line = await entry(store, "TEA-1", 4, 10)
        await store.client.post("/faults", json={"lost_reply": {"times": 1}})
        with pytest.raises(httpx.RemoteProtocolError):
            await write(store, [line])
        assert (await store.state())["quantities"]["TEA-1"] == 4


async def test_kill_keeps_the_numbers_and_never_reuses_an_order_id(tmp_path: Path) -> None:
    async with run_store(tmp_path) as (store, process):
        first = (await store.buy("TEA-1", 3)).json()
        await asyncio.sleep(0.6)  # longer than the pause between two saves
        process.kill()
        await process.wait()
    async with run_store(tmp_path) as (store, _):
        assert (await store.state())["quantities"]["TEA-1"] == 7
        second = (await store.buy("TEA-1", 1)).json()
    assert second["order_number"] > first["order_number"] + 1000
    async with run_store(tmp_path) as (store, _):
        third = (await store.buy("TEA-1", 1)).json()
    assert third["order_number"] == second["order_number"] + 1


async def test_unanswered_webhook_is_sent_after_the_restart_with_its_id(tmp_path: Path, listener: Listener) -> None:
    path = tmp_path / "store.json"
    listener.statuses = [500, 500]
    async with open_store(webhook_url=listener.url, state_path=path, webhook_retry_seconds=(60.0,)) as store:
        await store.buy("TEA-1", 1)
        await listener.wait("orders/create", 1)
        await listener.wait("inventory_levels/update", 1)
        await asyncio.sleep(0.05)
    async with open_store(webhook_url=listener.url, state_path=path):
        twice = await listener.wait("orders/create", 2)
    assert twice[0][0]["x-shopify-webhook-id"] == twice[1][0]["x-shopify-webhook-id"]
    assert twice[0][1] == twice[1][1]


async def test_a_start_with_another_address_sends_there_what_was_pending(tmp_path: Path, listener: Listener) -> None:
    path = tmp_path / "store.json"
    async with open_store(webhook_url="http://127.0.0.1:1/", state_path=path, webhook_retry_seconds=(60.0,)) as store:
        await store.buy("TEA-1", 1)
        await asyncio.sleep(0.05)
    async with open_store(webhook_url=listener.url, state_path=path) as store:
        assert len(await listener.wait("orders/create", 1)) == 1
        assert {known["uri"] for known in (await store.state())["subscriptions"]} == {listener.url}
        assert len((await store.state())["subscriptions"]) == len(TOPICS)


async def test_credentials_come_from_a_file_and_a_state_file_belongs_to_one_store(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials.json"
    credentials.write_text(json.dumps({"token": "from the file", "secret": "hush", "port": 1}))
    async with run_store(tmp_path, "--credentials", str(credentials)) as (store, _):
        products = await store.client.post("/admin-sandbox/products", json=[])
        assert products.status_code == 401
        given = {"X-Shopify-Access-Token": "from the file"}
        assert (await store.client.post("/admin-sandbox/products", json=[], headers=given)).status_code == 201
        with pytest.raises(OSError, match="another sandbox"), lock_file(tmp_path / "store.json", 0.2):
            pass
    with lock_file(tmp_path / "store.json", 0.2):
        pass


async def test_subscription_is_removed_when_the_last_retry_fails(listener: Listener) -> None:
    listener.statuses = [500] * 4
    async with open_store(webhook_url=listener.url, webhook_retry_seconds=(0.01,)) as store:
        await store.buy("TEA-1", 1)
        for _ in range(250):
            if not (await store.state())["subscriptions"]:
                break
            await asyncio.sleep(0.02)
        await store.buy("TEA-1", 1)
        assert (await store.state())["webhooks"] == {"pending": 0, "delivered": 0, "dropped": 2}


def test_foreign_state_file_is_one_sentence_and_no_traceback(tmp_path: Path) -> None:
    from adapters.sandbox.shopify.__main__ import main

    path = tmp_path / "store.json"
    path.write_text('{"hello": 1}')
    assert main(["--state", str(path)]) == 2
    assert path.read_text() == '{"hello": 1}'
