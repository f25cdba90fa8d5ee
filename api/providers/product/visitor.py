"""A person and a partner in front of the product, over HTTP: login by code, pages, JSON."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

import httpx

from api.core.clock import system_clock
from api.core.errors import Rejected, TimedOut, Unavailable
from api.providers.messaging.outbox import StoredMessage

CODE = re.compile(r"\b(\d{6})\b")
PROVIDER = "product"


class HttpVisitor:
    """Talks to the product at `base_url`; `inbox(to, after)` is the newest message that reached `to`.

    Raises `Unavailable` when the product cannot be reached or answers 5xx, `Rejected` when it says no.
    """

    def __init__(
        self,
        base_url: str,
        inbox: Callable[[str, datetime], StoredMessage | None],
        *,
        timeout_s: float = 15,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._inbox = inbox
        self._timeout_s = timeout_s
        self._http = httpx.Client(
            base_url=base_url,
            timeout=timeout_s,
            headers={"Origin": base_url, "User-Agent": "FirstUser-drill"},
            transport=transport,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def log_in(self, phone: str) -> str:
        asked_at = system_clock()
        self._send("POST", "/auth/otp/start", json={"phone": phone})
        code = self._await_code(phone, asked_at)
        answer = self._send("POST", "/auth/otp/verify", json={"code": code})
        return f"code accepted ({answer.status_code})"

    def page(self, path: str) -> str:
        answer = self._send("GET", path, headers={"Accept": "text/html"})
        if answer.is_redirect:
            raise Rejected(
                f"{path} redirects to {answer.headers.get('location')} instead of loading.",
                provider=PROVIDER,
                operation=f"GET {path}",
                fix="The session was not accepted: run the login check first and look at the staging log.",
            )
        return answer.text

    def founder_json(self, path: str) -> Mapping[str, Any]:
        return self._send("GET", path).json()

    def partner_json(self, path: str, api_key: str) -> Mapping[str, Any]:
        return self._send("GET", path, headers={"Authorization": f"Bearer {api_key}"}).json()

    def _await_code(self, phone: str, asked_at: datetime) -> str:
        deadline = monotonic() + self._timeout_s
        while monotonic() < deadline:
            message = self._inbox(phone, asked_at)
            found = CODE.search(message.body) if message else None
            if found:
                return found.group(1)
            sleep(0.05)
        raise TimedOut(
            "No login code reached the outbox.",
            provider=PROVIDER,
            operation="POST /auth/otp/start",
            fix="Is the number among FOUNDER_PHONES, and does the restored data hold that founder?",
        )

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        operation = f"{method} {path}"
        try:
            answer = self._http.request(method, path, **options)
        except httpx.TimeoutException as error:
            raise TimedOut(
                f"{operation} had no answer in {self._timeout_s:.0f} s.",
                provider=PROVIDER,
                operation=operation,
            ) from error
        except httpx.TransportError as error:
            raise Unavailable(
                f"{operation} could not be sent: {type(error).__name__}.",
                provider=PROVIDER,
                operation=operation,
            ) from error
        if answer.status_code >= 500:
            raise Unavailable(
                f"{operation} answered {answer.status_code}.",
                provider=PROVIDER,
                operation=operation,
                fix="Look at the staging log for the request id "
                f"{answer.headers.get('request-id', '(none)')}.",
            )
        if answer.status_code >= 400:
            raise Rejected(
                f"{operation} answered {answer.status_code}: {_code(answer)}.",
                provider=PROVIDER,
                operation=operation,
            )
        return answer


def _code(answer: httpx.Response) -> str:
    if "json" not in answer.headers.get("content-type", ""):
        return "no problem document"
    body = answer.json()
    return str(body.get("code") or body.get("title") or "no code")
