"""Looking at a service from outside, as a stranger does. Nothing here raises: no answer is a finding."""

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from api.core.preflight.judging.environment import Served
from api.core.preflight.judging.service import Answer

TIMEOUT_S = 8.0
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_ENOUGH = 2000


class Outside:
    """`verify` are the authorities that are believed; the machine's own by default."""

    def __init__(self, verify: ssl.SSLContext | bool = True) -> None:
        self._verify = verify

    def get(self, url: str) -> Answer:
        """One answer, redirects not followed."""
        try:
            with self._client(url) as client:
                answer = client.get(url)
        except httpx.TimeoutException:
            return Answer(problem=f"no answer in {TIMEOUT_S:.0f} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer(problem=f"no answer ({type(error).__name__})")
        return Answer(
            answer.status_code, location=answer.headers.get("location", ""), body=answer.text[:_ENOUGH]
        )

    def served(self, base_url: str) -> Served:
        url = f"{base_url.rstrip('/')}/api/readyz?verbose"
        try:
            with self._client(url) as client:
                answer = client.get(url)
        except httpx.TimeoutException:
            return Served(problem=f"{base_url} gave no answer in {TIMEOUT_S:.0f} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Served(problem=f"{base_url} gave no answer ({type(error).__name__})")
        try:
            document: Any = answer.json()
        except ValueError:
            return Served(problem=f"{base_url} answered {answer.status_code} without JSON")
        return read(answer.status_code, document if isinstance(document, dict) else {})

    def _client(self, url: str) -> httpx.Client:
        """A proxy leads nowhere for this machine's own addresses."""
        return httpx.Client(
            verify=self._verify,
            timeout=TIMEOUT_S,
            follow_redirects=False,
            trust_env=urlsplit(url).hostname not in LOOPBACK,
            headers={"User-Agent": "FirstUser-preflight"},
        )


def read(status: int, document: Mapping[str, Any]) -> Served:
    checks: Mapping[str, Any] = document.get("checks") or {}
    return Served(
        status=status,
        environment=str(document.get("environment") or ""),
        release=str(document.get("release") or ""),
        configuration=str(document.get("configuration") or ""),
        migration=str(checks.get("migrations", {}).get("current") or ""),
        postgres=str(checks.get("database", {}).get("postgres") or ""),
        failing=[name for name, check in checks.items() if check.get("status") != "ok"],
    )
