"""A thin client of Prefect's REST API: start a deployment's run, and say where people see it.

httpx is imported at the first call: a service that is being re-pointed starts sooner without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from api.core.errors import Rejected, TimedOut, Unavailable
from api.settings import ServiceSettings

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 10.0
_START = "Start Prefect with `firstuser up`, and look at its part in `firstuser status`."


_FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


@dataclass(frozen=True, slots=True)
class RunState:
    """How far a flow run is, in Prefect's words."""

    name: str
    message: str
    final: bool


class Prefect:
    """`base_url` ends in `/api`; `auth` is `user:password` of the server's basic authentication."""

    def __init__(
        self,
        base_url: str,
        ui_url: str,
        auth: str | None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._base_url = base_url
        self._ui_url = ui_url.rstrip("/")
        self._auth = auth
        self._transport = transport

    @classmethod
    def from_settings(cls, service: ServiceSettings) -> Prefect:
        auth = service.prefect_auth.get_secret_value() if service.prefect_auth else None
        return cls(service.prefect_api_url, service.prefect_ui_url, auth)

    def start(self, deployment: str, parameters: Mapping[str, Any], idempotency_key: str) -> str:
        """The id of the flow run; the same key again gives the same run.

        Raises `Unavailable`, `TimedOut`, or `Rejected` for an unknown deployment or bad parameters."""
        found = self._call("GET", f"deployments/name/{deployment}", "find deployment")
        run = self._call(
            "POST",
            f"deployments/{found['id']}/create_flow_run",
            "start flow run",
            {"parameters": dict(parameters), "idempotency_key": idempotency_key},
        )
        return str(run["id"])

    def run_state(self, flow_run_id: str) -> RunState:
        state = self._call("GET", f"flow_runs/{flow_run_id}", "read flow run").get("state") or {}
        return RunState(
            name=str(state.get("name") or "Pending"),
            message=str(state.get("message") or ""),
            final=state.get("type") in _FINAL,
        )

    def resume(self, flow_run_id: str, run_input: Mapping[str, Any]) -> None:
        """A run that waits for input goes on with it. Raises `Rejected` when it does not wait."""
        path, operation = f"flow_runs/{flow_run_id}/resume", "resume flow run"
        answer = self._call("POST", path, operation, {"run_input": dict(run_input)})
        if answer.get("status") != "ACCEPT":
            raise Rejected(
                "The flow run does not wait for input.",
                provider="prefect",
                operation=operation,
                fix="Look at the run in the Prefect UI.",
            )

    def run_url(self, flow_run_id: str) -> str:
        return f"{self._ui_url}/runs/flow-run/{flow_run_id}"

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        user, _, password = (self._auth or "").partition(":")
        return httpx.Client(
            base_url=self._base_url.rstrip("/") + "/",
            auth=httpx.BasicAuth(user, password) if self._auth else None,
            timeout=_TIMEOUT_S,
            transport=self._transport,
        )

    def _call(
        self, method: str, path: str, operation: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        import httpx

        if not self._base_url:
            raise Unavailable(
                "No Prefect server is configured.",
                provider="prefect",
                operation=operation,
                fix="Set FIRSTUSER_PREFECT_API_URL.",
            )
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.TimeoutException:
            raise TimedOut(
                "Prefect did not answer in time.", provider="prefect", operation=operation, fix=_START
            ) from None
        except httpx.TransportError:
            raise Unavailable(
                "Prefect cannot be reached.", provider="prefect", operation=operation, fix=_START
            ) from None
        return _checked(answer, operation)


def _checked(answer: httpx.Response, operation: str) -> dict[str, Any]:
    if answer.is_success:
        return answer.json()
    if answer.status_code >= 500 or answer.status_code == 429:
        raise Unavailable(
            f"Prefect answered {answer.status_code}.", provider="prefect", operation=operation, fix=_START
        )
    fix = {
        401: "FIRSTUSER_PREFECT_AUTH differs from what the server was started with.",
        404: "The deployment is missing: `firstuser up` creates it.",
    }.get(answer.status_code, "Check the parameters.")
    raise Rejected(
        f"Prefect refused to {operation} ({answer.status_code}).",
        provider="prefect",
        operation=operation,
        fix=fix,
    )
