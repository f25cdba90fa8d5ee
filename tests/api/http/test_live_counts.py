"""One count for many who ask, kept only when counting takes long."""

import threading
from concurrent.futures import ThreadPoolExecutor
from time import sleep

from api.http.live_counts import KEPT_S, WORTH_KEEPING_S, LiveCounts


class Watch:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_count_that_took_long_is_kept_for_a_second() -> None:
    watch, counted = Watch(), iter(range(10))
    counts = LiveCounts(watch)

    def slow() -> int:
        watch.now += 2 * WORTH_KEEPING_S
        return next(counted)

    assert [counts.of(["a"], slow), counts.of(["a"], slow), counts.of(["b"], slow)] == [0, 0, 1]
    assert counts.known(("a",)) == 0
    watch.now += KEPT_S
    assert counts.known(("a",)) is None
    assert counts.of(["a"], slow) == 2


def test_a_quick_count_is_made_anew() -> None:
    watch, counted = Watch(), iter(range(10))
    counts = LiveCounts(watch)
    found: list[int] = []
    for _ in range(2):
        found.append(counts.of(["a"], lambda: next(counted)))
        watch.now += 0.001
    assert found == [0, 1]


def test_who_asks_at_the_same_time_shares_a_count() -> None:
    counts, lock, ran = LiveCounts(), threading.Lock(), list[int]()

    def count() -> int:
        with lock:
            ran.append(1)
        sleep(0.05)
        return len(ran)

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: counts.of(["a"], count), range(16)))
    assert len(ran) == 1 and set(found) == {1}
