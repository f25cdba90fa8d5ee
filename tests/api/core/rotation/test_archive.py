"""An old key stays for as long as any restorable backup may hold something that only it opens."""

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from api.core.rotation.archive import LOOK_AGAIN, Backups, kept_until
from tests.product import NOW

KEEP = timedelta(days=14)
moments = st.integers(-40 * 24, 0).map(lambda hours: NOW + timedelta(hours=hours))


@given(st.lists(moments, max_size=20), moments)
def test_it_goes_exactly_when_every_backup_is_younger_than_the_re_encryption(
    ended: list[datetime], freed_at: datetime
) -> None:
    until = kept_until(Backups(ended, KEEP), freed_at, NOW)
    assert (until is None) is all(one > freed_at for one in ended)
    assert until is None or until >= NOW + LOOK_AGAIN


def test_the_moment_it_says_is_when_the_last_old_backup_is_past_retention() -> None:
    freed = NOW - timedelta(days=3)
    old, newer = freed - timedelta(hours=1), [freed + timedelta(hours=hours) for hours in (5, 29)]
    assert kept_until(Backups([old], KEEP), freed, NOW) == NOW + KEEP, "the last one stays"
    assert kept_until(Backups([old, *newer], KEEP), freed, NOW) == newer[0] + KEEP
    assert kept_until(Backups([old, *newer], KEEP), freed, newer[0] + KEEP) == newer[0] + KEEP + LOOK_AGAIN
    assert kept_until(Backups(newer, KEEP), freed, NOW) is None


@given(moments)
def test_where_a_vendor_does_not_say_the_whole_retention_passes(freed_at: datetime) -> None:
    until = kept_until(Backups(None, KEEP), freed_at, NOW)
    assert until == (freed_at + KEEP if NOW - freed_at < KEEP else None)
