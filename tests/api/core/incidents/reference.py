"""R1 word for word and slowly, each minute by itself: what the quick evaluator is held against."""

from collections.abc import Sequence

Written = Sequence[tuple[int, int] | None]


def verdicts(series: Written) -> list[str]:
    return [verdict(series[: end + 1]) for end in range(len(series))]


def verdict(series: Written) -> str:
    """At the newest bucket of `series`."""
    i = len(series) - 1
    state = state_of(series, i)
    if series[i] is None or state == "NODATA":
        return "NO_DATA"
    if state != "BREACH":
        return {"OK": "OK", "THIN": "INSUFFICIENT"}[state]
    since, bridged, at = i, 0, i - 1
    while at >= 0:
        before = state_of(series, at)
        if before == "OK":
            break
        if before == "BREACH":
            since = at
        else:
            bridged += 1
            if bridged > 3:
                break
        at -= 1
    last_two = [bucket for bucket in series[max(0, i - 1) : i + 1] if bucket]
    failed, attempted = sum(f for f, _ in last_two), sum(n for _, n in last_two)
    lately = sum(bucket[0] for bucket in series[max(0, i - 9) : i + 1] if bucket)
    bad_now = failed >= 1 and 100 * failed > 5 * attempted
    return "TRIP" if i - since >= 10 and bad_now and lately >= 5 else "PENDING"


def state_of(series: Written, i: int) -> str:
    trailing = [series[at] for at in range(max(0, i - 4), i + 1)]
    present = [bucket for bucket in trailing if bucket is not None]
    if len(present) < min(3, i + 1):
        return "NODATA"
    failed, attempted = sum(f for f, _ in present), sum(n for _, n in present)
    if attempted < 20 and not (failed >= 5 and 2 * failed >= attempted):
        return "THIN"
    return "BREACH" if 100 * failed > 5 * attempted else "OK"
