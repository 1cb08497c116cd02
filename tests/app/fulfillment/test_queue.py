"""The queue of a warehouse as a stream: what is there, what comes, what leaves, and going on from a cursor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.fulfillment.release_work import release_work
from domain.identity import Role
from tests.company import Client
from tests.floor import Floor
from tests.sockets import open_socket

QUEUE = """subscription($warehouse: String!, $after: String) { fulfillmentQueue(warehouse: $warehouse, after: $after) {
  cursor kind fulfillmentOrderId fulfillmentOrder { id status lines { sku } } } }"""


class Queue:
    """Read event by event."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket

    async def read(self) -> Any:
        message = await self._socket.read()
        assert message["type"] == "next", message
        return message["payload"]["data"]["fulfillmentQueue"]

    async def told(self) -> tuple[str, str | None, str | None]:
        event = await self.read()
        shown = event["fulfillmentOrder"]
        return event["kind"], event["fulfillmentOrderId"], None if shown is None else shown["status"]


@asynccontextmanager
async def watching(
    floor: Floor, warehouse: str = "NYC", after: str | None = None, client: Client | None = None
) -> AsyncIterator[Queue]:
    async with open_socket(floor.company.app, (client or floor.admin).secret) as socket:
        variables = {"warehouse": warehouse, "after": after}
        await socket.send(id="1", type="subscribe", payload={"query": QUEUE, "variables": variables})
        yield Queue(socket)


async def test_a_queue_tells_what_comes_and_what_leaves(floor: Floor) -> None:
    first = await floor.released({"SKU-0": 1}, "1", "market")
    async with watching(floor) as queue:
        assert await queue.told() == ("SNAPSHOT", first, "RELEASED")
        ready = await queue.read()
        assert ready["kind"] == "READY"
        second = await floor.work_of(await floor.order({"SKU-1": 1}, "market", "2"))
        await release_work(floor.state)
        assert await queue.told() == ("CHANGE", second, "RELEASED")
        await floor.do("Accept", first)
        assert await queue.told() == ("CHANGE", first, "ACCEPTED")
        await floor.ship(first)
        assert await queue.told() == ("GONE", first, "SHIPPED")
        await floor.do("Reject", second, reason="OTHER")
        events = [await queue.told()]
        while events[-1][2] != "REJECTED":
            events.append(await queue.told())
        assert {event[0] for event in events} == {"GONE"}
    async with watching(floor, after=ready["cursor"]) as queue:
        missed = [await queue.told()]
        while missed[-1][0] != "READY":
            missed.append(await queue.told())
        assert {event[1] for event in missed[:-1]} == {first, second}
        assert missed[-2][0] == "GONE"


async def test_who_moved_to_another_warehouse_is_gone(floor: Floor) -> None:
    work = await floor.released({"SKU-0": 1}, "1", "market")
    async with watching(floor) as queue, watching(floor, "BER") as other:
        assert (await queue.told())[0] == "SNAPSHOT"
        assert (await queue.told())[0] == (await other.told())[0] == "READY"
        await floor.do("Move", work, warehouse="BER")
        assert await queue.told() == ("GONE", work, "CANCELLED")
        await release_work(floor.state)
        moved = await other.told()
        assert (moved[0], moved[2]) == ("CHANGE", "RELEASED")
        ber = await floor.company.value("SELECT id FROM warehouses WHERE code = 'BER'")
        nyc = await floor.company.value("SELECT id FROM warehouses WHERE code = 'NYC'")
        await floor.do("Hold", moved[1] or "", reason="wait")
        assert (await other.told())[0] == "CHANGE"
        await floor.company.execute(
            "UPDATE fulfillment_orders SET warehouse_id = $2 WHERE warehouse_id = $1 AND status = 'RELEASED'", ber, nyc
        )
        floor.state.doorbell.ring("feed")
        assert await other.told() == ("GONE", moved[1], None)
        assert await queue.told() == ("CHANGE", moved[1], "RELEASED")
        await floor.company.execute(
            "UPDATE fulfillment_orders SET warehouse_id = $1 WHERE warehouse_id = $2 AND status = 'RELEASED'", ber, nyc
        )


async def test_a_queue_is_for_those_of_its_warehouse(floor: Floor) -> None:
    ids = {code: known.id for code, known in (await floor.state.lookup.warehouses()).items()}
    partner = await floor.company.client(Role.PARTNER, warehouse_ids=[ids["BER"]])
    async with open_socket(floor.company.app, partner.secret) as socket:
        refused = await socket.ask(QUEUE, {"warehouse": "NYC"})
    assert refused["type"] == "error"
    async with watching(floor, "BER", client=partner) as queue:
        assert (await queue.told())[0] == "READY"


async def test_a_token_of_some_channels_is_told_of_their_work(floor: Floor) -> None:
    """It hears nothing of the others' that comes, changes, moves or leaves, then or when it goes on."""
    ids = {row[0]: row[1] for row in await floor.state.database.hot.fetch("SELECT code, id FROM channels")}
    limited = await floor.company.client(Role.OPERATIONS, channel_ids=[ids["shop"]])
    lost = [{"sku": "SKU-0", "delta": -10}]
    await floor.admin.mutate("stockAdjust", "", warehouse="BER", reason="LOST", lines=lost)
    theirs = await floor.released({"SKU-0": 1}, "1", "market")
    ours = await floor.released({"SKU-0": 1}, "2", "shop")
    async with watching(floor, client=limited) as queue:
        assert await queue.told() == ("SNAPSHOT", ours, "RELEASED")
        ready = await queue.read()
        assert ready["kind"] == "READY"
        for work in (theirs, ours):
            await floor.do("Accept", work)
        assert await queue.told() == ("CHANGE", ours, "ACCEPTED")
        await floor.ship(theirs)
        await floor.ship(ours)
        assert await queue.told() == ("GONE", ours, "SHIPPED")
    async with watching(floor, after=ready["cursor"], client=limited) as queue:
        missed = [await queue.told()]
        while missed[-1][0] != "READY":
            missed.append(await queue.told())
        assert {event[1] for event in missed[:-1]} == {ours}
