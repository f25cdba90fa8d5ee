"""One vendor's HTTP API as our adapters speak it: timeouts, errors of our own, nothing secret in either.

`call` returns an answer below 300; everything else is an error that says whether to try again:

    no connection, 429, 503     `Unavailable`   nothing was done
    no or half an answer, 5xx   `TimedOut`      what was done is unknown
    any other status            `Rejected`      it said no; its words are in the message, redacted
"""

import re
import time
from collections.abc import Sequence
from typing import Any

import httpx

from api.core.errors import ProviderError, Rejected, TimedOut, Unavailable

TIMEOUT = httpx.Timeout(4, connect=2)
_CONNECTS = 2  # only a connection is tried again: nothing has been said yet
_PAUSE_S = 0.2
_SAID = 200
_PERSONAL = re.compile(r"[^\s<>\"']+@[^\s<>\"']+|\+?\d(?:[ ().-]?\d){4,}")


class VendorHttp:
    """`secrets` never show in an error. `transport` is for tests."""

    def __init__(
        self,
        provider: str,
        base_url: str,
        *,
        secrets: Sequence[str] = (),
        headers: dict[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._provider = provider
        self._secrets = secrets
        self._client = httpx.Client(
            base_url=base_url, headers=headers, timeout=TIMEOUT, transport=transport, follow_redirects=False
        )

    def call(self, operation: str, method: str, path: str, **request: Any) -> httpx.Response:
        """`request` as httpx takes it. Raises `Unavailable`, `Rejected`, `TimedOut`."""
        try:
            answer = self._send(method, path, **request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self.error(Unavailable, operation, f"cannot be reached ({type(error).__name__})") from None
        except httpx.HTTPError as error:
            raise self.error(TimedOut, operation, f"gave no answer ({type(error).__name__})") from None
        if answer.status_code in {429, 503}:
            raise self.error(Unavailable, operation, f"answered {answer.status_code}")
        if answer.status_code >= 500:
            raise self.error(TimedOut, operation, f"answered {answer.status_code}")
        if answer.status_code >= 300:
            said = f"answered {answer.status_code}: {answer.text}"
            raise self.error(Rejected, operation, said)
        return answer

    def json(self, operation: str, answer: httpx.Response) -> dict[str, Any]:
        """The answer's object. Raises `TimedOut`: what was done is unknown when nobody can read it."""
        try:
            found: Any = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise self.error(TimedOut, operation, "gave an answer that cannot be read")
        return found

    def error(self, kind: type[ProviderError], operation: str, said: str, fix: str = "") -> ProviderError:
        message = f"{self._provider} {self._redacted(said)}."
        return kind(message, provider=self._provider, operation=operation, fix=fix)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        for _ in range(_CONNECTS - 1):
            try:
                return self._client.request(method, path, **request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                time.sleep(_PAUSE_S)
        return self._client.request(method, path, **request)

    def _redacted(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "•••")
        return _PERSONAL.sub("•••", " ".join(text.split()))[:_SAID].rstrip(".")
