"""The token bucket: what is admitted, what is owed, what a change of rate keeps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynabus.core.admission.bucket import TokenBucket


def spent(bucket: TokenBucket, cost: int, now_ms: float) -> bool:
    """One request that costs what was estimated."""
    admitted = bucket.admits(cost, now_ms)
    if admitted:
        bucket.charge(cost)
    return admitted


def test_it_is_full_at_the_start_and_refills_at_its_rate() -> None:
    bucket = TokenBucket(10, 3000, 0)
    assert sum(spent(bucket, 2, 0) for _ in range(2000)) == 1500
    assert not spent(bucket, 2, 199)
    assert spent(bucket, 2, 200)
    assert not spent(bucket, 2, 399)


def test_it_never_holds_more_than_its_depth() -> None:
    bucket = TokenBucket(10, 3000, 0)
    bucket.charge(-500)
    bucket.refill(1_000_000)
    assert bucket.level == 3000


def test_a_large_request_needs_a_full_bucket_and_leaves_a_debt() -> None:
    bucket = TokenBucket(10, 100, 0)
    assert spent(bucket, 250, 0)
    assert bucket.level == -150
    assert not spent(bucket, 1, 15_000)
    assert spent(bucket, 1, 15_100)
    assert not bucket.admits(250, 20_000)
    assert bucket.admits(250, 25_100)


def test_what_a_read_used_is_charged_afterwards() -> None:
    bucket = TokenBucket(10, 100, 0)
    assert bucket.admits(2, 0)
    bucket.charge(130)
    assert bucket.level == -30
    assert not bucket.admits(1, 3000)
    assert bucket.admits(1, 3100)


def test_fractions_of_a_unit_are_not_lost_between_looks() -> None:
    bucket = TokenBucket(1, 10, 0)
    bucket.charge(10)
    for now_ms in range(0, 5001, 7):
        bucket.refill(now_ms + 0.25)
    assert bucket.level == 4
    bucket.refill(5001)
    assert bucket.level == 5


def test_a_clock_that_goes_back_refills_nothing() -> None:
    bucket = TokenBucket(10, 100, 1000)
    bucket.charge(100)
    bucket.refill(0)
    bucket.refill(1000)
    assert bucket.level == 0


def test_a_change_of_rate_keeps_the_filled_fraction_and_debts() -> None:
    bucket = TokenBucket(10, 3000, 0)
    bucket.charge(1500)
    bucket.change(20, 6000, 0)
    assert bucket.level == 3000
    bucket.change(2, 600, 0)
    assert bucket.level == 300
    bucket.charge(400)
    bucket.change(20, 6000, 0)
    assert bucket.level == -100


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 60)), max_size=80), st.integers(1, 50))
def test_no_more_is_admitted_than_depth_and_refill_and_one_request(steps: list[tuple[int, int]], rate: int) -> None:
    bucket, now_ms, admitted, largest = TokenBucket(rate, 3 * rate, 0), 0, 0, 0
    for pause_ms, cost in steps:
        now_ms += pause_ms
        if spent(bucket, cost, now_ms):
            admitted += cost
            largest = max(largest, cost)
    assert admitted <= 3 * rate + rate * now_ms / 1000 + largest
