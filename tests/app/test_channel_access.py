"""Credentials that do not open and queues that let nobody in: cases that say so, and nothing lost meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
from cryptography.fernet import Fernet

from adapters.channels.amazon.receive_messages import QueueMessage
from adapters.channels.base import InboundEvent
from adapters.channels.memory import MemoryChannel
from app.channels.health import FAILURES_OPEN
from app.channels.open_channel import OpenChannel
from app.channels.process_events import ATTEMPTS_MAX, process_events
from app.channels.receive_messages import receive_messages
from app.channels.run_channels import list_channels
from app.channels.seal_credentials import open_credentials, seal_credentials
from app.settings import Settings
from domain.errors import CauseClass, Fault
from tests.api.test_exceptions import act
from tests.channel_company import ChannelCompany, open_channel_company

_CASES = "SELECT kind, state, cause, count, detail, proof::text AS proof FROM exception_cases ORDER BY id"
AWAY = Fault("no answer", transient=True, cause=CauseClass.OUTAGE)
DENIED = Fault("AWS answered 403", transient=False, cause=CauseClass.AUTH)


@pytest.fixture
async def company(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChannelCompany]:
    async with open_channel_company(settings, monkeypatch) as company:
        yield company


async def cases(company: ChannelCompany) -> list[Any]:
    return list(await company.state.database.hot.fetch(_CASES))


async def test_credentials_that_do_not_open_are_a_case_until_they_do(company: ChannelCompany) -> None:
    stranger = company.state.settings.model_copy(update={"secret_key": Fernet.generate_key().decode()})
    right = await company.value("SELECT credentials FROM channels WHERE code = 'shop'")
    wrong = seal_credentials(stranger, {"access_token": "t"})
    give = "UPDATE channels SET credentials = $1 WHERE code = 'shop'"
    headers = {"id": "e-1", "topic": "orders/create"}
    assert (await company.http.post("/webhooks/shopify/shop", content=b"{}", headers=headers)).status_code == 200
    await company.execute(give, wrong)
    for _ in range(3):
        assert [channel.code for channel in await list_channels(company.state)] == ["market"]
    (case,) = await cases(company)
    assert (case["kind"], case["state"], case["cause"], case["count"]) == ("CHANNEL_DOWN", "OPEN", "AUTH", 1)
    assert "add it to ONHAND_SECRET_KEY" in case["detail"]
    again = await company.http.post("/webhooks/shopify/shop", content=b"{}", headers={**headers, "id": "e-2"})
    assert again.status_code == 503, "the vendor sends it again"
    for _ in range(ATTEMPTS_MAX + 1):
        await company.execute("UPDATE inbound_events SET next_attempt_at = NULL")
        assert await process_events(company.state) == 1
    assert await company.value("SELECT processed_at IS NULL AND attempts = 0 FROM inbound_events"), "it waits"
    query = '{ channel(code: "shop") { quota { operation } health { state circuits { scope lastCause } } } }'
    found = (await company.admin.data(query))["channel"]
    assert found == {
        "quota": None,
        "health": {"state": "FAILING", "circuits": [{"scope": "OPEN", "lastCause": "AUTH"}]},
    }
    await company.execute(give, right)
    assert len(await list_channels(company.state)) == 2
    (case,) = await cases(company)
    assert (case["state"], orjson.loads(case["proof"])) == ("RESOLVED", {"credentials": "opened"})


def test_without_a_key_credentials_do_not_open(settings: Settings) -> None:
    sealed = seal_credentials(settings.model_copy(update={"secret_key": Fernet.generate_key().decode()}), {"a": "b"})
    with pytest.raises(Fault, match="Set ONHAND_SECRET_KEY") as caught:
        open_credentials(settings.model_copy(update={"secret_key": None}), sealed)
    assert caught.value.cause is CauseClass.AUTH


@dataclass
class Queue:
    """Gives its messages, or raises."""

    fault: Fault | None = None
    messages: list[QueueMessage] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)

    async def receive(self, messages_max: int = 10, wait_seconds: int = 0) -> Sequence[QueueMessage]:
        if self.fault is not None:
            raise self.fault
        return self.messages

    async def delete(self, receipt: str) -> None:
        self.deleted.append(receipt)


@pytest.fixture
async def queued(company: ChannelCompany, monkeypatch: pytest.MonkeyPatch) -> tuple[OpenChannel, Queue]:
    async def verify(_self: Any, headers: Any, body: bytes) -> InboundEvent:
        return InboundEvent(body.decode(), "ORDER_CHANGE")

    monkeypatch.setattr(MemoryChannel, "verify_event", verify)
    monkeypatch.setattr(MemoryChannel, "seal_event", lambda _self, _body: {}, raising=False)
    queue = Queue()
    return replace(await company.channel("shop"), queue=queue), queue


@pytest.mark.parametrize(("fault", "calls"), [(DENIED, 1), (AWAY, FAILURES_OPEN)])
async def test_a_queue_that_cannot_be_read_is_a_case_until_it_can(
    company: ChannelCompany, queued: tuple[OpenChannel, Queue], fault: Fault, calls: int
) -> None:
    channel, queue = queued
    queue.fault = fault
    for call in range(calls):
        assert await cases(company) == []
        assert (await receive_messages(company.state, channel))[1] > 0, call
    (case,) = await cases(company)
    assert (case["kind"], case["state"], case["cause"]) == ("NOT_SUBSCRIBED", "OPEN", fault.cause)
    assert "channelUpdate" in case["detail"]
    queue.fault, queue.messages = None, [QueueMessage("r", b"n-1")]
    (found,) = (await company.admin.data("{ exceptionCases { nodes { id } } }"))["exceptionCases"]["nodes"]
    await act(company, "exceptionRetry", found["id"])
    assert await receive_messages(company.state, channel) == (1, 0.0), "at once, whatever its circuit said"
    (case,) = await cases(company)
    assert (case["state"], orjson.loads(case["proof"])) == ("RESOLVED", {"queue": "read", "messages": 1})
    assert queue.deleted == ["r"]
    assert await company.value("SELECT count(*) FROM inbound_events") == 1


async def test_a_queue_is_no_part_of_the_connection(company: ChannelCompany, queued: tuple[OpenChannel, Queue]) -> None:
    channel, queue = queued
    queue.fault = DENIED
    await receive_messages(company.state, channel)
    await company.settle("shop")
    assert [case["kind"] for case in await cases(company)] == ["NOT_SUBSCRIBED"]
    assert [case["state"] for case in await cases(company)] == ["OPEN"]
