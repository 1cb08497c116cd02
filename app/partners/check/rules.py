"""Every rule of the conformance kit, in the order in which they are printed."""

from __future__ import annotations

from app.partners.check import judge_day as j
from app.partners.check.day import Day
from app.partners.check.judge_day import NotSeen, Rule


def _hook(name: str, *, taken: bool, wrong: str) -> Rule:
    texts = {
        "right": "a signed event is answered with 2xx",
        "forged": "an event with a wrong signature is refused with 4xx",
        "old": "an event signed long ago is refused with 4xx",
        "twice": "the same event again is answered with 2xx",
        "earlier": "an event that comes after a later one is answered with 2xx",
    }

    def judge(day: Day) -> str | None:
        if name not in day.hooks:
            raise NotSeen("no webhook address was given")
        answer = day.hooks[name]
        kept = answer.taken if taken else answer.refused
        return None if kept else f"{wrong} ({answer.status or 'no answer'})"

    return Rule(f"event-{name}", texts[name], judge)


RULES: tuple[Rule, ...] = (
    Rule("credentials", "wrong credentials are refused", j.judge_credentials),
    Rule("speed", "every answer comes within 5 s", j.judge_speed),
    Rule("contract", "every answer is as the contract has it", j.judge_contract),
    Rule("acknowledge", "an order is answered with its id", j.judge_acknowledgement),
    Rule("idempotent", "the same transaction again is the same order", j.judge_same_order),
    Rule("own-id", "different orders have different ids", j.judge_own_ids),
    Rule("ship", "an order that there is stock for is shipped, whole", j.judge_shipping),
    Rule("tracking", "every parcel has a carrier and a tracking number", j.judge_tracking),
    Rule("no-excess", "never more is shipped than was ordered", j.judge_excess),
    Rule("short-ship", "of an order of too much, every unit is shipped or refused", j.judge_shortage),
    Rule("unknown-sku", "an order of an unknown SKU is rejected with a reason", j.judge_unknown_sku),
    Rule("cancel-heard", "a request to cancel is heard, also the second time", j.judge_cancel_heard),
    Rule("cancel-ends", "what was to be cancelled ends, one way or the other", j.judge_cancel_ends),
    Rule("one-end", "no unit is both shipped and refused", j.judge_one_end),
    Rule("cancel-late", "what has left stays shipped", j.judge_late_cancel),
    Rule("forward", "what has ended does not go back", j.judge_forward),
    Rule("stable-ids", "a parcel keeps its notification_id and its contents", j.judge_stable_ids),
    Rule("since", "changes since a time are all of them", j.judge_since),
    Rule("pages-end", "paging ends", j.judge_pages),
    Rule("one-truth", "get_fulfillments agrees with get_recent_changes", j.judge_one_truth),
    Rule("stock-strings", "quantities of the snapshot are strings", j.judge_strings),
    Rule("stock-sums", "available and committed are no more than on hand", j.judge_sums),
    Rule("stock-follows", "what was shipped is gone from the snapshot", j.judge_stock_follows),
    _hook("right", taken=True, wrong="it was not taken"),
    _hook("forged", taken=False, wrong="it was not refused"),
    _hook("old", taken=False, wrong="it was not refused"),
    _hook("twice", taken=True, wrong="it was not taken again"),
    _hook("earlier", taken=True, wrong="it was not taken"),
)
