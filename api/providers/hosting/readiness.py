"""What a service says of itself, as seen from outside: `GET /api/readyz?verbose`."""

from typing import Any

import httpx

from api.core.ports import ServiceState

TIMEOUT_S = 5.0


def seen(base_url: str) -> ServiceState:
    """`deploy_id` is what the process was told (FIRSTUSER_DEPLOY_ID). Never raises: a service that is away is
    a state."""
    try:
        answer = httpx.get(f"{base_url}/api/readyz?verbose", timeout=TIMEOUT_S, follow_redirects=False)
    except httpx.HTTPError as error:
        return ServiceState(False, "", None, f"no answer ({type(error).__name__})")
    return read(answer)


def read(answer: httpx.Response) -> ServiceState:
    try:
        body: Any = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return ServiceState(False, "", None, f"HTTP {answer.status_code} without JSON")
    checks: dict[str, Any] = body.get("checks") or {}
    failed = [name for name, check in checks.items() if check.get("status") != "ok"]
    mark, copy = str(body.get("deploy_id", "")), body.get("restored_copy")
    return ServiceState(answer.is_success, mark, copy, ", ".join(failed))
