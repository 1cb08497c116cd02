"""A channel that puts units on sale again by itself, with a cancellation: reported, looked at, and set right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from adapters.channels.base import ListingRef, Observation, QuantityWrite, WriteOutcome, WriteResult
from adapters.channels.memory import MemoryChannel
from api.ids import encode_id
from app.channels.claim_listings import Lane
from app.orders.tell_cancellations import tell_cancellations
from domain.errors import CauseClass
from tests.app.orders.world import order_row, say, take
from tests.channel_company import ChannelCompany
from tests.seed import add_stock

EXPOSED = """{ oversellExposure { units jointUnits worst { channel { code } sku { code } exposure } } }"""
DUE = "SELECT desired_version > acknowledged_version FROM listings WHERE external_id = 'item-0' AND channel_id = $1"


async def nothing(_: Sequence[QuantityWrite]) -> None: ...


@dataclass(slots=True)
class Slow(MemoryChannel):
    """`seen`: what happens while its answer to a look is on the way."""

    seen: Callable[[], Awaitable[None]] | None = None

    async def observe(self, refs: Sequence[ListingRef]) -> list[Observation]:
        found = await MemoryChannel.observe(self, refs)
        if self.seen is not None:
            seen, self.seen = self.seen, None
            await seen()
        return found


async def exposed(company: ChannelCompany) -> int:
    """Of the shop's listing of SKU-0."""
    worst = (await company.admin.data(EXPOSED))["oversellExposure"]["worst"]
    return next(
        (one["exposure"] for one in worst if one["sku"]["code"] == "SKU-0" and one["channel"]["code"] == "shop"), 0
    )


async def is_due(company: ChannelCompany) -> bool:
    return bool(await company.value(DUE, (await company.channel("shop")).id))


async def test_what_a_buyer_gives_back_of_an_order_that_nobody_could_fill_is_taken_off_sale(
    company: ChannelCompany,
) -> None:
    """Nothing moved in the ledger, so nothing else would have told the shop."""
    await take(company, say({"SKU-0": 23}))
    await company.settle("shop", "market")
    shop = company.shops["shop"]
    await take(company, say({"SKU-0": 5}, "o-2"))
    shop.quantities["item-0", ""] = 5
    await take(company, say({"SKU-0": 5}, "o-2", cancelled=True))
    assert await exposed(company) == 5
    await company.settle("shop")
    assert (shop.quantities["item-0", ""], await exposed(company), await is_due(company)) == (0, 0, False)


async def test_no_call_that_was_under_way_settles_what_was_put_back_meanwhile(company: ChannelCompany) -> None:
    shop = company.shops["shop"] = Slow()  # type: ignore[index]
    for number, units in enumerate((2, 3, 4)):
        await take(company, say({"SKU-0": units}, f"first-{number}"))
    await company.settle("shop", "market")
    await take(company, say({"SKU-0": 11}, "rest"))
    await take(company, say({"SKU-0": 5}, "short"))
    await company.relay()

    async def give_back(order: str, units: int) -> None:
        shop.after = nothing
        shop.quantities["item-0", ""] += units
        await take(company, say({"SKU-0": units}, order, cancelled=True))

    shop.after = lambda _: give_back("short", 5)
    await company.push("shop", Lane.ZERO)
    assert (await exposed(company), await is_due(company)) == (16, True), "what it showed before, and this"
    await company.settle("shop", "market")
    assert shop.quantities["item-0", ""] == 0

    await company.execute("UPDATE listings SET uncertain = true, desired_version = desired_version + 1")
    shop.seen = lambda: give_back("first-0", 2)
    await company.push("shop")
    await add_stock(company.state, "BER", {"SKU-0": -2})
    assert (await exposed(company), await is_due(company)) == (2, True), "what was seen is from before it"
    await company.settle("shop", "market")
    assert shop.quantities["item-0", ""] == 0

    shop.seen = lambda: give_back("first-1", 3)
    await company.observe("shop")
    await add_stock(company.state, "BER", {"SKU-0": -3})
    assert (await exposed(company), await is_due(company)) == (3, True), "likewise"
    await company.settle("shop", "market")
    assert shop.quantities["item-0", ""] == 0


async def test_a_number_that_comes_back_is_not_what_the_channel_shows_when_it_put_units_back(
    company: ChannelCompany,
) -> None:
    shop = company.shops["shop"]
    await take(company, say({"SKU-0": 4}))
    await company.settle("shop", "market")
    await add_stock(company.state, "BER", {"SKU-0": -4})
    await company.relay()
    shop.quantities["item-0", ""] = 20
    await take(company, say({"SKU-0": 4}, cancelled=True))
    await company.settle("shop", "market")
    assert shop.quantities["item-0", ""] == 16


@pytest.mark.parametrize("ends", ["by its word", "by hand"])
async def test_what_was_cancelled_here_may_be_put_back_until_the_channel_knows(
    company: ChannelCompany, ends: str
) -> None:
    shop = company.shops["shop"]
    await take(company, say({"SKU-0": 4}))
    await company.settle("shop", "market")
    shop.cancel_answers = [WriteResult(WriteOutcome.REFUSED, "do it there", CauseClass.POLICY)]
    key = encode_id("Order", str((await order_row(company))["id"]))
    assert (await company.admin.mutate("orderCancel", "", id=key))["userErrors"] == []
    await company.settle("shop", "market")
    joint = await count_joint(company)
    assert (await exposed(company), shop.quantities["item-0", ""]) == (4, 20)
    await tell_cancellations(company.state)
    assert await exposed(company) == 4
    if ends == "by its word":
        shop.quantities["item-0", ""] += 4
        await take(company, say({"SKU-0": 4}, cancelled=True))
        assert await exposed(company) == 4
        await company.settle("shop")
        assert shop.quantities["item-0", ""] == 20
    else:
        case = (await company.admin.data("{ exceptionCases { nodes { id } } }"))["exceptionCases"]["nodes"][0]["id"]
        assert (await company.admin.mutate("exceptionResolve", "", id=case, note="sent all the same"))[
            "userErrors"
        ] == []
    assert (await exposed(company), await count_joint(company)) == (0, joint - 4)


async def count_joint(company: ChannelCompany) -> int:
    found: Any = (await company.admin.data(EXPOSED))["oversellExposure"]["jointUnits"]
    return int(found)
