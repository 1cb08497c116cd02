"""Patch or feed: plain arithmetic on the quotas."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.channels.amazon.choose_route import (
    FEED_MESSAGES_MAX,
    Pace,
    Route,
    choose_route,
    estimate_feeds,
    estimate_patches,
    size_batch,
)

PACE = Pace(patch_rate=5, patch_burst=5, feed_rate=0.0083, feed_burst=15, feed_seconds=300)

paces = st.builds(
    Pace,
    patch_rate=st.floats(0.1, 100),
    patch_burst=st.floats(1, 100),
    feed_rate=st.floats(0.001, 1),
    feed_burst=st.floats(1, 30),
    feed_seconds=st.floats(1, 3600),
    feed_wait_seconds=st.one_of(st.just(0.0), st.floats(0, 600)),
)


@pytest.mark.parametrize(
    ("writes", "route"),
    [(1, Route.PATCH), (1_505, Route.PATCH), (1_506, Route.FEED), (20_000, Route.FEED), (400_000, Route.FEED)],
)
def test_at_the_published_quotas_fifteen_hundred_are_worth_a_feed(writes: int, route: Route) -> None:
    assert choose_route(writes, PACE, urgent=False) is route


def test_estimates() -> None:
    assert estimate_patches(5, PACE) == 0
    assert estimate_patches(20_000, PACE) == pytest.approx(3_999)
    assert estimate_feeds(20_000, PACE) == 300
    assert estimate_feeds(16 * FEED_MESSAGES_MAX, PACE) == pytest.approx(300 + 1 / 0.0083)


def test_slow_feeds_are_worth_it_later() -> None:
    slow = replace(PACE, feed_seconds=1_800)
    assert choose_route(5_000, slow, urgent=False) is Route.PATCH
    assert choose_route(10_000, slow, urgent=False) is Route.FEED


def test_no_feed_to_be_had_means_patches_meanwhile() -> None:
    waiting = replace(PACE, feed_wait_seconds=90)
    assert choose_route(20_000, waiting, urgent=False) is Route.PATCH
    assert size_batch(20_000, waiting, urgent=False) == 10


def test_sizes() -> None:
    assert size_batch(3, PACE, urgent=False) == 3
    assert size_batch(1_000, PACE, urgent=False) == 10
    assert size_batch(20_000, PACE, urgent=True) == 10
    assert size_batch(20_000, PACE, urgent=False) == 20_000
    assert size_batch(60_000, PACE, urgent=False) == FEED_MESSAGES_MAX


@given(pace=paces, writes=st.integers(1, 200_000), more=st.integers(0, 20_000))
def test_more_writes_never_leave_the_feed(pace: Pace, writes: int, more: int) -> None:
    """Within the feeds that may be created at once: a part of a token creates none."""
    at_once = FEED_MESSAGES_MAX * math.floor(pace.feed_burst)
    if choose_route(writes, pace, urgent=False) is Route.FEED and writes + more <= at_once:
        assert choose_route(writes + more, pace, urgent=False) is Route.FEED


def test_a_feed_that_must_wait_for_the_rest_of_its_token_is_reckoned_with() -> None:
    """The ninth of eight and a bit: patches are sooner than what is left of its token."""
    pace = Pace(patch_rate=93, patch_burst=1, feed_rate=0.001, feed_burst=8.0625, feed_seconds=1_214)
    assert estimate_feeds(200_000, pace) == 1_214
    assert estimate_feeds(200_001, pace) == pytest.approx(1_214 + 937.5)
    assert [choose_route(n, pace, urgent=False) for n in (200_000, 200_001)] == [Route.FEED, Route.PATCH]


@given(pace=paces, pending=st.integers(1, 200_000), urgent=st.booleans())
def test_a_batch_is_within_what_its_route_carries(pace: Pace, pending: int, urgent: bool) -> None:
    size = size_batch(pending, pace, urgent=urgent)
    assert 1 <= size <= pending
    assert size <= FEED_MESSAGES_MAX
    if urgent or pace.feed_wait_seconds > 0:
        assert size <= max(1, pace.patch_rate * 2)
