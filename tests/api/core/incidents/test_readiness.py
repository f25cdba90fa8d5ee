"""R2: sequences of probes, ten seconds apart unless a hole is in them."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from api.core.incidents import readiness
from api.core.incidents.readiness import Outcome, Probe
from api.core.incidents.verdicts import Verdict
from tests.product import NOW

LETTERS = {"F": Outcome.FAIL, "P": Outcome.PASS, "?": Outcome.UNKNOWN}


def probes(written: str, every: int = 10) -> list[Probe]:
    """F fails, P passes, ? is unknown, a space is a probe that is missing."""
    at = [NOW + timedelta(seconds=every * place) for place in range(len(written))]
    return [Probe(when, LETTERS[one]) for when, one in zip(at, written, strict=True) if one != " "]


def verdict(written: str, every: int = 10) -> Verdict:
    found = probes(written, every)
    return readiness.judge(found, found[-1].at)[0]


def test_more_than_two_minutes_of_failures_trip() -> None:
    assert verdict("P" + "F" * 13) is Verdict.PENDING
    assert verdict("P" + "F" * 14) is Verdict.TRIP


def test_a_pass_begins_anew() -> None:
    assert verdict("F" * 7 + "P" + "F" * 13) is Verdict.PENDING
    assert verdict("F" * 7 + "P" + "F" * 14) is Verdict.TRIP
    assert verdict("F" * 20 + "P") is Verdict.OK


def test_a_hole_of_a_minute_begins_anew_and_one_of_twenty_seconds_does_not() -> None:
    assert verdict("F" * 7 + " " * 5 + "F" * 7) is Verdict.PENDING
    assert verdict("F" * 7 + " " + "F" * 7) is Verdict.TRIP
    assert verdict("F" * 7 + "  " + "F" * 7) is Verdict.TRIP  # 30 s are not over 30 s
    assert verdict("F" * 7 + "   " + "F" * 10) is Verdict.PENDING


def test_unknown_neither_fails_nor_passes_nor_fills_a_hole() -> None:
    assert verdict("F" * 7 + "?" + "F" * 6) is Verdict.TRIP
    assert verdict("F" * 7 + "?" * 5 + "F" * 7) is Verdict.PENDING
    assert verdict("?" * 30) is Verdict.NO_DATA


def test_few_failures_do_not_trip_however_long_they_take() -> None:
    assert verdict("F" * 5, every=30) is Verdict.PENDING  # 120 s
    assert verdict("F" * 6, every=30) is Verdict.TRIP
    assert verdict("FFFF", every=30) is Verdict.PENDING


def test_an_old_observation_says_nothing_and_a_future_one_neither() -> None:
    found = probes("F" * 20)
    assert readiness.judge(found, found[-1].at + timedelta(seconds=31))[0] is Verdict.NO_DATA
    assert readiness.judge(found, found[4].at)[0] is Verdict.PENDING
    assert readiness.judge([], NOW)[0] is Verdict.NO_DATA


@given(st.text(alphabet="FP? ", min_size=1, max_size=60).map(lambda text: text + "F"))
def test_it_says_what_the_rule_says_word_for_word(written: str) -> None:
    """Walking back from the newest failure until a pass, or a hole of over 30 seconds."""
    seen = [probe for probe in probes(written) if probe.outcome is not Outcome.UNKNOWN]
    run = [seen[-1]]
    for before in reversed(seen[:-1]):
        if before.outcome is Outcome.PASS or (run[0].at - before.at).total_seconds() > 30:
            break
        run.insert(0, before)
    trips = (run[-1].at - run[0].at).total_seconds() > 120 and len(run) >= 5
    assert (verdict(written) is Verdict.TRIP) == trips


@given(st.text(alphabet="FP? ", min_size=1, max_size=60).map(lambda text: text + "F"))
def test_a_pass_that_was_a_failure_never_undoes_a_trip(written: str) -> None:
    if verdict(written) is Verdict.TRIP:
        assert verdict(written.replace("P", "F")) is Verdict.TRIP
