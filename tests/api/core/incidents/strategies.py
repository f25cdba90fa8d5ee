"""Series of minutes: calm and bad stretches, gaps, trickles, traffic near every threshold."""

from hypothesis import strategies as st

from api.core.incidents.exchange_rate import Bucket

_CALM = st.sampled_from([Bucket(0, 100), Bucket(5, 100), Bucket(1, 20), Bucket(0, 0), Bucket(0, 4)])
_BAD = st.sampled_from([Bucket(6, 100), Bucket(100, 100), Bucket(1, 1), Bucket(1, 4), Bucket(2, 19)])
_ANY = st.integers(0, 40).flatmap(lambda n: st.builds(Bucket, st.integers(0, n), st.just(n)))
_STRETCH = st.tuples(st.none() | _CALM | _BAD | _ANY, st.integers(1, 13))


def _spread(stretches: list[tuple[Bucket | None, int]]) -> list[Bucket | None]:
    return [bucket for bucket, minutes in stretches for _ in range(minutes)]


series = st.lists(_STRETCH, min_size=1, max_size=8).map(_spread)
