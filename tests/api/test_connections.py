"""Clients that do not read, that may not go on, or that say nothing: each ends alone and delays nobody."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson
import pytest

from api import outlet, websocket
from api.frames import FramesProtocol
from api.permission import still_holds
from app.identity.tokens import hash_secret
from app.settings import Settings
from domain.identity import Principal, Role
from tests.company import Client, make_company, make_secret, running_app
from tests.serving import Serving, serving
from tests.sockets import open_socket
from tests.subscriber import Subscriber, cut_frame, encode_subscribe, make_frame, subscribe
from tests.within import until, within

WATCH = "subscription { stockChanged { cursor kind level { version } } }"
FLOOD = """
INSERT INTO feed (topic, key, sku_id, warehouse_id, payload)
SELECT f.topic, f.key, f.sku_id, f.warehouse_id, f.payload
FROM (SELECT * FROM feed ORDER BY xid DESC LIMIT 1) f, generate_series(1, $1)
"""
PING, CLOSE = 0x9, 0x8


@pytest.fixture(scope="module")
async def site(module_settings: Settings) -> AsyncIterator[Serving]:
    async with serving(module_settings) as found:
        async with httpx.AsyncClient(base_url=found.url) as http:
            await make_company(Client(http, await make_secret(found.state)), warehouses=("BER",), skus=1)
        yield found


async def change_token(site: Serving, secret: str, column: str, value: Any) -> None:
    """As an admin would; `now` for the present."""
    await site.state.database.hot.execute(
        f"UPDATE tokens SET {column} = {'now()' if value == 'now' else '$2'} WHERE secret_hash = $1",
        hash_secret(secret),
        *(() if value == "now" else (value,)),
    )
    site.state.doorbell.ring("tokens")


class Listener:
    """A client and the messages it got."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.socket: Subscriber

    @property
    def is_ready(self) -> bool:
        return any(b'"READY"' in message for message in self.messages)

    @property
    def ended(self) -> bool:
        return self.socket.closed.done()


@asynccontextmanager
async def listening(site: Serving, secret: str) -> AsyncIterator[Listener]:
    found = Listener()
    found.socket = await subscribe(site.graphql, secret, encode_subscribe(WATCH, {}), found.messages.append)
    try:
        await until(lambda: found.is_ready)
        yield found
    finally:
        found.socket.abort()


async def flood(site: Serving, rows: int) -> None:
    """So many changes at once that no buffer holds them; all of them handed out."""
    await site.state.database.hot.execute(FLOOD, rows)
    site.state.doorbell.ring("feed")
    last = await site.state.database.hot.fetchval("SELECT id FROM feed ORDER BY xid DESC, id DESC LIMIT 1")
    await until(lambda: site.state.hub.position.id >= last, 20)


async def fill(site: Serving) -> None:
    """Changes until some wait in this process: how much the kernel holds for a socket is its own affair."""
    sockets = len(site.sockets)
    for _ in range(20):
        await flood(site, 20_000)
        if buffered_bytes(site) > 50_000 or len(site.sockets) < sockets:
            return
    raise AssertionError("no buffer is ever full")


def buffered_bytes(site: Serving) -> int:
    """What waits in this process for all clients over WebSocket."""
    protocols = [one for one in site.server.server_state.connections if isinstance(one, FramesProtocol)]
    return sum(protocol.transport.get_write_buffer_size() for protocol in protocols)


async def test_a_client_that_never_reads_is_cut_off_and_delays_nobody(
    site: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outlet, "STALL_SECONDS_MAX", 5.0)
    secret = await make_secret(site.state)
    async with listening(site, secret) as stuck, listening(site, secret) as quick:
        stuck.socket.pause()
        await fill(site)
        before = len(quick.messages)
        await flood(site, 1)
        await until(lambda: len(quick.messages) > before, 5)
        assert buffered_bytes(site) < 300_000
        assert len(site.sockets) == 2
        await until(lambda: len(site.sockets) == 1, 15)
        before = len(quick.messages)
        await flood(site, 1)
        await until(lambda: len(quick.messages) > before, 5)
    assert len(stuck.messages) < len(quick.messages)


async def test_pings_of_a_client_that_never_reads_pile_up_nothing(site: Serving) -> None:
    async with listening(site, await make_secret(site.state)) as stuck:
        stuck.socket.pause()
        await fill(site)
        assert stuck.socket.transport is not None
        for _ in range(20):
            stuck.socket.transport.write(make_frame(PING, b"x" * 100) * 1_000)
            await asyncio.sleep(0.01)
        await until(lambda: stuck.socket.transport.get_write_buffer_size() == 0)  # type: ignore[union-attr]
        assert buffered_bytes(site) < 300_000


async def test_a_revoked_client_that_never_reads_is_cut_off_and_delays_no_other_end(
    site: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "FAREWELL_SECONDS_MAX", 1.0)
    secrets = [await make_secret(site.state), await make_secret(site.state)]
    async with listening(site, secrets[0]) as stuck, listening(site, secrets[1]) as quick:
        stuck.socket.pause()
        await fill(site)
        for secret in secrets:
            await change_token(site, secret, "revoked_at", "now")
        await until(lambda: quick.ended, 5)
        last = orjson.loads(quick.messages[-1])
        assert (last["type"], last["payload"][0]["extensions"]["code"]) == ("error", "UNAUTHENTICATED")
        await until(lambda: not site.sockets, 5)


LIMITS = [
    ("roles", ["FINANCE"]),
    ("scopes", ["stock:read"]),
    ("warehouse_ids", []),
    ("channel_ids", [1]),
]


@pytest.mark.parametrize(("column", "value"), LIMITS)
async def test_a_stream_over_websocket_ends_when_its_token_shows_less(site: Serving, column: str, value: Any) -> None:
    secret = await make_secret(site.state)
    async with listening(site, secret) as client:
        await change_token(site, secret, column, value)
        await until(lambda: client.ended, 5)
        assert b"UNAUTHENTICATED" in client.messages[-1]


@pytest.mark.parametrize(("column", "value"), [*LIMITS, ("revoked_at", "now")])
async def test_a_stream_of_events_ends_when_its_token_shows_less(site: Serving, column: str, value: Any) -> None:
    secret = await make_secret(site.state)
    headers = {"authorization": f"Bearer {secret}", "accept": "text/event-stream"}
    lines: list[str] = []
    async with (
        asyncio.timeout(10),
        httpx.AsyncClient(base_url=site.url) as http,
        http.stream("POST", "/graphql", json={"query": WATCH}, headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            lines.append(line)
            if '"READY"' in line:
                await change_token(site, secret, column, value)
    assert "UNAUTHENTICATED" in next(line for line in reversed(lines) if line.startswith("data: "))
    assert "event: complete" in lines


async def test_a_token_that_cannot_be_checked_ends_nothing() -> None:
    class Down:
        async def authenticate(self, _: str) -> None:
            raise ConnectionError("the database restarts")

    down: Any = Down()
    assert await still_holds(down, "Bearer x", Principal("1", "one", frozenset({Role.ADMIN})))


async def test_a_client_that_says_nothing_is_closed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "INIT_SECONDS_MAX", 3.0)
    async with running_app(settings) as (app, _):
        async with open_socket(app, None) as silent:
            assert (await silent.read())["code"] == 4408
        async with open_socket(app, await make_secret(app._rest.state.onhand)) as client:
            await asyncio.sleep(3.2)
            await client.send(type="ping")
            assert await client.read() == {"type": "pong"}


async def test_streams_work_on_any_server(settings: Settings) -> None:
    """Without our own protocol below, by ASGI's `send`."""
    async with running_app(settings) as (app, http):
        client = Client(http, await make_secret(app._rest.state.onhand))
        await make_company(client, warehouses=("BER",), skus=1)
        async with open_socket(app, client.secret) as socket:
            assert (await socket.ask(WATCH))["payload"]["data"]["stockChanged"]["kind"] == "SNAPSHOT"
            assert (await socket.read())["payload"]["data"]["stockChanged"]["kind"] == "READY"
            for version in (2, 3, 4):
                line = {"sku": "SKU-0", "quantity": 1, "warehouse": "BER"}
                await client.mutate("reservationCreate", "reservation { id }", lines=[line])
                assert (await socket.read())["payload"]["data"]["stockChanged"]["level"]["version"] == version


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 200_000])
async def test_frames_are_whole_whatever_their_size(size: int) -> None:
    written: list[bytes] = []

    class Transport:
        def is_closing(self) -> bool:
            return False

        def write(self, data: bytes) -> None:
            written.append(data)

    protocol: Any = object.__new__(FramesProtocol)
    protocol.transport, protocol.writable = Transport(), asyncio.Event()
    protocol.disconnected = protocol.close_sent = False
    assert not protocol.write_text(b"x" * size)
    protocol.writable.set()
    assert protocol.write_text(b"x" * size)
    assert cut_frame(written[0], 0) == (0x1, b"x" * size, len(written[0]))
    protocol.close_sent = True
    assert not protocol.write_text(b"too late")
    assert len(written) == 2


async def test_a_client_that_says_goodbye_leaves_nothing(site: Serving) -> None:
    async with listening(site, await make_secret(site.state)) as client:
        assert client.socket.transport is not None
        client.socket.transport.write(make_frame(CLOSE, struct.pack("!H", 1000)))
        await within(5, client.socket.closed)
        await until(lambda: not site.sockets)
