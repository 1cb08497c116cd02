"""A short form of the simulated week; and that its auditor sees one unit lost behind books that agree with themselves."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from app.exceptions.open_cases import open_cases
from domain.errors import CauseClass
from domain.exceptions import CaseKind, Problem, Severity
from tests.simulation.week.audit import judge_cases
from tests.simulation.week.bins import audit_bins
from tests.simulation.week.company import TIDY, World
from tests.simulation.week.kits import audit_kits
from tests.simulation.week.run_week import run_week
from tests.simulation.week.truth import Placed

NEEDED = {"fulfillmentOrderAccept": 3, "transferReceive": 2, "countSubmit": 1}
LOSING = '''
import importlib.abc, importlib.machinery, sys

NAME = "app.transfers.receive_transfer"


class Losing(importlib.abc.MetaPathFinder):
    """One unit of what a transfer brings goes to scrap: the ledger adds up, and the unit is gone."""

    def find_spec(self, name, path, target=None):
        if name != NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            post = module.post_legs

            async def lose(connection, act, document, legs, now, expected=()):
                kept = list(legs)
                for leg in list(kept):
                    if leg.target == "available" and leg.quantity:
                        kept.append(leg._replace(source="available", target="scrap", quantity=1))
                return await post(connection, act, document, kept, now, expected)

            module.post_legs = lose

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Losing())
'''


async def plant_problems(world: World) -> None:
    """What no audit may overlook, in a week that is as it must be."""
    await plant_cases(world)
    clean = next(sku for sku in world.skus if (TIDY, sku) not in world.truth.dirty)
    place = Placed(TIDY, world.bins[TIDY][0], clean, 1)
    world.truth.place([place])
    (found,) = await audit_bins(world)
    assert found.startswith(f"{clean} in bin {place.bin} of {TIDY}: ")
    world.truth.place([place._replace(units=-1)])
    world.kits["SET-0"] = {"SKU-1": 1}
    assert any(problem.startswith("SET-0 is shown as ") for problem in await audit_kits(world))


async def plant_cases(world: World) -> None:
    """The audit names a case of each kind that has no reason, and misses one that the simulator knows a reason for."""
    nobody = f"order:{uuid7()}"
    causes = [Problem(kind, Severity.LOW, CauseClass.UNKNOWN, nobody, "planted", "") for kind in CaseKind]
    async with world.state.database.hot.acquire() as connection, connection.transaction():
        await open_cases(connection, causes)
    named = {
        problem.split()[0] for problem in await judge_cases(world) if f"{nobody} is open without a reason" in problem
    }
    assert named == set(CaseKind)
    await world.state.database.hot.execute(
        "UPDATE exception_cases SET state = 'RESOLVED', resolved_at = now() WHERE subject = $1", nobody
    )
    assert await judge_cases(world) == []
    world.unposted.add((world.skus[0], "BER"))
    (missed,) = await judge_cases(world)
    assert re.fullmatch(r"COUNT_SHORTAGE of stock:\S+ should be open and is not", missed)


async def test_a_day_of_everything_ends_with_books_that_are_right_to_the_unit(tmp_path: Path) -> None:
    report = await run_week(tmp_path, seed=11, days=1, day_seconds=8, skus=12, needed=NEEDED, then=plant_problems)
    assert len(report["quiet hours"]) == 1
    assert all(report["done"][name] >= times for name, times in NEEDED.items())
    assert report["movements"] > 100


async def test_the_audit_sees_a_unit_that_a_receipt_loses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(LOSING)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(AssertionError, match=r"seed 12, day 1: SKU-\d+ in \w+: sound is \d+ in the books, and must be"):
        await run_week(tmp_path, seed=12, days=1, day_seconds=8, skus=12, quiet_seconds=8, needed=NEEDED)
