"""Chaos, short enough for every run; `ONHAND_CHAOS_SEED` repeats one, `ONHAND_CHAOS_SECONDS` makes it longer."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import pytest

from tests.simulation.audit import Sale, judge_oversold
from tests.simulation.chaos import prepared, run_chaos
from tests.simulation.markets import MARKETS, gather_states
from tests.simulation.trace import Reported, ShortLine, Trace

SECONDS = float(os.environ.get("ONHAND_CHAOS_SECONDS", "10"))
ACKNOWLEDGED = """
SELECT bool_and(l.acknowledged = 0 AND l.desired_version = l.acknowledged_version AND l.overtaken_quantity IS NULL)
FROM listings l JOIN skus k ON k.id = l.sku_id WHERE k.code = $1
"""
SKIPS_ZEROS = """
import sys
from pathlib import Path

if any("app.worker" in argument for argument in sys.orig_argv):
    from app.channels import push_quantities

    send = push_quantities._send

    async def skip_zeros(adapter, lane, claims, outcomes):
        lying = Path({flag!r}).exists()
        outcomes.done += [claim for claim in claims if lying and claim.write.quantity == 0]
        await send(adapter, lane, [one for one in claims if not lying or one.write.quantity > 0], outcomes)

    push_quantities._send = skip_zeros
"""


@pytest.mark.timeout(400)
async def test_every_listing_converges_and_nothing_is_lost_doubled_or_oversold_unreported(tmp_path: Path) -> None:
    seed = int(os.environ.get("ONHAND_CHAOS_SEED", secrets.randbelow(2**31)))
    report = await run_chaos(tmp_path, seed=seed, seconds=SECONDS, kinds=list(MARKETS), skus=12)
    assert min(report["sold"].values()) > 0, f"seed {seed}: {report}"
    assert sum(report["kills"].values()) > 0, f"seed {seed}: {report}"


@pytest.mark.timeout(400)
async def test_an_engine_that_only_says_that_it_sent_zeros_is_found_out(tmp_path: Path) -> None:
    """The audit itself: what it lets pass is no proof unless it stops this."""
    flag = tmp_path / "lying"
    (tmp_path / "sitecustomize.py").write_text(SKIPS_ZEROS.format(flag=str(flag)))
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    settings = {"PYTHONPATH": path, "ONHAND_OBSERVE_AGAIN_SECONDS": "3600"}
    async with prepared(tmp_path, 1, ["shopify"], 4, units=(1, 2), environment=settings) as chaos:
        market, sku = chaos.markets[0], chaos.skus[0]
        flag.touch()
        await chaos.take_all(sku)
        await chaos.wait_until(ACKNOWLEDGED, sku)
        shown = (await market.state())["quantities"][sku]
        assert await market.buy(sku, shown), "the shop was told all the same"
        await chaos.wait_until("SELECT count(*) = 1 FROM orders")
        with pytest.raises(AssertionError, match="never reported as exposed"):
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
