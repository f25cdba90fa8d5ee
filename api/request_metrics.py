"""How requests were answered and how long they took, by route: counted in this process, where every answer
passes.

A counting costs one look-up and two additions: a metrics library's own would cost as much as a tenth of a
heartbeat. Labels are route templates, never paths: their number is that of the routes.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric

BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
UNMATCHED = "(none)"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SUM = len(BOUNDS_MS) + 1

Key = tuple[str, str, int]
"""Method, route, status."""


@dataclass(frozen=True, slots=True)
class Timing:
    """`buckets`: (upper bound in seconds, how many were at most as slow), the last one without a bound."""

    buckets: Sequence[tuple[str, float]]
    seconds: float


class RequestCounts:
    def __init__(self) -> None:
        self._known: dict[Key, list[float]] = {}

    def observe(self, method: str, route: str, status: int, ms: float) -> None:
        """`route` is a template; `UNMATCHED` where there is none."""
        key = (method, route, status)
        counts = self._known.get(key)
        if counts is None:
            counts = self._known[key] = [0.0] * (_SUM + 1)
        counts[bisect_left(BOUNDS_MS, ms)] += 1
        counts[_SUM] += ms

    def answers(self) -> Mapping[Key, float]:
        return {key: sum(counts[:_SUM]) for key, counts in list(self._known.items())}

    def timings(self) -> Mapping[tuple[str, str], Timing]:
        """By method and route."""
        added: dict[tuple[str, str], list[float]] = {}
        for (method, route, _), counts in list(self._known.items()):
            total = added.setdefault((method, route), [0.0] * (_SUM + 1))
            for place, number in enumerate(counts):
                total[place] += number
        return {key: _timing(counts) for key, counts in added.items()}

    def collect(self) -> Iterator[Metric]:
        """For Prometheus."""
        answered = CounterMetricFamily(
            "firstuser_http_requests",
            "Requests answered by this process.",
            labels=["method", "route", "status"],
        )
        for (method, route, status), number in sorted(self.answers().items()):
            answered.add_metric([method, route, str(status)], number)
        yield answered
        timed = HistogramMetricFamily(
            "firstuser_http_request_duration_seconds",
            "From a request's first byte to its answer's last; streams last as long as they are open.",
            labels=["method", "route"],
        )
        for (method, route), timing in sorted(self.timings().items()):
            timed.add_metric([method, route], list(timing.buckets), timing.seconds)
        yield timed


def route_of(scope: Mapping[str, Any]) -> str:
    """The template of the route that was asked for, as the application has found it."""
    path: object = getattr(scope.get("route"), "path", None)
    if isinstance(path, str):
        return path
    return "/static/{path}" if str(scope.get("path", "")).startswith("/static/") else UNMATCHED


def method_of(scope: Mapping[str, Any]) -> str:
    """Whatever else a client may call it is one method."""
    method = str(scope["method"])
    return method if method in _METHODS else "OTHER"


def _timing(counts: Sequence[float]) -> Timing:
    within, buckets = 0.0, list[tuple[str, float]]()
    for bound, number in zip((*[str(ms / 1000) for ms in BOUNDS_MS], "+Inf"), counts[:_SUM], strict=True):
        within += number
        buckets.append((bound, within))
    return Timing(buckets, counts[_SUM] / 1000)


counts = RequestCounts()
