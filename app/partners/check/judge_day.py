"""The rules that a partner must keep, each judged from the evidence of a day.

A rule gives what is wrong, or None when it was kept. One that the day has nothing to say of raises `NotSeen`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from adapters.channels.threepl.base import PartnerOrder, PartnerStatus
from app.partners.check.day import ENDS, Day, Given
from domain.errors import CauseClass


class NotSeen(Exception):
    """The day did not come to it."""


class Verdict(StrEnum):
    PASS = "PASS"  # noqa: S105
    FAIL = "FAIL"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    text: str
    judge: Callable[[Day], str | None]


@dataclass(frozen=True, slots=True)
class Finding:
    rule: Rule
    verdict: Verdict
    detail: str | None


def judge_day(day: Day, rules: Sequence[Rule]) -> list[Finding]:
    found = []
    for rule in rules:
        try:
            wrong = rule.judge(day)
        except NotSeen as reason:
            found.append(Finding(rule, Verdict.SKIPPED, str(reason)))
        else:
            found.append(Finding(rule, Verdict.PASS if wrong is None else Verdict.FAIL, wrong))
    return found


def need(given: Given | None, what: str) -> Given:
    """The order, if there is one to judge by."""
    if given is None or not given.ids:
        raise NotSeen(f"{what} was not given")
    return given


def judge_credentials(day: Day) -> str | None:
    return None if day.stranger == 401 else "wrong credentials were not answered with 401 or 403"


def judge_speed(day: Day) -> str | None:
    slow = [call for call in day.calls if call.seconds > day.answer_seconds_max]
    return f"{slow[0].method} took {slow[0].seconds:.1f} s" if slow else None


def judge_contract(day: Day) -> str | None:
    broken = [fault for _, fault in day.faults if fault.cause is CauseClass.VALIDATION and fault.transient]
    return str(broken[0]) if broken else None


def judge_acknowledgement(day: Day) -> str | None:
    faults = day.faults_at("delegate")
    return f"an order was not taken in: {faults[0]}" if faults else None


def judge_same_order(day: Day) -> str | None:
    plain = need(day.plain, "an order")
    return None if len(set(plain.ids)) == 1 else "the same transaction twice became two orders"


def judge_own_ids(day: Day) -> str | None:
    ids = [given.ids[0] for given in day.given()]
    return None if len(set(ids)) == len(ids) else "different orders got the same id"


def judge_shipping(day: Day) -> str | None:
    plain = need(day.plain, "an order")
    if not plain.ended:
        return "an order that there is stock for has not ended in time"
    assert plain.last is not None
    return None if plain.shipped() == plain.ordered else f"it ended as {plain.last.status} with {plain.shipped()}"


def judge_tracking(day: Day) -> str | None:
    parcels = [parcel for given in day.given() if given.last for parcel in given.last.shipments]
    if not parcels:
        raise NotSeen("nothing was shipped")
    bare = [parcel for parcel in parcels if not parcel.carrier or not parcel.tracking_number]
    return f"parcel {bare[0].notification_id} has no carrier or no tracking number" if bare else None


def judge_excess(day: Day) -> str | None:
    for given in day.given():
        more = {key: units for key, units in given.shipped().items() if units > given.ordered.get(key, 0)}
        if more:
            return f"{given.work.reference}: shipped {more} of {given.ordered}"
    return None


def judge_shortage(day: Day) -> str | None:
    short = need(day.short, "an order of more than there is")
    if not short.ended:
        return "it has not ended in time"
    shipped, refused = short.shipped(), short.refused()
    told = {key: shipped.get(key, 0) + refused.get(key, 0) for key in short.ordered}
    if told != short.ordered:
        return f"ordered {short.ordered}, told of {told}: every unit is shipped or refused"
    return None if any(refused.values()) else "it claims to have shipped more than it said was there"


def judge_unknown_sku(day: Day) -> str | None:
    unknown = need(day.unknown, "an order of an unknown SKU")
    if unknown.last is None or unknown.last.status is not PartnerStatus.REJECTED:
        return "an order of an unknown SKU is not REJECTED"
    return None if any(one.reason for one in unknown.last.refusals) else "it is rejected without a reason"


def judge_cancel_heard(day: Day) -> str | None:
    need(day.early, "an order")
    faults = day.faults_at("cancel")
    return f"a request to cancel was refused: {faults[0]}" if faults else None


def judge_one_end(day: Day) -> str | None:
    for given in day.given():
        shipped, refused = given.shipped(), given.refused()
        both = [key for key, units in given.ordered.items() if shipped[key] + refused[key] > max(units, shipped[key])]
        if both:
            return f"{given.work.reference}: the same units are shipped and refused"
    return None


def judge_cancel_ends(day: Day) -> str | None:
    for given in (need(day.early, "an order"), need(day.race, "an order to race")):
        if not given.ended:
            return f"{given.work.reference} has not ended in time after it was cancelled"
    return None


def judge_late_cancel(day: Day) -> str | None:
    plain = need(day.plain, "an order")
    if not day.late_cancel:
        raise NotSeen("nothing was shipped in time")
    assert plain.last is not None
    return None if plain.last.status is PartnerStatus.SHIPPED else f"what had left is {plain.last.status}"


def judge_forward(day: Day) -> str | None:
    for given in day.given():
        ends = [order.status for order in given.heard]
        for before, after in pairwise(ends):
            if before in ENDS and after is PartnerStatus.PROCESSING:
                return f"{given.work.reference} went from {before} back to {after}"
    return None


def judge_stable_ids(day: Day) -> str | None:
    if len(day.all_again) < 2:
        raise NotSeen("changes were not read twice")
    first, second = (_parcels(orders) for orders in day.all_again[:2])
    if not first:
        raise NotSeen("nothing was shipped")
    return None if first == second else "the same parcels had other ids or contents when read again"


def judge_since(day: Day) -> str | None:
    if not day.all_again:
        raise NotSeen("changes were not read")
    told = {order.partner_order_id for order in day.all_again[0]}
    missing = [given.work.reference for given in day.given() if given.ids[0] not in told]
    return f"changes since the start of the day leave out {', '.join(missing)}" if missing else None


def judge_pages(day: Day) -> str | None:
    return f"the pages of {day.endless[0]} do not end" if day.endless else None


def judge_one_truth(day: Day) -> str | None:
    told = {order.partner_order_id: order for order in day.all_again[-1]} if day.all_again else {}
    for key, alone in day.asked_alone.items():
        if key in told and alone != told[key]:
            return f"get_fulfillments and get_recent_changes disagree about {key}"
    return None


def judge_strings(day: Day) -> str | None:
    for call in day.calls:
        found = call.answer.get("inventory") if isinstance(call.answer, dict) else None
        for level in found if isinstance(found, list) else [found] if isinstance(found, dict) else ():
            wrong = [n for n in level if n.endswith("_quantity") and not isinstance(level[n], str)]
            if wrong:
                return f"{wrong[0]} of {level.get('sku')} is not a string"
    return None


def judge_sums(day: Day) -> str | None:
    for level in (*day.morning.values(), *day.evening.values()):
        if level.available + level.committed > level.on_hand:
            return f"{level.sku}: {level.available} available and {level.committed} committed of {level.on_hand}"
    return None


def judge_stock_follows(day: Day) -> str | None:
    if day.sku not in day.morning or day.sku not in day.evening:
        raise NotSeen("the snapshot does not show the SKU")
    orders = [given for given in day.given() if given.work.lines[0].sku == day.sku]
    shipped = sum(sum(given.shipped().values()) for given in orders)
    gone = day.morning[day.sku].on_hand - day.evening[day.sku].on_hand
    return None if gone == shipped else f"{shipped} units of {day.sku} were shipped, {gone} are gone from on_hand"


def _parcels(orders: Sequence[PartnerOrder]) -> dict[str, object]:
    return {parcel.notification_id: parcel for order in orders for parcel in order.shipments}
