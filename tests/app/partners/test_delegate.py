"""Work given to a partner that is called: whatever goes wrong on the way, it ends in one legal state, and stock is kept."""

from __future__ import annotations

import datetime
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.channels.threepl.base import ChangePage, Delegation, PartnerOrder
from adapters.channels.threepl.memory import MemoryPartner
from adapters.sandbox.faults import Fault
from adapters.sandbox.threepl.config import ProviderConfig
from adapters.sandbox.threepl.create_provider import create_provider
from adapters.sandbox.threepl.inject_faults import FaultKind
from adapters.sandbox.threepl.state import State as Sandbox
from api.ids import encode_id
from app.fulfillment.reroute_units import reroute_orders
from app.partners.delegate_work import delegate_work
from app.partners.open_partner import OPENERS
from app.partners.plan_events import plan_events
from app.partners.poll_changes import poll_changes
from app.partners.refuse_units import refuse_units
from app.partners.request_cancels import request_cancel
from app.routing.allocate_order import allocate_order
from app.settings import Settings
from app.stock.verify_ledger import verify_ledger
from domain.errors import CauseClass
from domain.errors import Fault as Problem
from tests.adapters.ebay.market import serve
from tests.partner_company import PartnerCompany, open_partner_company

HOUR = 3_600.0
LOST = "The partner gives an order the status 'Lost'."


@dataclass
class Depot:
    company: PartnerCompany
    sandbox: Sandbox

    async def work(self, seconds: float = 0.0, step: float = 60.0) -> None:
        """Let time go by, with every loop of the worker at each step."""
        state, end = self.company.state, seconds
        while True:
            now = self.company.now
            await plan_events(state, now)
            for loop in (delegate_work, request_cancel, poll_changes, request_cancel):
                for _ in range(200):
                    if not await loop(state, now):
                        break
            if end <= 0:
                return
            end -= step
            self.company.pass_seconds(step)

    def break_(self, kind: FaultKind, times: int | None = 1, seconds: float = 0.0) -> None:
        self.sandbox.faults.add(kind, times, seconds)

    async def statuses(self) -> list[str]:
        return [row[0] for row in await self.company.fetch("SELECT status FROM fulfillment_orders ORDER BY id")]

    async def orders(self) -> list[str]:
        return [row[0] for row in await self.company.fetch("SELECT status FROM orders ORDER BY id")]

    async def level(self, sku: str = "SKU-0") -> tuple[int, int, int]:
        """Available, committed and shipped units at the partner's."""
        (row,) = await self.company.fetch(
            "SELECT l.available, l.committed, l.customer FROM stock_levels l JOIN skus s ON s.id = l.sku_id "
            "JOIN warehouses w ON w.id = l.warehouse_id WHERE s.code = $1 AND w.code = '3PL'",
            sku,
        )
        return row[0], row[1], row[2]

    async def parcels(self) -> list[Any]:
        return await self.company.fetch(
            "SELECT carrier, tracking_number, (SELECT sum(quantity) FROM fulfillment_lines l WHERE l.fulfillment_id = f.id) "
            "FROM fulfillments f ORDER BY id"
        )

    async def check(self) -> None:
        report = await verify_ledger(self.company.state.database)
        assert report.problems == [], report


@pytest.fixture
async def depot(settings: Settings) -> AsyncIterator[Depot]:
    """It takes an order on after a minute and ships it after ten."""
    async with open_partner_company(settings) as company:
        config = ProviderConfig(
            stock={f"SKU-{n}": 10 for n in range(3)},
            accept_seconds=60,
            ship_seconds=600,
            clock=lambda: company.now.timestamp(),
        )
        app = create_provider(config)
        async with serve(app) as url:
            await company.connect(connect={"baseUrl": url, "provider": "onhand_sandbox", "apiKey": "sandbox-key"})
            yield Depot(company, app.state.provider)


async def test_work_is_given_taken_on_and_shipped(depot: Depot) -> None:
    await depot.company.place(SKU_0=2, SKU_1=1)
    await depot.work()
    assert await depot.statuses() == ["RELEASED"]
    (order,) = depot.sandbox.orders.values()
    assert [(item.sku, item.quantity) for item in order.items] == [("SKU-0", 2), ("SKU-1", 1)]
    await depot.work(180)
    assert await depot.statuses() == ["ACCEPTED"]
    await depot.work(660)
    assert (await depot.statuses(), await depot.orders()) == (["SHIPPED"], ["SHIPPED"])
    assert await depot.parcels() == [("dhl_express", "SBX0000000001", 3)]
    assert await depot.level() == (8, 0, 2)
    assert await depot.company.fetch("SELECT state FROM partner_orders") == [("ENDED",)]
    assert await depot.company.cases() == []
    await depot.check()


async def test_the_partner_gets_the_address_and_nobody_else(depot: Depot) -> None:
    await depot.company.place()
    await depot.work()
    kept = await depot.company.fetch("SELECT lines::text, error FROM partner_orders")
    assert "Ada" not in str(kept)


async def test_a_lost_reply_is_one_order(depot: Depot) -> None:
    depot.break_(FaultKind.LOST_REPLY)
    await depot.company.place()
    await depot.work(120)
    assert len(depot.sandbox.orders) == 1
    await depot.work(720)
    assert await depot.statuses() == ["SHIPPED"]


async def test_a_short_shipment_leaves_the_rest_to_others_and_the_missing_units_leave_the_ledger(depot: Depot) -> None:
    depot.sandbox.on_hand["SKU-0"] = 3
    await depot.company.place(SKU_0=5, SKU_1=1)
    await depot.work(840)
    assert (await depot.statuses(), await depot.orders()) == (["SHIPPED"], ["PARTLY_SHIPPED"])
    assert await depot.level() == (5, 0, 3)
    assert (await depot.level("SKU-1"))[2] == 1
    assert await depot.company.value("SELECT reroute_at IS NOT NULL FROM orders")
    await depot.check()


async def test_parcels_one_by_one(depot: Depot) -> None:
    depot.break_(FaultKind.SPLIT_SHIP)
    await depot.company.place(SKU_0=2, SKU_1=1)
    await depot.work(840)
    assert [parcel[2] for parcel in await depot.parcels()] == [2, 1]
    assert await depot.statuses() == ["SHIPPED"]


async def test_what_a_partner_rejects_is_promised_elsewhere(depot: Depot) -> None:
    depot.break_(FaultKind.REJECT)
    await depot.company.place()
    await depot.work(240)
    assert await depot.statuses() == ["REJECTED"]
    assert await depot.level() == (10, 0, 0)
    assert await depot.orders() == ["BACKORDERED"]
    await depot.check()


async def test_what_left_in_spite_of_a_hold_that_the_contract_has_no_word_for_is_shipped(depot: Depot) -> None:
    await depot.company.place()
    await depot.work(120)
    assert await depot.statuses() == ["ACCEPTED"]
    order = encode_id("Order", str(await depot.company.value("SELECT id FROM orders")))
    made = await depot.company.admin.mutate("orderHold", "order { id }", id=order, reason="ASK_THE_BUYER")
    assert made["userErrors"] == []
    await depot.work(840)
    assert (await depot.statuses(), await depot.orders()) == (["SHIPPED"], ["SHIPPED"])
    assert (await depot.level(), await depot.company.cases()) == ((9, 0, 1), [])
    await depot.check()


@pytest.mark.parametrize(
    ("verb", "fields"), [("Move", {"warehouse": "OWN"}), ("Split", {"lines": [{"sku": "SKU-0", "quantity": 1}]})]
)
async def test_what_a_partner_was_sent_is_not_given_to_others_too(
    depot: Depot, verb: str, fields: dict[str, Any]
) -> None:
    await depot.company.place(SKU_0=2)
    depot.break_(FaultKind.DOWN, 1)
    await depot.work()
    work = encode_id("FulfillmentOrder", str(await depot.company.value("SELECT id FROM fulfillment_orders")))
    made = await depot.company.admin.mutate(f"fulfillmentOrder{verb}", "made { id }", id=work, **fields)
    assert [error["code"] for error in made["userErrors"]] == ["WRONG_STATE"]
    await depot.work(900)
    assert (await depot.statuses(), await depot.level()) == (["SHIPPED"], (8, 0, 2))
    await depot.check()


async def test_a_part_that_a_partner_refuses_is_not_given_to_it_again(depot: Depot) -> None:
    await depot.company.place(SKU_0=2, SKU_1=1)
    await depot.work(120)
    partner = await depot.company.state.database.hot.fetchrow("SELECT * FROM partners")
    work = await depot.company.value("SELECT id FROM fulfillment_orders")
    assert await refuse_units(depot.company.state, partner, work, {1: 1}, "too heavy for us")
    await reroute_orders(depot.company.state, allocate_order)
    assert len(await depot.statuses()) == 1
    assert "REJECTION" in [case[0] for case in await depot.company.cases()]
    await depot.check()


async def test_a_partner_that_cannot_be_reached_is_asked_again(depot: Depot) -> None:
    work = await depot.company.place()
    await depot.company.execute(
        "UPDATE partners SET config = config || $1::jsonb", '{"base_url": "http://127.0.0.1:1"}'
    )
    await depot.work()
    assert await depot.company.fetch("SELECT state FROM partner_orders") == [("PENDING",)]
    assert await depot.company.value("SELECT failures FROM partners") == 1
    # Its silence is no reason to promise the units elsewhere: it may have heard.
    assert await depot.company.value("SELECT accept_by FROM fulfillment_orders WHERE id = $1", work) is None


async def test_an_order_that_a_partner_will_not_have_is_rejected_work(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(call: str) -> None:
        raise Problem(f"{call}: we do not ship there", transient=False, cause=CauseClass.VALIDATION)

    partner = MemoryPartner(before=refuse)
    monkeypatch.setitem(OPENERS, "CONNECT", lambda _h, _c, _s: partner)
    await depot.company.place()
    await depot.work()
    assert (await depot.statuses(), await depot.level()) == (["REJECTED"], (10, 0, 0))
    assert await depot.company.fetch("SELECT state, error FROM partner_orders") == [
        ("ENDED", "delegate: we do not ship there")
    ]


async def test_an_id_that_was_given_before_is_not_taken_for_another_order(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Careless(MemoryPartner):
        async def delegate(self, work: Delegation) -> str:
            await super().delegate(work)
            return "P-1"

    partner = Careless()
    monkeypatch.setitem(OPENERS, "CONNECT", lambda _h, _c, _s: partner)
    for _ in range(2):
        await depot.company.place()
    await depot.work()
    found = await depot.company.fetch("SELECT state, partner_order_id, error FROM partner_orders ORDER BY state")
    assert found == [("DELEGATED", "P-1", None), ("PENDING", None, "The partner gave two orders the id 'P-1'.")]
    assert await depot.company.value("SELECT last_error FROM partners") == "The partner gave two orders the id 'P-1'."


async def test_an_order_that_cannot_be_read_keeps_no_other_from_being_heard(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Babbling(MemoryPartner):
        async def recent_changes(self, since: datetime.datetime, cursor: str | None = None) -> ChangePage:
            page = await super().recent_changes(since, cursor)
            return replace(page, broken=(LOST,))

        async def read_order(self, partner_order_id: str) -> PartnerOrder | None:
            if partner_order_id == "P-2":
                raise Problem(LOST, transient=True, cause=CauseClass.VALIDATION)
            return await super().read_order(partner_order_id)

    partner = Babbling()
    monkeypatch.setitem(OPENERS, "CONNECT", lambda _h, _c, _s: partner)
    for _ in range(2):
        await depot.company.place()
    await depot.work()
    partner.accept("P-1")
    await depot.work(1_200)
    await depot.company.place()
    await depot.work(600)
    assert await depot.statuses() == ["ACCEPTED", "RELEASED", "RELEASED"]
    assert len(partner.work) == 3, "it is given work all the same"
    assert [case[:2] for case in await depot.company.cases()] == [("PARTNER_SILENT", "OPEN")]
    assert LOST in await depot.company.value("SELECT last_error FROM partners")


async def test_a_partner_that_takes_orders_and_tells_nothing_is_silent(
    depot: Depot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(call: str) -> None:
        if call == "recent_changes" and deaf:
            raise Problem("no changes", transient=True, cause=CauseClass.OUTAGE)

    deaf = True
    partner = MemoryPartner(before=refuse)
    monkeypatch.setitem(OPENERS, "CONNECT", lambda _h, _c, _s: partner)
    for _ in range(8):
        await depot.company.place()
        await depot.work(300)
    assert len(partner.work) == 8
    assert [case[:2] for case in await depot.company.cases()] == [("PARTNER_SILENT", "OPEN")]
    deaf = False
    await depot.work(600)
    assert [case[:2] for case in await depot.company.cases()] == [("PARTNER_SILENT", "RESOLVED")]


async def test_events_twice_reordered_late_and_lost_change_nothing_twice(depot: Depot) -> None:
    for number in range(4):
        await depot.company.place(SKU_0=1, SKU_1=1 + number % 2)
    for kind in (FaultKind.DUPLICATE_EVENT, FaultKind.REORDERED_EVENT, FaultKind.MISSING_EVENT):
        depot.sandbox.faults.active[kind] = Fault(0.5)
    depot.sandbox.faults.active[FaultKind.LATE_EVENT] = Fault(0.5, None, 1_200.0)
    await depot.work(2 * HOUR)
    assert set(await depot.statuses()) == {"SHIPPED"}
    assert len(await depot.parcels()) == 4
    assert await depot.level() == (6, 0, 4)
    assert await depot.company.cases() == []
    await depot.check()


async def test_a_cancellation_in_time_is_agreed_to(depot: Depot) -> None:
    await depot.company.place()
    await depot.work(120)
    await depot.company.cancel(1)
    assert await depot.orders() == ["ALLOCATED"]  # asked, not answered
    await depot.work(900)
    assert (await depot.statuses(), await depot.orders()) == (["CANCELLED"], ["CANCELLED"])
    assert await depot.level() == (10, 0, 0)
    await depot.check()


async def test_a_cancellation_before_anything_was_given_needs_nobody(depot: Depot) -> None:
    depot.break_(FaultKind.DOWN, None)
    await depot.company.place()
    await depot.company.cancel(1)
    await plan_events(depot.company.state, depot.company.now)
    await depot.work(60)
    assert depot.sandbox.orders == {}


async def test_the_goods_leave_while_the_cancellation_is_on_its_way(depot: Depot) -> None:
    await depot.company.place()
    await depot.work(120)
    await depot.company.cancel(1)
    depot.break_(FaultKind.CANCEL_RACE)
    await depot.work(900)
    assert (await depot.statuses(), await depot.orders()) == (["SHIPPED"], ["SHIPPED"])
    assert await depot.level() == (9, 0, 1)
    (order,) = depot.sandbox.orders.values()
    assert order.cancel_asked
    await depot.check()


async def test_a_partner_that_agrees_and_ships_all_the_same_is_a_case_and_one_state(depot: Depot) -> None:
    await depot.company.place()
    await depot.work(120)
    await depot.company.cancel(1)
    await depot.work(900)
    assert await depot.statuses() == ["CANCELLED"]
    (order,) = depot.sandbox.orders.values()
    parcel = {"notification_id": "N-9", "order_id": "x", "carrier_code": "dhl", "tracking_number": "T9"}
    order.shipments.append(
        {**parcel, "items": [{"line_item_id": "1", "sku": "SKU-0", "description": "", "quantity": 1}]}
    )
    order.status, order.changed_at = "Shipped", depot.company.now.timestamp()
    await depot.work(300)
    assert (await depot.statuses(), await depot.orders()) == (["CANCELLED"], ["CANCELLED"])
    assert [case[:2] for case in await depot.company.cases()] == [("PARTNER_CONTRADICTION", "OPEN")]
    assert [case[2] for case in await depot.company.cases()] == [1]
    assert await depot.level() == (10, 0, 0)
    await depot.check()


async def test_an_hour_of_silence_loses_nothing_is_one_case_and_mends_itself(depot: Depot) -> None:
    for _ in range(3):
        await depot.company.place()
    await depot.work(120)
    depot.break_(FaultKind.DOWN, None)
    for number in range(3):
        await depot.company.place(SKU_1=1 + number)
    await depot.work(HOUR)
    assert [case[:2] for case in await depot.company.cases()] == [("PARTNER_SILENT", "OPEN")]
    assert len(depot.sandbox.orders) == 3
    assert sum(depot.sandbox.calls.values()) < 100
    depot.sandbox.faults.replace({})
    await depot.work()
    assert [case[:2] for case in await depot.company.cases()] == [("PARTNER_SILENT", "OPEN")], "its next try is later"
    admin = depot.company.admin
    (case,) = (await admin.data("{ exceptionCases { nodes { id } } }"))["exceptionCases"]["nodes"]
    assert (await admin.mutate("exceptionRetry", "exception { state }", id=case["id"]))["userErrors"] == []
    await depot.work()
    assert [case[:2] for case in await depot.company.cases()] == [("PARTNER_SILENT", "RESOLVED")]
    await depot.work(HOUR)
    assert await depot.statuses() == ["SHIPPED"] * 6
    assert [case[:2] for case in await depot.company.cases()] == [("PARTNER_SILENT", "RESOLVED")]
    assert len(depot.sandbox.orders) == 6
    await depot.check()


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_goes_wrong_both_books_agree_in_the_end(depot: Depot, seed: int) -> None:
    dice = random.Random(seed)
    faults = depot.sandbox.faults
    faults.seed = seed
    kinds = (FaultKind.LOST_REPLY, FaultKind.ERROR_500, FaultKind.THROTTLED, FaultKind.DUPLICATE_EVENT)
    for kind in (
        *kinds,
        FaultKind.REORDERED_EVENT,
        FaultKind.MISSING_EVENT,
        FaultKind.CANCEL_RACE,
        FaultKind.SPLIT_SHIP,
    ):
        faults.active[kind] = Fault(0.2)
    for _ in range(12):
        await depot.company.place(**{f"SKU_{dice.randrange(3)}": dice.randint(1, 2)})
        await depot.work(dice.choice((0.0, 60.0, 300.0)))
        if dice.random() < 0.4:
            await depot.company.cancel(depot.company.orders)
        await depot.work(60)
    faults.replace({})
    await depot.work(2 * HOUR)
    assert set(await depot.statuses()) <= {"SHIPPED", "CANCELLED"}, seed
    theirs = {sku: 10 - there for sku, there in depot.sandbox.on_hand.items()}
    assert {sku: (await depot.level(sku))[2] for sku in theirs} == theirs, seed
    assert {case[0] for case in await depot.company.cases() if case[1] == "OPEN"} <= {"CHANGE_REFUSED"}, seed
    await depot.check()
