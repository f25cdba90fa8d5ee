"""R3: three exhausted deliveries, two integrations, two hosts, a quarter of an hour."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from api.core.incidents import exhaustion
from api.core.incidents.exhaustion import Exhausted
from api.core.incidents.verdicts import Verdict
from tests.product import NOW


def given_up(*written: str) -> list[Exhausted]:
    """`14 a x`: so many minutes ago, of integration a, to host x."""
    parts = [one.split() for one in written]
    return [Exhausted(NOW - timedelta(minutes=float(ago)), app, host) for ago, app, host in parts]


def trips(*written: str) -> bool:
    return exhaustion.judge(given_up(*written), NOW)[0] is Verdict.TRIP


def test_what_trips_and_what_does_not() -> None:
    assert trips("14 a x", "5 a x", "0 b y")
    assert trips("15 a x", "5 a x", "0 b y")
    assert not trips("15.1 a x", "5 a x", "0 b y")
    assert not trips("5 a x", "0 b y")
    assert not trips("9 a x", "5 b x", "0 c x"), "one host is down"
    assert not trips("9 a x", "5 a y", "0 a z"), "one integration has trouble"
    assert not trips("9 a x", "5 a x", "-1 b y"), "what is dated in the future does not count"


@given(st.lists(st.tuples(st.integers(-2, 20), st.sampled_from("abc"), st.sampled_from("xyz"))))
def test_more_never_undo_a_trip(found: list[tuple[int, str, str]]) -> None:
    written = [f"{ago} {app} {host}" for ago, app, host in found]
    if trips(*written):
        assert trips(*written, "3 c z")
    lately = {(app, host) for ago, app, host in found if 0 <= ago <= 15}
    if len({app for app, _ in lately}) < 2 or len({host for _, host in lately}) < 2:
        assert not trips(*written)
