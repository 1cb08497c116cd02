"""`stockChanged` over real sockets, against two API processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psutil
import pytest
import websockets

from tests.company import Client, make_company
from tests.instance import Running, running_instance
from tests.within import within

CHANGES = """
subscription($after: String, $w: [String!]) {
  stockChanged(after: $after, filter: {warehouses: $w}) {
    cursor kind cursorExpired level { version available sku { code } warehouse { code } }
  }
}
"""


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_instance(tmp_path_factory.mktemp("live") / "data", api_processes=2) as running:
        yield running


@pytest.fixture
async def client(instance: Running) -> AsyncIterator[Client]:
    async with httpx.AsyncClient(base_url=instance.info["url"], timeout=20) as http:
        found = Client(http, instance.token)
        if not (await found.data("{ warehouses { code } }"))["warehouses"]:
            await make_company(found, skus=2)
        yield found


class Subscriber:
    """One subscription on a connection of its own."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def read(self) -> dict[str, Any]:
        message = json.loads(await within(10, self._socket.recv()))
        assert message["type"] == "next", message
        found: dict[str, Any] = message["payload"]["data"]["stockChanged"]
        return found

    async def read_until_ready(self) -> list[dict[str, Any]]:
        events = [await self.read()]
        while events[-1]["kind"] != "READY":
            events.append(await self.read())
        return events


@asynccontextmanager
async def connected(instance: Running, secret: str) -> AsyncIterator[Any]:
    url = instance.graphql.replace("http", "ws", 1)
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as socket:
        payload = {"authorization": f"Bearer {secret}"}
        await socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert json.loads(await socket.recv()) == {"type": "connection_ack"}
        yield socket


@asynccontextmanager
async def subscribed(
    instance: Running, *, secret: str | None = None, after: str | None = None, warehouses: list[str] | None = None
) -> AsyncIterator[Subscriber]:
    async with connected(instance, secret or instance.token) as socket:
        body = {"query": CHANGES, "variables": {"after": after, "w": warehouses}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": body}))
        yield Subscriber(socket)


async def reserve(client: Client, warehouse: str = "BER") -> None:
    line = {"sku": "SKU-0", "quantity": 1, "warehouse": warehouse}
    assert (await client.mutate("reservationCreate", "reservation { id }", lines=[line]))["userErrors"] == []


async def test_snapshot_then_ready_then_changes(instance: Running, client: Client) -> None:
    async with subscribed(instance) as subscriber:
        start = await subscriber.read_until_ready()
        assert [event["kind"] for event in start] == ["SNAPSHOT"] * 4 + ["READY"]
        (before,) = [
            e["level"]
            for e in start[:-1]
            if (e["level"]["sku"]["code"], e["level"]["warehouse"]["code"]) == ("SKU-0", "BER")
        ]
        await reserve(client)
        change = await subscriber.read()
        assert change["kind"] == "CHANGE"
        assert change["level"]["available"] == before["available"] - 1
        assert change["level"]["version"] == before["version"] + 1


async def test_resuming_anywhere_gives_what_was_missed_once(instance: Running, client: Client) -> None:
    async with subscribed(instance, warehouses=["NYC"]) as subscriber:
        cursors = [(await subscriber.read_until_ready())[-1]["cursor"]]
        versions = []
        for _ in range(6):
            await reserve(client, "NYC")
            event = await subscriber.read()
            cursors.append(event["cursor"])
            versions.append(event["level"]["version"])
    for number, cursor in enumerate(cursors):
        async with subscribed(instance, warehouses=["NYC"], after=cursor) as subscriber:
            events = await subscriber.read_until_ready()
            assert [event["level"]["version"] for event in events[:-1]] == versions[number:]
            assert not any(event["cursorExpired"] for event in events)


async def test_changes_while_joining_come_each_once_and_in_order(instance: Running, client: Client) -> None:
    async def write() -> None:
        for _ in range(30):
            await reserve(client)

    async def join() -> None:
        async with subscribed(instance, warehouses=["BER"]) as subscriber:
            start = await subscriber.read_until_ready()
            seen = max(e["level"]["version"] for e in start[:-1] if e["level"]["sku"]["code"] == "SKU-0")
            while seen < last:
                event = await subscriber.read()
                assert event["level"]["version"] == seen + 1
                seen = event["level"]["version"]

    nodes = (
        await client.data('{ stockLevels(filter: {skus: ["SKU-0"], warehouses: ["BER"]}) { nodes { version } } }')
    )["stockLevels"]["nodes"]
    last = nodes[0]["version"] + 30
    await asyncio.gather(write(), *(join() for _ in range(8)))


@pytest.mark.parametrize("part", ["SNAPSHOT", "the future"])
async def test_a_cursor_that_cannot_be_resumed_gives_a_fresh_snapshot(instance: Running, part: str) -> None:
    async with subscribed(instance, warehouses=["NYC"]) as subscriber:
        after = "9999999999.1" if part == "the future" else (await subscriber.read())["cursor"]
    async with subscribed(instance, warehouses=["NYC"], after=after) as subscriber:
        events = await subscriber.read_until_ready()
        assert [event["kind"] for event in events] == ["SNAPSHOT", "SNAPSHOT", "READY"]
        assert all(event["cursorExpired"] for event in events)
        assert "." in events[-1]["cursor"]


async def test_a_limited_token_sees_its_warehouse_only(instance: Running, client: Client) -> None:
    made = await client.mutate("tokenCreate", "secret", name="partner", roles=["PARTNER"], warehouses=["NYC"])
    async with subscribed(instance, secret=made["secret"]) as subscriber:
        start = await subscriber.read_until_ready()
        assert {event["level"]["warehouse"]["code"] for event in start[:-1]} == {"NYC"}
        await reserve(client, "BER")
        await reserve(client, "NYC")
        assert (await subscriber.read())["level"]["warehouse"]["code"] == "NYC"


async def test_a_revoked_token_ends_its_stream(instance: Running, client: Client) -> None:
    made = await client.mutate("tokenCreate", "secret token { id }", name="soon gone", roles=["VIEWER"])
    async with connected(instance, made["secret"]) as socket:
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": CHANGES, "variables": {}}}))
        await Subscriber(socket).read_until_ready()
        await client.mutate("tokenRevoke", "token { id }", id=made["token"]["id"])
        revoked_at = time.monotonic()
        message = json.loads(await within(5, socket.recv()))
        assert message["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        with pytest.raises(websockets.ConnectionClosed):
            await socket.recv()
        assert time.monotonic() - revoked_at < 5


async def test_nobody_connects_without_a_token(instance: Running) -> None:
    url = instance.graphql.replace("http", "ws", 1)
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        with pytest.raises(websockets.ConnectionClosed) as closed:
            await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403


async def test_a_wrong_cursor_is_told(instance: Running) -> None:
    async with connected(instance, instance.token) as socket:
        body = {"query": CHANGES, "variables": {"after": "yesterday"}}
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": body}))
        message = json.loads(await socket.recv())
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"


@pytest.mark.parametrize("hidden", ["{below}", "...F"])
async def test_what_each_event_would_have_to_look_up_is_refused_at_once(instance: Running, hidden: str) -> None:
    """One execution serves all members, so nothing in it may wait; and a stream that never begins says why."""
    below = "level { sku { stock { available } } }"
    query = f"subscription {{ stockChanged {{ {hidden.format(below=below)} }} }}"
    if hidden == "...F":
        query += f" fragment F on StockChange {{ {below} }}"
    async with connected(instance, instance.token) as socket:
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
        message = json.loads(await within(5, socket.recv()))
        assert message["type"] == "error"
        assert message["payload"][0]["extensions"]["code"] == "BAD_USER_INPUT"
        assert "'stock'" in message["payload"][0]["message"]


async def test_server_sent_events(instance: Running, client: Client) -> None:
    headers = {"authorization": f"Bearer {instance.token}", "accept": "text/event-stream"}
    body = {"query": CHANGES, "variables": {"w": ["BER"]}}
    async with client.http.stream("POST", "/graphql", json=body, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        kinds = []
        async for line in answer.aiter_lines():
            if line.startswith("data:"):
                kinds.append(json.loads(line[5:])["data"]["stockChanged"]["kind"])
                if kinds[-1] == "READY":
                    await reserve(client)
                if kinds[-1] == "CHANGE":
                    break
        assert kinds == ["SNAPSHOT", "SNAPSHOT", "READY", "CHANGE"]


async def test_valkey_killed_among_changes(instance: Running, client: Client) -> None:
    """Rings are lost, changes are not: every subscriber of both processes ends at the last version."""
    (valkey,) = [p for p in psutil.Process(instance.process.pid).children(recursive=True) if "valkey" in p.name()]

    async def follow(last: int) -> None:
        async with subscribed(instance, warehouses=["BER"]) as subscriber:
            await subscriber.read_until_ready()
            started.release()
            while (await subscriber.read())["level"]["version"] < last:
                pass

    nodes = (
        await client.data('{ stockLevels(filter: {skus: ["SKU-0"], warehouses: ["BER"]}) { nodes { version } } }')
    )["stockLevels"]["nodes"]
    started = asyncio.Semaphore(0)
    followers = [asyncio.create_task(follow(nodes[0]["version"] + 20)) for _ in range(6)]
    for _ in followers:
        await started.acquire()
    for number in range(20):
        if number == 5:
            os.kill(valkey.pid, signal.SIGKILL)
        await reserve(client)
    await asyncio.gather(*followers)


async def test_every_process_shows_its_own_metrics(instance: Running, client: Client) -> None:
    await client.data("{ __typename }")
    assert instance.info["metrics"].keys() == {"api-1", "api-2", "worker"}
    async with httpx.AsyncClient() as http:
        pages = {name: (await http.get(url)).text for name, url in instance.info["metrics"].items()}
    assert all("onhand_feed_lag_seconds_count" in page for page in pages.values())
    assert len(set(instance.info["metrics"].values())) == 3
    assert "onhand_requests_total{" in pages["api-1"] + pages["api-2"]
    assert "onhand_requests_total{" not in pages["worker"]
