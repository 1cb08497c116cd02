"""Which lines of an order a rule is for."""

from __future__ import annotations

from domain.routing.policy import OrderFilter, Policy, Rule
from domain.routing.problem import Problem, Wanted


def match_rule(policy: Policy, rule: Rule, problem: Problem, lines: list[Wanted]) -> list[Wanted]:
    """Those of `lines` that `rule` is to fill; none when the order itself is not for it."""
    wanted = rule.orders
    if not lines or not _matches_order(policy, wanted, problem):
        return []
    if not wanted.sku_tags:
        return lines
    return [line for line in lines if line.tags & wanted.sku_tags]


def _matches_order(policy: Policy, wanted: OrderFilter, problem: Problem) -> bool:
    if wanted.channels and problem.channel not in wanted.channels:
        return False
    if wanted.destinations and not reaches(wanted.destinations, problem):
        return False
    return (
        _matches_postal_code(wanted, problem)
        and _matches_value(policy, wanted, problem)
        and _matches_promise(wanted, problem)
    )


def reaches(destinations: frozenset[str], problem: Problem) -> bool:
    """Whether the order goes to one of `destinations`, each a country or a country with a region."""
    country = problem.country_code
    if country is None:
        return False
    return country in destinations or f"{country}-{problem.region_code}" in destinations


def _matches_postal_code(wanted: OrderFilter, problem: Problem) -> bool:
    if not wanted.postal_prefixes:
        return True
    code = (problem.postal_code or "").replace(" ", "").upper()
    return code.startswith(wanted.postal_prefixes)


def _matches_value(policy: Policy, wanted: OrderFilter, problem: Problem) -> bool:
    """An order without a value, or in another currency than the policy's, is no match for a filter by value."""
    if wanted.value_min is None and wanted.value_max is None:
        return True
    if problem.value_micros is None or problem.currency != policy.currency:
        return False
    low = wanted.value_min is None or problem.value_micros >= wanted.value_min
    return low and (wanted.value_max is None or problem.value_micros <= wanted.value_max)


def _matches_promise(wanted: OrderFilter, problem: Problem) -> bool:
    promises = [moment for moment in (problem.ship_by, problem.deliver_by) if moment is not None]
    if wanted.promised is not None and wanted.promised != bool(promises):
        return False
    if wanted.promise_days_max is None:
        return True
    return bool(promises) and (min(promises) - problem.now).days < wanted.promise_days_max
