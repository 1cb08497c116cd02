"""What is cancelled here is told to the order's channel, until its own word of the order shows it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from adapters.channels.base import WriteOutcome, WriteResult
from adapters.channels.memory import MemoryChannel
from adapters.channels.refuse_call import NotOffered
from api.ids import encode_id
from app.orders.tell_cancellations import tell_cancellations
from domain.cancellations import Cancellation, CancelledLine
from domain.errors import CauseClass, Fault
from tests.app.orders.world import advance, available, cases, events_of, order_row, say, take
from tests.channel_company import ChannelCompany

NOTICE = "query($id: ID!) { order(id: $id) { cancellation { state attempts error toldAt acknowledgedAt } } }"
OUTAGE = Fault("no answer", transient=True, cause=CauseClass.OUTAGE)
BY_HAND = WriteResult(WriteOutcome.REFUSED, "do it there", CauseClass.POLICY)


async def cancel(company: ChannelCompany, name: str = "o-1", **units: int) -> None:
    key = encode_id("Order", str((await order_row(company, name))["id"]))
    lines = [{"line": f"line-{sku.replace('_', '-')}", "quantity": count} for sku, count in units.items()]
    made = await company.admin.mutate("orderCancel", "order { status }", id=key, **({"lines": lines} if lines else {}))
    assert made["userErrors"] == []


async def notice(company: ChannelCompany) -> dict[str, Any] | None:
    key = encode_id("Order", str((await order_row(company))["id"]))
    found: dict[str, Any] | None = (await company.admin.data(NOTICE, id=key))["order"]["cancellation"]
    return found


async def state_of(company: ChannelCompany) -> str:
    found = await notice(company)
    assert found is not None
    return str(found["state"])


async def due(company: ChannelCompany) -> None:
    await company.execute("UPDATE cancel_notices SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL")


def shop(company: ChannelCompany) -> MemoryChannel:
    return company.shops["shop"]


async def test_the_channel_hears_once_and_its_own_word_is_the_proof(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 3}))
    assert await notice(company) is None
    await cancel(company, SKU_0=2)
    assert await tell_cancellations(company.state) == 1
    assert await tell_cancellations(company.state) == 0
    (told,) = shop(company).cancellations
    assert told.lines == (CancelledLine("line-SKU-0", 2, 1),)
    assert await state_of(company) == "TOLD"
    await take(company, say({"SKU-0": 3}))
    assert await state_of(company) == "TOLD", "a word from before it heard proves nothing"
    await take(company, say({"SKU-0": 1}))
    assert await state_of(company) == "ACKNOWLEDGED"
    assert (await events_of(company))[-2:] == ["CANCELLATION_TOLD", "CANCELLATION_ACKNOWLEDGED"]


async def test_a_channel_that_cancels_by_itself_is_told_nothing(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 3}))
    await take(company, say({"SKU-0": 3}, cancelled=True))
    assert (await notice(company), await tell_cancellations(company.state)) == (None, 0)


async def test_an_outage_and_a_lost_reply_are_looked_at_before_it_is_told_again(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 3}))
    await cancel(company)
    shop(company).cancel_answers = [OUTAGE]
    await tell_cancellations(company.state)
    assert await state_of(company) == "PENDING"
    shop(company).orders = [say({"SKU-0": 3}, cancelled=True)]
    await due(company)
    await tell_cancellations(company.state)
    assert (await state_of(company), len(shop(company).cancellations)) == ("ACKNOWLEDGED", 1)


async def test_what_was_accepted_and_not_done_is_told_again(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 3}))
    await cancel(company)
    shop(company).orders = [say({"SKU-0": 3})]
    shop(company).cancel_answers = [WriteResult(WriteOutcome.ACCEPTED)]
    for _ in range(2):
        await due(company)
        await tell_cancellations(company.state)
    assert (await state_of(company), len(shop(company).cancellations)) == ("TOLD", 2)
    assert await available(company) == 20


async def test_a_refusal_is_a_case_that_the_channels_word_ends(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 3}))
    await cancel(company)
    shop(company).cancel_answers = [BY_HAND]
    await tell_cancellations(company.state)
    assert (await state_of(company), await cases(company)) == ("REFUSED", ["CANCELLATION_REFUSED"])
    case = (await company.admin.data("{ exceptionCases { nodes { id } } }"))["exceptionCases"]["nodes"][0]["id"]
    assert (await company.admin.mutate("exceptionRetry", "exception { id }", id=case))["userErrors"] == []
    shop(company).orders = [say({"SKU-0": 3}, cancelled=True)]
    await tell_cancellations(company.state)
    assert (await state_of(company), await cases(company)) == ("ACKNOWLEDGED", [])
    assert await cases(company, "RESOLVED") == ["CANCELLATION_REFUSED"]


async def test_what_a_warehouse_is_only_asked_for_is_not_told(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 3}))
    await advance(company, "PICKING")
    await cancel(company)
    await tell_cancellations(company.state)
    assert (await state_of(company), shop(company).cancellations) == ("PENDING", [])


async def test_units_that_are_cancelled_later_are_told_too(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 3}))
    await cancel(company, SKU_0=1)
    await tell_cancellations(company.state)
    await cancel(company, SKU_0=1)
    await tell_cancellations(company.state)
    assert [told.lines[0].left for told in shop(company).cancellations] == [2, 1]


async def test_a_channel_that_offers_no_such_call_is_a_persons_to_tell(company: ChannelCompany) -> None:
    await take(company, say({"SKU-0": 3}))
    await cancel(company)
    shop(company).cancel_answers = [NotOffered("cancel it at the marketplace")]
    await tell_cancellations(company.state)
    assert await state_of(company) == "REFUSED"
    row = await company.state.database.hot.fetchrow("SELECT kind, cause, detail, owner FROM exception_cases")
    assert tuple(row or ()) == ("CANCELLATION_REFUSED", "POLICY", "cancel it at the marketplace", "SUPPORT")
    assert await company.value("SELECT count(*) FROM sync_attempts WHERE lane = 'CANCEL'") == 0, "nothing was sent"
    await due(company)
    assert await tell_cancellations(company.state) == 0
    await take(company, say({"SKU-0": 3}, cancelled=True))
    assert (await state_of(company), await cases(company)) == ("ACKNOWLEDGED", [])


async def test_many_workers_tell_each_cancellation_once(company: ChannelCompany) -> None:
    names = [f"o-{n}" for n in range(1, 6)]
    for name in names:
        await take(company, say({"SKU-0": 1}, name))
        await cancel(company, name)
    tried = await asyncio.gather(*(tell_cancellations(company.state) for _ in range(4)))
    told = sorted(told.order_external_id for told in shop(company).cancellations)
    assert (sum(tried), told) == (len(names), names)


async def test_a_worker_that_comes_after_its_lease_writes_nothing(
    company: ChannelCompany, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is stopped with its request sent; the second tells it again, since the order shows nothing of it."""
    asked, goes_on = asyncio.Event(), asyncio.Event()
    plain = MemoryChannel.cancel_order

    async def stop_first(self: MemoryChannel, cancellation: Cancellation) -> WriteResult:
        if asked.is_set():
            return await plain(self, cancellation)
        asked.set()
        await goes_on.wait()
        return BY_HAND

    monkeypatch.setattr(MemoryChannel, "cancel_order", stop_first)
    await take(company, say({"SKU-0": 3}))
    await cancel(company)
    first = asyncio.create_task(tell_cancellations(company.state))
    await asked.wait()
    assert await tell_cancellations(company.state) == 0, "the first has the lease"
    await due(company)
    assert await tell_cancellations(company.state) == 1
    goes_on.set()
    await first
    assert (await state_of(company), await cases(company)) == ("TOLD", [])
    assert (await events_of(company)).count("CANCELLATION_TOLD") == 1
