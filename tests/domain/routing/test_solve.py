"""The solver: against the true optimum, on 500 seeded orders; its rules on any instance at all."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.routing.solve import Facility, Solution, Source, solve
from tests.domain.routing.optimum import find_optimum

Demands = list[tuple[int, list[Source]]]


def make_instance(chance: random.Random, lines: int, sites: int, fill: float) -> tuple[list[Facility], Demands]:
    """Parcels at 4 to 25, units at 0.02 to 6: both matter."""
    facilities = [Facility(chance.randint(400, 2_500) * 10_000) for _ in range(sites)]
    demands = []
    for _ in range(lines):
        stocked = [site for site in range(sites) if chance.random() < fill]
        sources = [Source(site, chance.randint(1, 9), chance.randint(2, 600) * 10_000) for site in stocked]
        demands.append((chance.randint(1, 8), sources))
    return facilities, demands


def cost_of(facilities: list[Facility], demands: Demands, solution: Solution) -> tuple[int, int]:
    """(cost, parcels), from what was given alone."""
    used = {site for given_units in solution.given for site in given_units}
    cost = sum(facilities[site].fixed for site in used)
    for (_, sources), given_units in zip(demands, solution.given, strict=True):
        prices = {source.site: source.price for source in sources}
        cost += sum(prices[site] * units for site, units in given_units.items())
    return cost, len(used)


def check_filled(demands: Demands, solution: Solution, *, splits: bool = False) -> None:
    for (wanted, sources), given_units in zip(demands, solution.given, strict=True):
        held = {source.site: source.units for source in sources}
        assert all(0 < units <= held[site] for site, units in given_units.items())
        assert sum(given_units.values()) == min(wanted, sum(held.values()))
        if not splits and any(units >= wanted for units in held.values()):
            assert len(given_units) == 1, "a demand that one warehouse can fill was split"


@pytest.mark.parametrize(("orders", "splits"), [(500, False), (200, True)])
def test_500_orders_cost_what_the_optimum_costs_and_need_no_more_parcels(orders: int, splits: bool) -> None:
    chance = random.Random(2026)
    worst = 0.0
    for number in range(orders):
        facilities, demands = make_instance(chance, 1 + number % 8, 12, chance.choice((0.15, 0.4, 0.8)))
        solution = solve(facilities, demands, splits=splits)
        check_filled(demands, solution, splits=splits)
        cost, parcels = cost_of(facilities, demands, solution)
        best, fewest = find_optimum(facilities, demands, splits=splits)
        assert solution.exact, number
        worst = max(worst, cost / 1e6 / best - 1 if best else 0.0)
        assert cost / 1e6 >= best - 1e-5, "the reference is no optimum"
        assert parcels <= fewest or cost / 1e6 < best - 1e-5, number
    assert worst < 1e-6


SMALL = st.integers(1, 5).flatmap(
    lambda sites: st.tuples(
        st.lists(st.builds(Facility, st.integers(0, 9), st.just(True)), min_size=sites, max_size=sites),
        st.lists(
            st.tuples(
                st.integers(1, 6),
                st.lists(
                    st.builds(Source, st.integers(0, sites - 1), st.integers(1, 6), st.integers(0, 9)),
                    unique_by=lambda source: source.site,
                    max_size=sites,
                ),
            ),
            min_size=1,
            max_size=5,
        ),
    )
)


def enumerate_best(facilities: list[Facility], demands: Demands, splits: bool) -> tuple[int, int]:
    """(cost, parcels) by trying every set of warehouses."""
    best: tuple[int, int] | None = None
    for chosen in itertools.product((False, True), repeat=len(facilities)):
        cost = sum(facility.fixed for facility, use in zip(facilities, chosen, strict=True) if use)
        for wanted, sources in demands:
            usable = [source for source in sources if source.units >= wanted and not splits] or sources
            left = min(wanted, sum(source.units for source in usable))
            for source in sorted(usable, key=lambda source: source.price):
                if chosen[source.site]:
                    units = min(left, source.units)
                    cost += units * source.price
                    left -= units
            if left:
                break
        else:
            best = min(best or (cost, sum(chosen)), (cost, sum(chosen)))
    assert best is not None
    return best


@given(SMALL, st.booleans())
def test_small_instances_are_solved_as_by_trying_everything(made: tuple[list[Facility], Demands], splits: bool) -> None:
    """Ties are frequent here, free parcels too: of equal costs the one with fewest parcels counts."""
    facilities, demands = made
    solution = solve(facilities, demands, splits=splits)
    check_filled(demands, solution, splits=splits)
    assert solution.exact
    assert cost_of(facilities, demands, solution) == enumerate_best(facilities, demands, splits)


def test_an_equal_plan_goes_to_the_warehouse_that_comes_first() -> None:
    facilities = [Facility(5), Facility(5), Facility(5)]
    demands = [(2, [Source(2, 2, 1), Source(1, 2, 1), Source(0, 1, 0)])]
    assert solve(facilities, demands).given == ({1: 2},)


def test_the_search_ends_at_its_budget_and_says_how_good_it_is() -> None:
    facilities, demands = make_instance(random.Random(5), 40, 50, 0.4)
    cut = solve(facilities, demands, cells_max=5_000)
    again = solve(facilities, demands, cells_max=5_000)
    check_filled(demands, cut)
    assert cut == again
    assert not cut.exact
    assert 0 < cut.gap < 1
    longer = solve(facilities, demands)
    best, _ = find_optimum(facilities, demands)
    found, _ = cost_of(facilities, demands, cut)
    assert found * (1 - cut.gap) <= best * 1e6 * (1 + 1e-9)
    assert cost_of(facilities, demands, longer)[0] <= found


@pytest.mark.parametrize("lines", [10, 30])
def test_beyond_the_exact_size_the_heuristic_is_near_the_optimum(lines: int) -> None:
    chance = random.Random(lines)
    total = optimum = 0.0
    for _ in range(5):
        facilities, demands = make_instance(chance, lines, 25, 0.4)
        solution = solve(facilities, demands, cells_max=1)
        total += cost_of(facilities, demands, solution)[0] / 1e6
        optimum += find_optimum(facilities, demands)[0]
    assert total <= 1.03 * optimum
