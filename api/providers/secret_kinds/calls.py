"""The product called over HTTP as partners, founders and frames call it: to see what it accepts.

No error and no answer holds a credential.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

import httpx

from api.core.errors import Unavailable

PROVIDER = "product"
_TIMEOUT_S = 10.0
_AGAIN_S = 0.25


@dataclass(frozen=True, slots=True)
class Answer:
    """`code` is the problem document's; "" for none."""

    status: int
    code: str
    location: str = ""

    @property
    def said(self) -> str:
        return f"{self.status} {self.code}".strip()


class ProductCalls:
    """Raises `Unavailable` for no answer, or one of a service in trouble. `transport` is for tests."""

    def __init__(self, base_url: str, transport: httpx.BaseTransport | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = httpx.Client(
            base_url=self._base_url,
            timeout=_TIMEOUT_S,
            headers={"User-Agent": "FirstUser-rotation"},
            transport=transport,
            trust_env=False,
            follow_redirects=False,
        )

    def as_partner(self, key: str, method: str, path: str, json: Mapping[str, Any] | None = None) -> Answer:
        return self._call(method, path, {"Authorization": f"Bearer {key}"}, json)

    def as_browser(self, cookie: str, path: str) -> Answer:
        return self._call("GET", path, {"Cookie": cookie, "Accept": "application/json"})

    def as_widget(self, token: str, origin: str, path: str) -> Answer:
        return self._call("GET", path, {"Authorization": f"Bearer {token}", "Widget-Origin": origin})

    def _call(
        self, method: str, path: str, headers: Mapping[str, str], json: Mapping[str, Any] | None = None
    ) -> Answer:
        operation = f"{method} {path.partition('?')[0]}"
        try:
            answer = self._http.request(method, path, headers=dict(headers), json=json)
        except httpx.HTTPError as error:
            raise Unavailable(
                f"{operation} at {self._base_url} had no answer ({type(error).__name__}).",
                provider=PROVIDER,
                operation=operation,
                fix="Is PUBLIC_APP_URL right, and reachable from here? Then run the rotation again.",
            ) from None
        if answer.status_code >= 500 or answer.status_code == 429:
            raise Unavailable(
                f"{operation} answered {answer.status_code}.",
                provider=PROVIDER,
                operation=operation,
                fix="Run the rotation again in a minute.",
            )
        return Answer(answer.status_code, _code(answer), answer.headers.get("location", ""))


def until(wanted: int, ask: Any, seconds: float) -> Answer:
    """Ask again until the status is `wanted`, or the time is over: what a process keeps in memory, it
    forgets a little later."""
    deadline = monotonic() + seconds
    while True:
        answer: Answer = ask()
        if answer.status == wanted or monotonic() >= deadline:
            return answer
        sleep(_AGAIN_S)


def _code(answer: httpx.Response) -> str:
    if "json" not in answer.headers.get("content-type", ""):
        return ""
    try:
        body: Any = answer.json()
    except ValueError:
        return ""
    return str(body.get("code") or "") if isinstance(body, dict) else ""
