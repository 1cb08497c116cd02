"""Chaos, short enough for every run; `ONHAND_CHAOS_SEED` repeats one, `ONHAND_CHAOS_SECONDS` makes it longer."""

from __future__ import annotations

import importlib
import os
import re
import secrets
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from app.stock.verify_ledger import verify_ledger
from tests.simulation.audit import Sale, judge_oversold
from tests.simulation.books import Books, Truth, compare_books
from tests.simulation.chaos import prepared, run_chaos
from tests.simulation.dispatch import Parcels, compare_parcels
from tests.simulation.market import Market, PutBack
from tests.simulation.markets import MARKETS, ShopifyMarket, gather_states
from tests.simulation.trace import NEVER, Reported, ShortLine, Trace

SECONDS = float(os.environ.get("ONHAND_CHAOS_SECONDS", "10"))
ACKNOWLEDGED = """
SELECT bool_and(l.acknowledged = 0 AND l.desired_version = l.acknowledged_version AND l.overtaken_quantity IS NULL)
FROM listings l JOIN skus k ON k.id = l.sku_id WHERE k.code = $1
"""
LYING = """
import sys
from pathlib import Path

if any("app.worker" in argument for argument in sys.orig_argv):
    from app.channels import push_quantities
    from app.orders import release_units
    from domain.stock import Posting

    send, post = push_quantities._send, release_units._post

    async def skip_zeros(adapter, lane, claims, outcomes):
        lying = Path({skips!r}).exists()
        outcomes.done += [claim for claim in claims if lying and claim.write.quantity == 0]
        await send(adapter, lane, [one for one in claims if not lying or one.write.quantity > 0], outcomes)

    async def post_twice(connection, order, chosen, target, footing):
        await post(connection, order, chosen, target, footing)
        if Path({doubles!r}).exists():
            keys = [release_units.StockKey(one.work.lines[one.line].sku_id, one.work.warehouse_id) for one in chosen]
            book = await release_units.lock_rows(connection, keys)
            for key, one in zip(keys, chosen):
                book.post(Posting(key, "adjustment", "available", one.units))
            now = release_units.datetime.datetime.now(release_units.datetime.UTC)
            await release_units.write_book(connection, book, [footing] * len(chosen), now)

    push_quantities._send, release_units._post = skip_zeros, post_twice
"""


@pytest.mark.timeout(400)
async def test_every_listing_converges_and_nothing_is_lost_doubled_or_oversold_unreported(tmp_path: Path) -> None:
    seed = int(os.environ.get("ONHAND_CHAOS_SEED", secrets.randbelow(2**31)))
    report = await run_chaos(tmp_path, seed=seed, seconds=SECONDS, kinds=list(MARKETS), skus=12)
    assert {f"sold {kind}" for kind in (*MARKETS, "direct")} <= report["done"].keys(), f"seed {seed}: {report}"
    assert sum(report["kills"].values()) > 0, f"seed {seed}: {report}"


@pytest.mark.timeout(400)
async def test_an_engine_that_counts_twice_or_only_says_that_it_sent_zeros_is_found_out(tmp_path: Path) -> None:
    """The audit itself: what it lets pass is no proof unless it stops this, whoever cancels what."""
    skips, doubles = tmp_path / "skips", tmp_path / "doubles"
    (tmp_path / "sitecustomize.py").write_text(LYING.format(skips=str(skips), doubles=str(doubles)))
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    settings = {"PYTHONPATH": path, "ONHAND_OBSERVE_AGAIN_SECONDS": "3600"}
    async with prepared(tmp_path, 1, ["shopify"], 4, units=(1, 2), environment=settings) as chaos:
        market, (sku, other, *_) = chaos.markets[0], chaos.traffic.skus
        doubles.touch()
        taken_back = await market.buy(other, 1)
        assert taken_back is not None
        await chaos.wait_until("SELECT count(*) = 1 FROM orders")
        await chaos.audit_books(await gather_states(chaos.markets))
        assert await market.cancel(taken_back)
        await chaos.wait_until("SELECT bool_and(status = 'CANCELLED') FROM orders")
        assert (await verify_ledger(chaos.state.database)).problems == [], "the ledger by itself looks right"
        with pytest.raises(AssertionError, match=rf"{other}: \d+ in the books, \d+ put in"):
            await chaos.audit_books(await gather_states(chaos.markets))
        doubles.unlink()

        skips.touch()
        await chaos.take_all(sku)
        await chaos.wait_until(ACKNOWLEDGED, sku)
        shown = (await market.state())["quantities"][sku]
        first = await market.buy(sku, shown)
        assert first is not None, "the shop was told all the same"
        await chaos.wait_until("SELECT count(*) = 2 FROM orders")
        assert await market.cancel(first)
        assert await market.buy(sku, shown), "and sells it once more"
        await chaos.wait_until("SELECT count(*) = 3 FROM orders")
        with pytest.raises(AssertionError, match=f"order {re.escape(first)} of .*never reported as exposed"):
            await chaos.audit_exposure(await gather_states(chaos.markets))


@pytest.mark.parametrize(
    ("exposed", "missing", "uncovered"),
    [
        ([(0.0, 0)], [1], 1),
        ([(12.0, 1)], [1], 0),
        ([(12.0, 1)], [1, 1], 1),
        ([(12.0, 2)], [1, 1], 0),
        ([(12.0, 1), (13.0, 0), (14.0, 1)], [1, 1], 0),
        ([(5.0, 3), (9.0, 0)], [1], 1),
        ([(5.0, 3), (10.0, 0)], [1], 1),
        ([(9.0, 3), (10.5, 0)], [1], 0),
        ([(21.0, 3)], [1], 1),
    ],
)
def test_a_reported_unit_covers_one_oversold_unit_of_its_time(
    exposed: list[tuple[float, int]], missing: list[int], uncovered: int
) -> None:
    """Told at 10, sold at 11, on record at 20."""
    key = (1, 1)
    trace = Trace({key: Reported(exposed, [10.0])}, {1: [(0.0, 0)]})
    trace.short = [ShortLine(key, f"order-{n}", 20.0, units) for n, units in enumerate(missing)]
    sales = {(1, line.order): Sale(11.0) for line in trace.short}
    verdict = judge_oversold(trace, sales)
    assert (verdict.alone, verdict.jointly, len(verdict.problems)) == (sum(missing) - uncovered, 0, uncovered)


@pytest.mark.parametrize(("sold_at", "jointly"), [(11.0, 1), (9.0, 0)])
def test_what_another_channel_took_the_goods_from_was_exposed_jointly(sold_at: float, jointly: int) -> None:
    """Both showed the last unit from 10 on; its number fell at 12, the other sold the unit at 13, its order came at 20."""
    ours, others = (1, 1), (2, 1)
    trace = Trace(
        {ours: Reported([(10.0, 1), (12.0, 0)], [5.0, 10.0]), others: Reported([(10.0, 1), (13.0, 0)], [10.0])}
    )
    trace.stock[1] = [(0.0, 1), (13.0, 0)]
    trace.short = [ShortLine(ours, "order", 20.0, 1)]
    verdict = judge_oversold(trace, {(1, "order"): Sale(sold_at)})
    assert (verdict.alone, verdict.jointly, len(verdict.problems)) == (0, jointly, 1 - jointly)


def trace_of_two_buyers(*, heard: bool, exposed: Sequence[tuple[float, int]] = ()) -> Trace:
    """The shop's last unit, told at 1, is sold at 2 and cancelled at 10; another buyer's order comes at 20, and nothing is there."""
    key = (1, 1)
    trace = Trace({key: Reported([(1.0, 1), (5.0, 0), *exposed], [1.0, 5.0])}, {1: [(0.0, 1), (4.0, 0)]})
    trace.short = [ShortLine(key, "second", 20.0, 1)]
    if heard:
        trace.cancelled = {(1, "first"): [(15.0, 1)], (1, "second"): []}
    return trace


@pytest.mark.parametrize(
    ("sold_at", "until", "problems"),
    [(12.0, NEVER, 0), (9.0, NEVER, 1), (16.0, NEVER, 1), (12.0, 11.0, 1), (12.0, 13.0, 0)],
)
def test_a_unit_that_was_put_back_covers_one_that_was_sold_while_the_first_buyers_is_kept(
    sold_at: float, until: float, problems: int
) -> None:
    """Until the cancellation is here, at 15, and while the number that it was sold from stands."""
    sales = {(1, "first"): Sale(6.0), (1, "second"): Sale(sold_at)}
    back = {(1, 1): [PutBack("first", "SKU", 10.0, 1, 1, until)]}
    verdict = judge_oversold(trace_of_two_buyers(heard=True), sales, back)
    assert (verdict.alone, verdict.jointly, verdict.resold, len(verdict.problems)) == (0, 0, 1 - problems, problems)
    assert len(judge_oversold(trace_of_two_buyers(heard=True), sales).problems) == 1


def test_a_unit_that_was_put_back_covers_no_two() -> None:
    trace = trace_of_two_buyers(heard=True)
    trace.short.append(ShortLine((1, 1), "third", 21.0, 1))
    sales = {(1, "first"): Sale(6.0), (1, "second"): Sale(12.0), (1, "third"): Sale(13.0)}
    back = {(1, 1): [PutBack("first", "SKU", 10.0, 1, 1, NEVER)]}
    verdict = judge_oversold(trace, sales, back)
    assert (verdict.resold, len(verdict.problems)) == (1, 1)


@pytest.mark.parametrize(("first_at", "alone"), [(2.0, 1), (6.0, 0)])
def test_of_an_order_that_came_as_cancelled_what_was_reported_since_it_was_sold_counts(
    first_at: float, alone: int
) -> None:
    """The unit was exposed from 4 to 5: the first buyer took it before, or there was nothing to take."""
    sales = {(1, "first"): Sale(first_at), (1, "second"): Sale(12.0)}
    back = {(1, 1): [PutBack("first", "SKU", 10.0, 1, 1, NEVER)]}
    verdict = judge_oversold(trace_of_two_buyers(heard=False), sales, back)
    assert (verdict.alone, verdict.resold, len(verdict.problems)) == (alone, 0, 1 - alone)


def test_what_is_put_back_is_read_from_the_history_of_the_marketplace() -> None:
    """Its own number, not ours: until the next one that we set; what is not on sale again is only gone."""
    writes = [
        ("api", 0.0, 5, None, 0),
        ("restock", 1.0, 0, "o-1", 1),
        ("restock", 2.0, 2, "o-1", 2),
        ("order", 3.0, -1, None, 0),
        ("api", 4.0, 1, None, 0),
        ("restock", 5.0, 1, "o-2", 1),
    ]
    names = ("cause", "at", "delta", "order", "removed")
    history = [{"sku": "SKU", **dict(zip(names, write, strict=True))} for write in writes]
    assert ShopifyMarket.list_put_back({"history": history}) == [
        PutBack("o-1", "SKU", 2.0, 2, 3, 4.0),
        PutBack("o-2", "SKU", 5.0, 1, 1, NEVER),
    ]


@pytest.mark.parametrize(
    ("name", "key", "says"),
    [
        ("held", ("A", "SKU"), "in A, SKU: 6 in the books, 5 put in and not sent"),
        ("reserved", "SKU", "SKU: 2 reserved in the books, 1 promised"),
        ("committed", "SKU", "SKU: 3 committed in the books, 2 to orders"),
        ("waiting", ("shop", "o-1", "SKU"), "shop order o-1, SKU: 5 wanted in the books, 4 by its buyer"),
    ],
)
def test_a_unit_too_many_is_named_wherever_it_is(name: str, key: Any, says: str) -> None:
    order = ("shop", "o-1", "SKU")
    truth = Truth({("A", "SKU"): 5}, {"SKU": 1}, {order: 4}, {order: 1})
    found = (Counter({("A", "SKU"): 5}), Counter(SKU=1), Counter(SKU=2))
    books = Books(*found, Counter({order: 2}), Counter({order: 1}), Counter({order: 1}))
    assert compare_books(truth, books) == []
    getattr(books, name)[key] += 1
    assert compare_books(truth, books) == [says]


@pytest.mark.parametrize(
    ("parcels", "says"),
    [
        (Parcels(2, 1, 1, 1, late=True), []),
        (Parcels(1, 2, 1, 0, late=False), ["1 parcels confirmed, 2 at the marketplace"]),
        (Parcels(2, 1, 1, 0, late=False), ["2 parcels made, 1 told"]),
        (Parcels(1, 0, 0, 1, late=False), ["a parcel refused that its buyer wanted"]),
    ],
)
def test_a_parcel_told_twice_never_or_refused_for_nothing_is_named(parcels: Parcels, says: list[str]) -> None:
    assert compare_parcels({("shop", "o-1"): parcels}) == [f"shop order o-1: {words}" for words in says]


def test_a_unit_that_left_is_of_no_buyer_who_changed_his_mind_too_late() -> None:
    order = ("shop", "o-1", "SKU")
    books = Books(Counter(), Counter(), Counter(), Counter(), Counter({order: 1}), Counter())
    assert compare_books(Truth({}, {}, {order: 0}, {order: 1}), books) == []
    assert compare_books(Truth({}, {}, {order: 0}), books) == [
        "shop order o-1, SKU: 1 wanted in the books, 0 by its buyer",
        "shop order o-1, SKU: 1 shipped in the books, 0 in parcels",
    ]


@pytest.mark.parametrize("market", MARKETS.values())
def test_every_fault_is_on_but_those_of_refunds(market: type[Market]) -> None:
    """Nothing is refunded in the chaos: nothing comes back from a buyer."""
    kinds = importlib.import_module(f"adapters.sandbox.{market.kind}.inject_faults").FaultKind
    refunds = {kind for kind in kinds if kind.startswith("refund") or kind == "restock_anyway"}
    assert set(market.faults) == set(kinds) - refunds
