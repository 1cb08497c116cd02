"""Money: due, told to the channel once, confirmed by it; what a machine cannot decide or pay is a case."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any, cast

import pytest

from adapters.channels.base import ChannelOrder, ChannelOrderLine, WriteOutcome, WriteResult
from adapters.channels.channel_refund import ChannelRefund
from adapters.channels.memory import MemoryChannel
from adapters.channels.news import ReturnNotice
from adapters.channels.returns import Refund
from api.ids import encode_id
from app.orders.take_order import take_order
from app.returns.look_refunds import UNSHOWN, look_refunds
from app.returns.note_refunds import note_refunds
from app.returns.notice_return import notice_return
from app.returns.tell_refunds import BY_HAND, tell_refunds
from app.settings import Settings
from domain.errors import CauseClass, Fault
from tests.floor import Floor, open_floor

RETURN = "return { id money refundState refundError state custody condition }"
MONEY = {"amount": "10", "currency": "EUR"}
OUTAGE = Fault("no answer", transient=True, cause=CauseClass.OUTAGE)


@pytest.fixture
async def floor(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Floor]:
    async with open_floor(settings, monkeypatch) as opened:
        yield opened


def shop(floor: Floor) -> MemoryChannel:
    return floor.company.shops["shop"]


async def do(floor: Floor, name: str, **fields: Any) -> Any:
    made = await floor.admin.mutate(name, RETURN, **fields)
    assert made["userErrors"] == [], made
    return made["return"]


async def sold(floor: Floor, name: str = "1") -> str:
    """Two of SKU-0, shipped; the order's global id."""
    order_id = await floor.order({"SKU-0": 2}, name=name)
    work = await floor.release_of(order_id)
    await floor.do("Accept", work)
    await floor.ship(work, f"T-{name}")
    return encode_id("Order", str(order_id))


async def authorized(floor: Floor, order: str, units: int = 2, **fields: Any) -> Any:
    lines = [{"sku": "SKU-0", "quantity": units}]
    return await do(floor, "returnAuthorize", warehouse="BER", order={"id": order}, lines=lines, **fields)


async def inspected(floor: Floor, made: Any, units: int = 2, disposition: str = "RESTOCK") -> Any:
    line = {"sku": "SKU-0", "quantity": units}
    await do(floor, "returnReceive", id=made["id"], lines=[line])
    return await do(floor, "returnInspect", id=made["id"], lines=[{**line, "disposition": disposition}])


async def shown(floor: Floor, made: Any) -> tuple[str, str]:
    query = "query($id: ID!) { node(id: $id) { ... on Return { money refundState } } }"
    found = (await floor.admin.data(query, id=made["id"]))["node"]
    return found["money"], found["refundState"]


async def cases(floor: Floor) -> list[str]:
    query = "{ exceptionCases(filter: { states: [OPEN] }) { nodes { kind } } }"
    found = (await floor.admin.data(query))["exceptionCases"]["nodes"]
    return [case["kind"] for case in found if case["kind"].startswith("REFUND")]


async def tell(floor: Floor) -> int:
    await floor.company.execute("UPDATE returns SET refund_next_at = now() WHERE refund_state = 'PENDING'")
    return await tell_refunds(floor.state)


async def test_what_came_as_announced_is_paid_by_itself_and_once(floor: Floor) -> None:
    made = await authorized(floor, await sold(floor), refund=MONEY)
    assert (made["money"], made["refundState"]) == ("DUE", "NONE")
    assert await tell(floor) == 0
    made = await inspected(floor, made)
    assert (made["money"], made["refundState"]) == ("DUE", "PENDING")
    shop(floor).refund_answers = [OUTAGE, WriteResult(WriteOutcome.ACCEPTED, receipt="refund-7")]
    assert (await tell(floor), await shown(floor, made)) == (1, ("DUE", "PENDING"))
    assert (await tell(floor), await shown(floor, made)) == (1, ("TOLD", "SENT"))
    assert await tell(floor) == 0
    first, again = shop(floor).refunds
    assert first == again
    assert isinstance(first, Refund)
    assert (first.order_external_id, first.lines, first.currency) == ("1", (("1-0", 2),), "EUR")
    assert first.amount == 10
    channel = await floor.company.channel("shop")
    paid = ReturnNotice("refund-7", "1", (("1-0", 2),), True, (Decimal(10), "EUR"), True, refund_id="refund-7")
    for _ in range(2):  # its own news of it, which puts the units back into its count
        await notice_return(floor.state, channel.id, paid)
    assert await shown(floor, made) == ("CONFIRMED", "SENT")
    assert await floor.company.value("SELECT count(*) FROM returns") == 1
    levels = "SELECT sum(available) FROM stock_levels l JOIN skus s ON s.id = l.sku_id WHERE s.code = 'SKU-0'"
    assert await floor.company.value(levels) == 20
    lanes = await floor.state.database.hot.fetch(
        "SELECT lane, done FROM sync_attempts WHERE lane = 'REFUND' ORDER BY id"
    )
    assert [tuple(row) for row in lanes] == [("REFUND", 0), ("REFUND", 1)]


@pytest.mark.parametrize(("units", "disposition"), [(1, "RESTOCK"), (2, "MISSING")])
async def test_what_did_not_come_as_announced_is_for_a_person_to_decide(
    floor: Floor, units: int, disposition: str
) -> None:
    made = await inspected(floor, await authorized(floor, await sold(floor), refund=MONEY), units, disposition)
    closed = await do(floor, "returnClose", id=made["id"])
    assert (closed["money"], closed["refundState"], await cases(floor)) == ("DUE", "NONE", ["REFUND_WAITING"])
    asked = await do(floor, "returnRefund", id=made["id"], step="DUE", refund={"amount": "5", "currency": "EUR"})
    assert (asked["refundState"], await cases(floor)) == ("PENDING", [])
    assert await tell(floor) == 1
    assert shop(floor).refunds[0].amount == 5
    assert await shown(floor, made) == ("CONFIRMED", "SENT")


async def test_what_the_channel_refuses_is_a_case_that_can_be_tried_again(floor: Floor) -> None:
    made = await inspected(floor, await authorized(floor, await sold(floor), refund=MONEY))
    shop(floor).refund_answers = [WriteResult(WriteOutcome.REFUSED, "more than was paid", CauseClass.VALIDATION)]
    await tell(floor)
    assert (await shown(floor, made), await cases(floor)) == (("DUE", "REFUSED"), ["REFUND_REFUSED"])
    found = await floor.admin.data("{ exceptionCases(filter: { kinds: [REFUND_REFUSED] }) { nodes { id detail } } }")
    (case,) = found["exceptionCases"]["nodes"]
    assert case["detail"] == "more than was paid"
    retried = await floor.admin.mutate("exceptionRetry", "exception { id }", id=case["id"])
    assert retried["userErrors"] == []
    await tell(floor)
    assert (await shown(floor, made), await cases(floor)) == (("CONFIRMED", "SENT"), [])


class Mute:
    """A channel that has no such call."""

    def __init__(self, real: MemoryChannel, call: str = "issue_refund") -> None:
        self.real, self.call = real, call

    def __getattr__(self, name: str) -> Any:
        if name == self.call:
            raise AttributeError(name)
        return getattr(self.real, name)


async def test_a_channel_without_a_call_for_refunds_is_paid_by_hand(floor: Floor) -> None:
    cast("dict[str, Any]", floor.company.shops)["shop"] = Mute(shop(floor))
    made = await inspected(floor, await authorized(floor, await sold(floor), refund=MONEY))
    await tell(floor)
    assert await cases(floor) == ["REFUND_REFUSED"]
    assert await floor.company.value("SELECT refund_error FROM returns") == BY_HAND
    paid = await do(floor, "returnRefund", id=made["id"], step="CONFIRMED")
    assert (paid["money"], paid["refundState"], await cases(floor)) == ("CONFIRMED", "REFUSED", [])


async def test_what_the_channel_paid_by_itself_is_not_told(floor: Floor) -> None:
    made = await inspected(floor, await authorized(floor, await sold(floor), refund=MONEY))
    channel = await floor.company.channel("shop")
    less = ReturnNotice("r-1", "1", (), refund=(Decimal(2), "EUR"), refunded=True, announces=False, refund_id="r-1")
    await notice_return(floor.state, channel.id, less)
    assert await shown(floor, made) == ("DUE", "PENDING")
    whole = ReturnNotice("r-2", "1", (), refund=(Decimal(10), "EUR"), refunded=True, announces=False, refund_id="r-2")
    await notice_return(floor.state, channel.id, whole)
    assert (await shown(floor, made), await tell(floor)) == (("CONFIRMED", "NONE"), 0)


async def test_a_return_that_the_channel_calls_off_ends_while_nothing_came(floor: Floor) -> None:
    await sold(floor)
    channel = await floor.company.channel("shop")
    for cancelled in (False, True, True):
        notice = ReturnNotice("ret-1", "1", items=(("SKU-0", 1),), cancelled=cancelled)
        await notice_return(floor.state, channel.id, notice)
    assert await floor.company.value("SELECT string_agg(state, ' ') FROM returns") == "CANCELLED"


def record(name: str, *refunds: ChannelRefund) -> ChannelOrder:
    line = ChannelOrderLine(f"{name}-0", "SKU-0", None, 2)
    return ChannelOrder(name, name, datetime.datetime.now(datetime.UTC), (line,), refunds=refunds)


async def test_the_orders_record_at_the_channel_confirms_what_was_told(floor: Floor) -> None:
    made = await inspected(floor, await authorized(floor, await sold(floor), refund=MONEY))
    channel = await floor.company.channel("shop")
    now = datetime.datetime.now(datetime.UTC)
    old = ChannelRefund("old", Decimal(10), "EUR", paid=True, at=now - datetime.timedelta(hours=1))
    dateless = ChannelRefund("another", Decimal(10), "EUR", paid=True)
    await note_refunds(floor.state, channel.id, record("1", old, dateless))
    assert await shown(floor, made) == ("DUE", "PENDING"), "what was paid before it was due is no answer to it"
    shop(floor).refund_answers = [WriteResult(WriteOutcome.ACCEPTED, receipt="refund-7")]
    await tell(floor)
    waiting = ChannelRefund("refund-7", Decimal(9), "EUR", paid=False)
    await note_refunds(floor.state, channel.id, record("1", waiting))
    assert await shown(floor, made) == ("TOLD", "SENT")
    for _ in range(2):
        await note_refunds(floor.state, channel.id, record("1", old, dataclasses.replace(waiting, paid=True)))
    assert await shown(floor, made) == ("CONFIRMED", "SENT")


async def test_a_refund_that_failed_there_is_a_case_once(floor: Floor) -> None:
    made = await inspected(floor, await authorized(floor, await sold(floor), refund=MONEY))
    shop(floor).refund_answers = [WriteResult(WriteOutcome.ACCEPTED, receipt="refund-7")]
    await tell(floor)
    channel = await floor.company.channel("shop")
    failed = ChannelRefund("refund-7", Decimal(10), "EUR", paid=False, failed=True)
    for _ in range(2):
        await note_refunds(floor.state, channel.id, record("1", failed))
    assert (await shown(floor, made), await cases(floor)) == (("TOLD", "REFUSED"), ["REFUND_REFUSED"])
    await do(floor, "returnRefund", id=made["id"], step="CONFIRMED")
    assert await cases(floor) == []


async def test_what_a_merchant_paid_at_the_channel_is_known_by_its_time(floor: Floor) -> None:
    made = await authorized(floor, await sold(floor), refund=MONEY)
    channel = await floor.company.channel("shop")
    paid = ChannelRefund("by-hand", Decimal(10), "EUR", paid=True, at=datetime.datetime.now(datetime.UTC))
    await note_refunds(floor.state, channel.id, record("1", paid))
    assert await shown(floor, made) == ("CONFIRMED", "NONE")


async def test_two_returns_of_a_sku_on_two_lines_name_each_unit_once(floor: Floor) -> None:
    lines = tuple(ChannelOrderLine(f"line-{n}", "SKU-0", None, 1) for n in range(3))
    order = ChannelOrder("1", "#1", datetime.datetime.now(datetime.UTC), lines, "DE")
    channel = await floor.company.channel("shop")
    await take_order(floor.state, channel.id, order)
    order_id = await floor.company.value("SELECT id FROM orders")
    work = await floor.release_of(order_id)
    await floor.do("Accept", work)
    await floor.ship(work)
    key = encode_id("Order", str(order_id))
    told = ReturnNotice("r-1", "1", (("line-1", 1),))
    await notice_return(floor.state, channel.id, told)
    first = await floor.company.value("SELECT id::text FROM returns")
    shop(floor).refund_answers = [OUTAGE]
    for made in (
        encode_id("Return", first),
        (await authorized(floor, key, 1))["id"],
        (await authorized(floor, key, 1))["id"],
    ):
        await inspected(floor, {"id": made}, 1)
        await do(floor, "returnRefund", id=made, step="DUE", refund={"amount": "5", "currency": "EUR"})
        while await tell(floor):
            pass
    assert [refund.lines for refund in shop(floor).refunds] == [
        *[(("line-1", 1),)] * 2,  # as the channel had named it, also when it is tried again
        (("line-0", 1),),
        (("line-2", 1),),
    ]


async def look(floor: Floor) -> int:
    await floor.company.execute(
        "UPDATE returns SET refund_next_at = now() WHERE money = 'TOLD' AND refund_next_at > now()"
    )
    return await look_refunds(floor.state)


async def age(floor: Floor) -> None:
    await floor.company.execute("UPDATE returns SET refund_told_at = now() - interval '2 hours'")


ON_ITS_WAY = WriteResult(WriteOutcome.ACCEPTED, receipt="refund-7")


async def told(floor: Floor, name: str = "1", receipt: str | None = "refund-7") -> Any:
    """A return whose refund the channel has taken, and not paid."""
    made = await inspected(floor, await authorized(floor, await sold(floor, name), refund=MONEY))
    shop(floor).refund_answers = [WriteResult(WriteOutcome.ACCEPTED, receipt=receipt)]
    await tell(floor)
    assert await shown(floor, made) == ("TOLD", "SENT")
    return made


async def test_what_is_on_its_way_is_looked_at_until_it_is_paid(floor: Floor) -> None:
    made = await told(floor)
    assert await look_refunds(floor.state) == 0, "not at once"
    waits = []
    shop(floor).look_answers = [ON_ITS_WAY, OUTAGE, ON_ITS_WAY]
    for _ in range(3):
        assert (await look(floor), await shown(floor, made)) == (1, ("TOLD", "SENT"))
        waits.append(await floor.company.value("SELECT extract(epoch FROM refund_next_at - now())::float FROM returns"))
        await age(floor)
    assert 0 < waits[0] <= 15 < 3_000 < waits[2] < 4_000, "ever later"
    assert (await look(floor), await shown(floor, made)) == (1, ("CONFIRMED", "SENT"))
    assert (await look(floor), len(shop(floor).refunds)) == (0, 1)


@pytest.mark.parametrize("unshown", [False, True])
async def test_what_failed_or_is_never_shown_is_a_case(floor: Floor, unshown: bool) -> None:
    made = await told(floor, receipt=None if unshown else "refund-7")
    failed = WriteResult(WriteOutcome.REFUSED, "the bank refused it", CauseClass.POLICY)
    nothing: Any = None
    shop(floor).look_answers = [nothing, nothing] if unshown else [failed]
    if unshown:
        assert (await look(floor), await shown(floor, made)) == (1, ("TOLD", "SENT"))
        await age(floor)
    assert (await look(floor), await shown(floor, made)) == (1, ("TOLD", "REFUSED"))
    error = await floor.company.value("SELECT refund_error FROM returns")
    assert (error, await cases(floor)) == (UNSHOWN if unshown else "the bank refused it", ["REFUND_REFUSED"])
    assert await look(floor) == 0
    await do(floor, "returnRefund", id=made["id"], step="CONFIRMED")
    assert await cases(floor) == []


async def test_a_refund_that_the_merchant_made_is_looked_at_as_well(floor: Floor) -> None:
    await sold(floor)
    channel = await floor.company.channel("shop")
    pending = ReturnNotice("r-1", "1", (("1-0", 2),), True, (Decimal(20), "EUR"), False, refund_id="refund-9")
    await notice_return(floor.state, channel.id, pending)
    query = "SELECT money || ' ' || refund_state || ' ' || refund_external_id FROM returns"
    assert await floor.company.value(query) == "TOLD NONE refund-9"
    assert await look(floor) == 1
    assert await floor.company.value(query) == "CONFIRMED NONE refund-9"


async def test_a_channel_that_shows_no_refunds_is_asked_for_the_order(floor: Floor) -> None:
    made = await told(floor)
    cast("dict[str, Any]", floor.company.shops)["shop"] = Mute(shop(floor), "look_refund")
    paid = ChannelRefund("refund-7", Decimal(10), "EUR", paid=True)
    shop(floor).orders.append(record("1", paid))
    assert (await look(floor), await shown(floor, made)) == (1, ("CONFIRMED", "SENT"))


async def test_what_the_channel_said_while_it_was_looked_at_stays(floor: Floor) -> None:
    made = await told(floor)
    channel, looked = await floor.company.channel("shop"), shop(floor)

    class Slow(Mute):
        async def look_refund(self, _: Refund) -> WriteResult:
            await note_refunds(
                floor.state, channel.id, record("1", ChannelRefund("refund-7", Decimal(10), "EUR", True))
            )
            return WriteResult(WriteOutcome.REFUSED, "an older answer")

    cast("dict[str, Any]", floor.company.shops)["shop"] = Slow(looked, "")
    assert (await look(floor), await shown(floor, made), await cases(floor)) == (1, ("CONFIRMED", "SENT"), [])
