"""Every form in which vendors ask for patience is understood; nonsense counts as nothing said."""

from datetime import UTC, datetime

import httpx
import pytest

from api.providers.rate_limits import wait_s

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "12"}, 12),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "Sun, 01 Nov 2026 12:00:30 GMT"}, 30),
        ({"Retry-After": "Sun, 01 Nov 2026 11:00:00 GMT"}, 0),
        ({"X-RateLimit-Reset-After": "0.65", "X-RateLimit-Reset": str(EPOCH + 9)}, 0.65),
        ({"Ratelimit-Reset": "45"}, 45),
        ({"Ratelimit-Reset": str(EPOCH + 45)}, 45),
        ({"X-RateLimit-Reset": str((EPOCH + 45) * 1000)}, 45),
        ({"X-RateLimit-Reset": "2026-11-01T12:01:00Z"}, 60),
        ({"Retry-After": "soon", "Ratelimit-Reset": "5"}, 5),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
    ],
)
def test_forms(headers: dict[str, str], seconds: float | None) -> None:
    found = wait_s(httpx.Headers(headers), NOW)
    assert found == (None if seconds is None else pytest.approx(seconds))
