"""What a channel is told never exceeds what is there, whatever the policy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from domain.publish import (
    PublishPolicy,
    SourceStock,
    compute_adaptive_buffer,
    compute_exposure,
    compute_published,
)

UNITS = st.integers(0, 10_000)
HOUSES = st.sampled_from(("BER", "NYC", "LON"))
POLICIES = st.builds(
    PublishPolicy,
    buffer=UNITS,
    share_percent=st.integers(0, 100),
    maximum=st.none() | UNITS,
    minimum=st.integers(0, 100),
    multiple=st.integers(1, 24),
    adaptive_buffer=st.integers(0, 50),
    frozen=st.booleans(),
    safety_stock=st.none() | st.integers(0, 100),
    warehouses=st.none() | st.frozensets(HOUSES),
)
SOURCES = st.lists(st.builds(SourceStock, UNITS, st.integers(0, 100), HOUSES), max_size=5)


@given(POLICIES, SOURCES)
def test_never_more_than_is_sellable(policy: PublishPolicy, sources: list[SourceStock]) -> None:
    shown = compute_published(policy, sources)
    sellable, available = 0, 0
    for one in sources:
        if policy.warehouses is None or one.warehouse in policy.warehouses:
            kept = one.safety_stock if policy.safety_stock is None else policy.safety_stock
            sellable, available = sellable + max(0, one.available - kept), available + one.available
    assert 0 <= shown <= sellable * policy.share_percent / 100
    assert shown % policy.multiple == 0
    assert shown == 0 or shown >= policy.minimum
    assert policy.maximum is None or shown <= policy.maximum
    assert not (policy.frozen and shown)
    assert compute_exposure(shown, available) == 0


def test_each_part_of_a_policy() -> None:
    stock = [SourceStock(10, 2, "BER"), SourceStock(1, 5, "NYC")]
    assert compute_published(PublishPolicy(), stock) == 8
    assert compute_published(PublishPolicy(share_percent=50), stock) == 4
    assert compute_published(PublishPolicy(buffer=3), stock) == 5
    assert compute_published(PublishPolicy(maximum=6, multiple=4), stock) == 4
    assert compute_published(PublishPolicy(minimum=9), stock) == 0
    assert compute_published(PublishPolicy(frozen=True), stock) == 0
    assert compute_published(PublishPolicy(safety_stock=0), stock) == 11
    assert compute_published(PublishPolicy(safety_stock=4), stock) == 6
    assert compute_published(PublishPolicy(warehouses=frozenset({"NYC"})), stock) == 0
    assert compute_published(PublishPolicy(safety_stock=0, warehouses=frozenset({"NYC"})), stock) == 1


def test_exposure_is_what_may_be_sold_and_is_not_there() -> None:
    assert compute_exposure(10, 4) == 6
    assert compute_exposure(3, 4) == 0
    assert compute_exposure(None, 0) == 0


def test_an_adaptive_buffer_covers_what_sells_during_the_lag() -> None:
    assert compute_adaptive_buffer(0.5, 3.0, ceiling=100) == 2
    assert compute_adaptive_buffer(0.0, 3.0, ceiling=100) == 0
    assert compute_adaptive_buffer(1_000.0, 3.0, ceiling=100) == 100
