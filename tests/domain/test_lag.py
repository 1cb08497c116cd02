"""Percentiles from buckets: never too short, at most a tenth too long."""

from __future__ import annotations

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain.lag import GROWTH, UNIT_SECONDS, bucket_of, percentile_of, seconds_of

times = st.floats(min_value=0.0, max_value=86_400.0)


@given(times)
def test_a_bucket_holds_what_is_put_into_it(seconds: float) -> None:
    longest = seconds_of(bucket_of(seconds))
    assert longest >= seconds * (1 - 1e-9)
    assert longest <= max(UNIT_SECONDS, seconds * GROWTH * (1 + 1e-9))


@given(st.lists(times, min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_that_of_the_times_themselves(lags: list[float], share: float) -> None:
    exact = sorted(lags)[math.ceil(len(lags) * share) - 1]
    found = percentile_of(Counter(map(bucket_of, lags)), share)
    assert found is not None
    assert exact * (1 - 1e-9) <= found <= max(UNIT_SECONDS, exact * GROWTH * (1 + 1e-9))


def test_nothing_has_no_percentile() -> None:
    assert percentile_of({}, 0.5) is None
