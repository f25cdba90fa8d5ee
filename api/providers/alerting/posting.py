"""A channel's HTTP: one address that is a credential, and errors that say whether to try again.

429                          `Throttled`     after Retry-After
no connection, 408, 5xx      `Unavailable`   it may be tried again
no answer in time            `TimedOut`      it may have arrived: tried again all the same
anything else but 2xx        `Rejected`      the channel is dead
"""

import hashlib
import logging
from datetime import timedelta
from typing import Any

import httpx

from api.core.alerts.messages import Throttled
from api.core.errors import ProviderError, Rejected, TimedOut, Unavailable

TIMEOUT = httpx.Timeout(5, connect=3)
LONGEST_WAIT = timedelta(hours=1)
_SAID = 200

for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # they log addresses


class Posting:
    """`transport` is for tests."""

    def __init__(self, kind: str, url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._kind = kind
        self.url = httpx.URL(url)
        self.fingerprint = hashlib.sha256(url.encode()).hexdigest()[:16]
        self._client = httpx.Client(timeout=TIMEOUT, transport=transport, follow_redirects=False)

    def ask(self, operation: str, method: str, url: httpx.URL, **request: Any) -> httpx.Response:
        """Any answer that needs no second attempt. Raises `Throttled`, `Unavailable`, `TimedOut`."""
        try:
            answer = self._client.request(method, url, **request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self._error(Unavailable, operation, f"cannot be reached ({type(error).__name__})") from None
        except httpx.HTTPError as error:
            raise self._error(TimedOut, operation, f"gave no answer ({type(error).__name__})") from None
        if answer.status_code == 429:
            raise Throttled(
                f"{self._kind} asks for patience.",
                provider=self._kind,
                operation=operation,
                retry_after=_retry_after(answer),
            )
        if answer.status_code >= 500 or answer.status_code == 408:
            raise self._error(Unavailable, operation, f"answered {answer.status_code}")
        return answer

    def call(self, operation: str, method: str, url: httpx.URL, **request: Any) -> httpx.Response:
        """An answer of 2xx. Raises `Rejected` too."""
        answer = self.ask(operation, method, url, **request)
        if not answer.is_success:
            raise self._error(
                Rejected, operation, f"answered {answer.status_code} {self._quoted(answer)}".rstrip()
            )
        return answer

    def _quoted(self, answer: httpx.Response) -> str:
        """Its own words, unless they give the address away."""
        said = " ".join(answer.text.split())[:_SAID]
        parts = [part for part in self.url.path.split("/") if len(part) > 7]
        return "" if any(part in said for part in parts) else said

    def _error(self, kind: type[ProviderError], operation: str, said: str) -> ProviderError:
        return kind(f"{self._kind} {said}.", provider=self._kind, operation=operation)


def _retry_after(answer: httpx.Response) -> timedelta:
    """Whole or broken seconds; a date, or nothing, counts as a second."""
    try:
        seconds = float(answer.headers.get("Retry-After", "1"))
    except ValueError:
        seconds = 1.0
    if not 0 <= seconds < float("inf"):
        seconds = 1.0
    return min(timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds())), LONGEST_WAIT)
