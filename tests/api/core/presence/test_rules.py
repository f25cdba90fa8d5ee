"""What a heartbeat may claim."""

from datetime import timedelta

from api.core.presence.rules import CLOCK_SKEW, Beat, clamp, newest_per_user
from tests.product import NOW


def test_a_claimed_moment_is_held_within_a_minute_of_ours() -> None:
    hour = timedelta(hours=1)
    assert clamp(None, NOW) == NOW
    assert clamp(NOW - hour, NOW) == NOW - CLOCK_SKEW
    assert clamp(NOW + hour, NOW) == NOW + CLOCK_SKEW
    assert clamp(NOW - timedelta(seconds=5), NOW) == NOW - timedelta(seconds=5)


def test_one_beat_per_user_the_newest_in_user_order() -> None:
    later = NOW + timedelta(seconds=1)
    beats = [
        Beat("b", "live", NOW),
        Beat("a", "live", later),
        Beat("b", "left", later),
        Beat("a", "left", NOW),
    ]
    assert newest_per_user(beats) == [Beat("a", "live", later), Beat("b", "left", later)]
