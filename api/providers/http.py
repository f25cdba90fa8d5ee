"""One vendor's HTTP API as our adapters speak it: timeouts, errors of our own, nothing secret in either.

`call` returns an answer below 300; everything else is an error that says whether to try again:

    no connection, 429, 503     `Unavailable`   nothing was done; `wait_s` when it asks for patience; so are
                                                the statuses that a vendor itself calls `busy`
    no or half an answer, 5xx   `TimedOut`      what was done is unknown
    any other status            `Rejected`      it said no; its words are in the message, redacted

With `patience_s` a call is made again while that lasts, and the vendor's own wait fits in: after
`Unavailable` always, after `TimedOut` only where doing it twice is doing it once. Adapters say which by
`repeatable`; by default it is what HTTP says of the method.
"""

import json
import random
import re
import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from api.core.clock import system_clock
from api.core.errors import ProviderError, Rejected, TimedOut, Unavailable
from api.providers.rate_limits import wait_s

TIMEOUT = httpx.Timeout(4, connect=2)
_CONNECTS = 2  # only a connection is tried again: nothing has been said yet
_PAUSE_S = 0.2
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 8.0
_REPEATABLE = {"GET", "HEAD", "PUT", "DELETE"}
_SAID = 200
_FIXES = {
    401: "Check the token: it may have expired or been revoked.",
    403: "The token lacks a permission; docs/providers lists what is needed.",
}
Kind = TypeVar("Kind", dict[str, Any], list[Any])
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
        patience_s: float = 0,
        busy: Collection[int] = (),
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._provider = provider
        self._secrets = secrets
        self._patience_s = patience_s
        self._busy = {429, 503, *busy}
        self._sleep = sleep or time.sleep
        self._client = httpx.Client(
            base_url=base_url, headers=headers, timeout=TIMEOUT, transport=transport, follow_redirects=False
        )

    def call(
        self,
        operation: str,
        method: str,
        path: str,
        *,
        repeatable: bool | None = None,
        hide: Sequence[str] = (),
        **request: Any,
    ) -> httpx.Response:
        """`request` as httpx takes it; `hide` never shows in an error. Raises `Unavailable`, `Rejected`,
        `TimedOut`."""
        again = method in _REPEATABLE if repeatable is None else repeatable
        waited, step = 0.0, _FIRST_WAIT_S
        while True:
            try:
                return self._once(operation, method, path, hide, **request)
            except (Unavailable, TimedOut) as error:
                asked = error.wait_s if isinstance(error, Unavailable) else None
                pause = asked if asked is not None else step * random.uniform(0.5, 1)  # noqa: S311 - jitter
                waited += max(pause, _PAUSE_S)
                hopeless = waited > self._patience_s
                if hopeless or not (again or isinstance(error, Unavailable)):
                    raise
            self._sleep(pause)
            step = min(2 * step, _LONGEST_WAIT_S)

    def _once(
        self, operation: str, method: str, path: str, hide: Sequence[str], **request: Any
    ) -> httpx.Response:
        try:
            answer = self._send(method, path, **request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self.error(Unavailable, operation, f"cannot be reached ({type(error).__name__})") from None
        except httpx.HTTPError as error:
            raise self.error(TimedOut, operation, f"gave no answer ({type(error).__name__})") from None
        if answer.status_code in self._busy:
            raise self._unavailable(operation, answer)
        if answer.status_code >= 500:
            raise self.error(TimedOut, operation, f"answered {answer.status_code}")
        if answer.status_code >= 300:
            raise self._rejected(operation, answer, hide)
        return answer

    def _rejected(self, operation: str, answer: httpx.Response, hide: Sequence[str]) -> ProviderError:
        said, fix = f"answered {answer.status_code}: {answer.text}", _FIXES.get(answer.status_code, "")
        error = self.error(Rejected, operation, said, fix, hide)
        if isinstance(error, Rejected):
            error.status = answer.status_code
        return error

    def _unavailable(self, operation: str, answer: httpx.Response) -> Unavailable:
        asked = wait_s(answer.headers, system_clock())
        patience = f" and asks for {asked:.0f} s of patience" if asked else ""
        error = Unavailable(
            f"{self._provider} answered {answer.status_code}{patience}.",
            provider=self._provider,
            operation=operation,
        )
        error.wait_s = asked
        return error

    def json(self, operation: str, answer: httpx.Response) -> dict[str, Any]:
        """The answer's object. Raises `TimedOut`: what was done is unknown when nobody can read it."""
        return self._of(dict, operation, answer)

    def items(self, operation: str, answer: httpx.Response) -> list[dict[str, Any]]:
        """The answer's array of objects. Raises as `json` does."""
        found = self._of(list, operation, answer)
        return [item for item in found if isinstance(item, dict)]

    def _of(self, kind: type[Kind], operation: str, answer: httpx.Response) -> Kind:
        try:
            found: Any = answer.json()
        except ValueError:
            found = None
        if not isinstance(found, kind):
            raise self.error(TimedOut, operation, "gave an answer that cannot be read")
        return found

    def error(
        self, kind: type[ProviderError], operation: str, said: str, fix: str = "", hide: Sequence[str] = ()
    ) -> ProviderError:
        message = f"{self._provider} {self._redacted(said, hide)}."
        return kind(message, provider=self._provider, operation=operation, fix=fix)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        for _ in range(_CONNECTS - 1):
            try:
                return self._client.request(method, path, **request)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                time.sleep(_PAUSE_S)
        return self._client.request(method, path, **request)

    def _redacted(self, text: str, hide: Sequence[str]) -> str:
        for secret in (*self._secrets, *hide):
            escaped = (json.dumps(secret, ensure_ascii=ascii)[1:-1] for ascii in (True, False))
            for form in (secret, *escaped, quote(secret, safe="")):
                text = text.replace(form, "•••") if form else text
        return _PERSONAL.sub("•••", " ".join(text.split()))[:_SAID].rstrip(".")
