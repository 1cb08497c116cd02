"""Many orders at once on shared stock and shared days, by HiGHS: the cheapest way to fill them all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class ParcelChoice:
    """A parcel that an order may have: `place` is the day of a warehouse that it takes one of. Cost in micros."""

    site: int
    place: Hashable
    cost: int


@dataclass(frozen=True, slots=True)
class LineChoice:
    """Units of one SKU. `whole`: from one warehouse. `prices`: of a unit by site, micros.

    `uses`: of a kit (SKU, units) that one of it takes; of anything else it is empty.
    """

    sku_id: int
    units: int
    whole: bool
    prices: Mapping[int, int]
    uses: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class BacklogOrder:
    """Every line's sites are among those of `parcels`."""

    parcels: tuple[ParcelChoice, ...]
    lines: tuple[LineChoice, ...]


@dataclass(frozen=True, slots=True)
class BacklogSolution:
    """`given`: by order and line, units by site. `optimal`: proven within the time."""

    given: list[list[dict[int, int]]]
    optimal: bool


def solve_backlog(
    orders: Sequence[BacklogOrder],
    stock: Mapping[tuple[int, int], int],
    places: Mapping[Hashable, int],
    seconds_max: float,
) -> BacklogSolution | None:
    """`stock`: units by (site, SKU); `places`: orders that a day with a limit still takes. None: nothing was found.

    Takes its time on one thread, without holding up others: call it in a thread of its own.
    """
    import highspy  # and NumPy with it, which no process that only serves should wait for

    model: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    model.silent()
    model.setOptionValue("time_limit", seconds_max)
    model.setOptionValue("threads", 1)
    model.setOptionValue("mip_rel_gap", 1e-6)
    costs: list[Any] = []
    shared_stock: dict[tuple[int, int], list[Any]] = defaultdict(list)
    shared_places: dict[Hashable, list[Any]] = defaultdict(list)
    shares = [_add_order(model, order, costs, shared_stock, shared_places) for order in orders]
    for key, used in shared_stock.items():
        model.addConstr(model.qsum(used) <= stock.get(key, 0))
    for place, used in shared_places.items():
        if place in places:
            model.addConstr(model.qsum(used) <= places[place])
    model.minimize(model.qsum(costs))
    info = model.getInfo()
    if info.primal_solution_status != 2:  # 2: feasible, by the solver's own numbering
        return None
    values = list(model.getSolution().col_value)
    given = [
        [
            {site: units for site, share, factor in line if (units := round(values[share.index]) * factor) > 0}
            for line in lines
        ]
        for lines in shares
    ]
    return BacklogSolution(given, model.getModelStatus() == highspy.HighsModelStatus.kOptimal)


def _add_order(
    model: Any,
    order: BacklogOrder,
    costs: list[Any],
    stock: dict[tuple[int, int], list[Any]],
    places: dict[Hashable, list[Any]],
) -> list[list[tuple[int, Any, int]]]:
    """Variables and constraints of one order; of each line (site, variable, units that one of it stands for)."""
    opened = {}
    for parcel in order.parcels:
        opened[parcel.site] = model.addBinary()
        costs.append(parcel.cost / MICROS * opened[parcel.site])
        places[parcel.place].append(opened[parcel.site])
    shares = []
    for line in order.lines:
        factor = line.units if line.whole else 1
        found = []
        for site, price in line.prices.items():
            share = model.addBinary() if line.whole else model.addIntegral(0, line.units)
            model.addConstr(share <= (1 if line.whole else line.units) * opened[site])
            costs.append(price * factor / MICROS * share)
            for sku_id, units in line.uses or ((line.sku_id, 1),):
                stock[site, sku_id].append(units * factor * share)
            found.append((site, share, factor))
        model.addConstr(model.qsum([share for _, share, _ in found]) == line.units // factor)
        shares.append(found)
    return shares
