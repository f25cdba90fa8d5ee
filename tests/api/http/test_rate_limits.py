"""Token buckets: exact, bounded in memory, and said in the headers of the draft."""

from hypothesis import given
from hypothesis import strategies as st

from api.http.rate_limits import FAILURES_BURST, Buckets, RateLimits


class Watch:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(
    rate=st.floats(0.1, 1000),
    burst=st.integers(1, 50),
    waits=st.lists(st.floats(0, 10), max_size=100),
)
def test_never_more_calls_than_the_burst_and_the_refill_allow(
    rate: float, burst: int, waits: list[float]
) -> None:
    watch = Watch()
    buckets = Buckets(rate, burst, watch)
    allowed = 0
    for wait in waits:
        watch.now += wait
        taken = buckets.take("k")
        allowed += not taken.retry_after
        assert 0 <= taken.remaining < burst and taken.reset >= 0
        assert allowed <= burst + (watch.now - 1000) * rate + 1e-6


def test_waiting_as_long_as_told_is_enough() -> None:
    watch = Watch()
    buckets = Buckets(0.3, 2, watch)
    assert [buckets.take("k").retry_after for _ in range(3)] == [0, 0, 4]
    assert buckets.empty("k") == 4
    watch.now += 4
    assert buckets.empty("k") == 0
    assert buckets.take("k").retry_after == 0


def test_one_key_does_not_use_up_anothers_calls() -> None:
    buckets = Buckets(1, 1, Watch())
    assert [buckets.take(name).retry_after for name in ("a", "b", "a")] == [0, 0, 1]


def test_memory_is_bounded_and_the_busy_are_kept() -> None:
    buckets = Buckets(1, 5, Watch(), max_buckets=100)
    for number in range(1000):
        buckets.take("busy")
        buckets.take(f"passer-by {number}")
    assert len(buckets) == 100
    assert buckets.take("busy").retry_after > 0


def test_the_headers_say_what_is_left() -> None:
    limits = RateLimits(10, 25, Watch())
    assert dict(limits.headers(limits.of_key("k"))) == {
        b"ratelimit-policy": b'"key";q=25;w=3',
        b"ratelimit": b'"key";r=24;t=1',
    }


def test_bad_keys_are_counted_per_network() -> None:
    limits = RateLimits(10, 10, Watch())
    assert [limits.failed("2001:db8::/64") for _ in range(FAILURES_BURST + 1)] == [0] * FAILURES_BURST + [1]
    assert limits.blocked("2001:db8::/64") == 1
    assert limits.blocked("192.0.2.1") == 0
