"""A partner's back end as it speaks to FirstUser: the integration API by key, the widget's by token.

Every call returns the answer as it is; `must` and `refuses` say what it had to be. No error holds a secret.
"""

import base64
import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx

from api.core.errors import Rejected, TimedOut, Unavailable
from api.providers.preflight.browsing import local

TIMEOUT_S = 10.0
API, WIDGET = "/api/integration/v1", "/api/widget/v1/chat"


@dataclass(frozen=True, slots=True)
class Pkce:
    """RFC 7636, S256."""

    verifier: str
    challenge: str

    @classmethod
    def fresh(cls) -> Self:
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        return cls(verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


class Partner:
    """Raises `Unavailable`, `TimedOut`."""

    def __init__(self, base_url: str, api_key: str) -> None:
        self._key = api_key
        self._http = httpx.Client(
            base_url=base_url,
            timeout=TIMEOUT_S,
            trust_env=not local(base_url),
            follow_redirects=False,
            headers={"User-Agent": "FirstUser-smoke"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, once: bool = False
    ) -> httpx.Response:
        """With the partner's key, or another one. `once` sends an Idempotency-Key of its own."""
        headers = {"Authorization": f"Bearer {self._key if key is None else key}"}
        if once:
            headers["Idempotency-Key"] = secrets.token_urlsafe(16)
        return self._send(method, f"{API}{path}", json=body, headers=headers)

    def speak(
        self, method: str, path: str, token: str, origin: str, body: Any = None, **query: Any
    ) -> httpx.Response:
        """As the widget's frame on a page of `origin`."""
        headers = {"Authorization": f"Bearer {token}", "Widget-Origin": origin}
        return self._send(method, f"{WIDGET}{path}", json=body, headers=headers, params=query)

    def page(self, url: str) -> httpx.Response:
        return self._send("GET", url)

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        what = path.partition("?")[0].rpartition("/api/")[2] if "/api/" in path else "a page"
        try:
            return self._http.request(method, path, **request)
        except httpx.TimeoutException:
            said = f"{method} {what} had no answer in {TIMEOUT_S:.0f} s."
            raise TimedOut(said, provider="product", operation=what) from None
        except httpx.TransportError as error:
            said = f"{method} {what} could not be sent ({type(error).__name__})."
            raise Unavailable(said, provider="product", operation=what) from None


def must(answer: httpx.Response, *statuses: int) -> Any:
    """The JSON of a good answer. Raises `Rejected`."""
    if answer.status_code not in (statuses or (200,)):
        raise _no(answer, f"answered {answer.status_code} ({code_of(answer)})")
    return answer.json()


def refuses(answer: httpx.Response, what: str, codes: Collection[str]) -> str:
    """`what`, once the answer refuses it by one of `codes`. Raises `Rejected` for what was let through."""
    if answer.status_code < 400 or answer.status_code >= 500 or code_of(answer) not in codes:
        raise _no(answer, f"did not refuse {what}: {answer.status_code} ({code_of(answer)})")
    return what


def code_of(answer: httpx.Response) -> str:
    """The stable code of a problem document."""
    if "json" not in answer.headers.get("content-type", ""):
        return "no code"
    document = answer.json()
    return str(document.get("code") or "no code") if isinstance(document, dict) else "no code"


def _no(answer: httpx.Response, said: str) -> Rejected:
    request = answer.request
    where = f"{request.method} {request.url.path.rpartition('/v1')[2] or 'page'}"
    request_id = answer.headers.get("request-id", "none")
    return Rejected(
        f"{where} {said}.",
        provider="product",
        operation=where,
        fix=f"The API's log tells of the request {request_id}.",
    )
