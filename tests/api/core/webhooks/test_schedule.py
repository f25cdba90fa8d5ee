"""When it is tried again: whatever an endpoint answers, a delivery ends, and never sooner than it should."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.core.webhooks import breaker, schedule
from api.core.webhooks.attempts import Attempt, Failure, failure_of
from api.core.webhooks.breaker import AHEAD, DISABLED_AFTER, LONGEST_PAUSE, OPEN_AFTER, Health
from api.core.webhooks.schedule import BUSY, BUSY_FOR, LONGEST, WAITS, Outcome, decide
from tests.product import NOW

LUCK = st.floats(0, 1)
STATUSES = st.sampled_from([200, 204, 301, 400, 404, 410, 429, 500, 502, 503, 504])
HEADERS = st.one_of(
    st.text(max_size=40),
    st.integers(-5, 10**12).map(str),
    st.just("Sun, 01 Nov 2026 12:10:00 GMT"),
    st.just("Wed, 31 Dec 9999 23:59:59 GMT"),
)


def answered(status: int, retry_after: str = "") -> Attempt:
    return Attempt(failure_of(status), status, retry_after=retry_after)


ATTEMPTS = st.one_of(
    st.builds(answered, STATUSES, HEADERS),
    st.sampled_from([one for one in Failure if one is not Failure.HELD]).map(Attempt),
)


def test_it_is_about_three_days_in_ten_attempts() -> None:
    assert len(WAITS) == 10
    assert timedelta(hours=75) < sum(WAITS, timedelta()) < timedelta(hours=77)


@given(ATTEMPTS, st.integers(0, 9), st.timedeltas(timedelta(0), timedelta(days=9)), LUCK)
def test_one_attempt_has_one_of_four_ends(attempt: Attempt, used: int, age: timedelta, luck: float) -> None:
    verdict = decide(attempt, used, NOW - age, NOW, luck)
    if verdict.outcome in (Outcome.DELIVERED, Outcome.EXHAUSTED):
        assert verdict.next_attempt_at is None
        assert (verdict.outcome is Outcome.DELIVERED) == attempt.delivered
        return
    assert verdict.next_attempt_at is not None
    wait = verdict.next_attempt_at - NOW
    assert timedelta(0) < wait <= LONGEST * 1.2
    if verdict.outcome is Outcome.SLOWED:
        assert attempt.status_code in BUSY and age < BUSY_FOR and verdict.attempts == used
    else:
        assert verdict.attempts == used + 1 < len(WAITS)
        assert wait >= WAITS[used + 1] * 0.8


@given(st.lists(st.tuples(ATTEMPTS, LUCK), min_size=1, max_size=400))
def test_every_delivery_ends(answers: list[tuple[Attempt, float]]) -> None:
    """Even where each answer asks for patience: the tries are bounded, and so is the time."""
    now, used, tries = NOW, 0, 0
    while True:
        attempt, luck = answers[tries % len(answers)]
        tries += 1
        verdict = decide(attempt, used, NOW, now, luck)
        if verdict.next_attempt_at is None:
            break
        now, used = verdict.next_attempt_at, verdict.attempts
    assert now - NOW <= timedelta(days=12)
    assert tries <= 24 * 3600 / 24 + len(WAITS)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("120", 120), ("0", 0), ("-1", 0), ("", 0), ("soon", 0), ("1" * 40, 86_400), ("٣", 0)],
)
def test_what_a_receiver_may_ask_for(header: str, seconds: int) -> None:
    assert schedule.retry_after(header, NOW) == timedelta(seconds=seconds)


def test_a_date_is_asked_for_too() -> None:
    assert schedule.retry_after("Sun, 01 Nov 2026 12:10:00 GMT", NOW) == timedelta(minutes=10)
    assert schedule.retry_after("Sun, 01 Nov 2020 12:10:00 GMT", NOW) == timedelta(0)


@given(st.lists(ATTEMPTS, max_size=60), st.integers(1, 50))
def test_a_breaker_opens_after_failures_in_a_row_and_a_success_closes_it(
    attempts: list[Attempt], concurrency: int
) -> None:
    health = breaker.after_all(Health(), attempts, NOW)
    row = 0
    for attempt in attempts:
        row = 0 if attempt.delivered else row + 1
    assert health.failures == row
    if health.open:
        assert health.not_before is not None and health.not_before > NOW
        assert breaker.quota(health, concurrency, 1e9, NOW) == 0
        later = NOW + max(LONGEST_PAUSE, LONGEST)
        assert breaker.quota(health, concurrency, 1e9, later) == (0 if health.disabled else 1)
    closed = breaker.after(health, answered(200), NOW)
    assert closed == Health(disabled=health.disabled)
    if not closed.disabled:
        assert breaker.quota(closed, concurrency, 1e9, NOW) == concurrency * AHEAD


def test_only_failing_for_five_days_disables() -> None:
    bad = answered(500)
    first = breaker.after(Health(), bad, NOW)
    assert not breaker.after(first, bad, NOW + DISABLED_AFTER - timedelta(seconds=1)).disabled
    assert breaker.after(first, bad, NOW + DISABLED_AFTER).disabled
    mended = breaker.after(first, answered(200), NOW + timedelta(days=4))
    assert not breaker.after(mended, bad, NOW + timedelta(days=6)).disabled


@given(st.floats(0, 1e4), st.floats(0.1, 1e3), st.timedeltas(timedelta(0), timedelta(days=1)))
def test_a_bucket_is_never_fuller_than_two_seconds(tokens: float, rate: float, passed: timedelta) -> None:
    full = breaker.refilled(min(tokens, 2 * rate), rate, NOW, NOW + passed)
    assert 0 <= full <= 2 * rate
    assert breaker.quota(Health(), 1000, full, NOW) <= 2 * rate
    assert breaker.refilled(0, rate, NOW, datetime(2020, 1, 1, tzinfo=UTC)) == 0  # a clock set back


def test_the_breaker_opens_at_five() -> None:
    assert OPEN_AFTER == 5
    assert not breaker.after_all(Health(), [answered(500)] * 4, NOW).open
    assert breaker.after_all(Health(), [answered(500)] * 5, NOW).open
