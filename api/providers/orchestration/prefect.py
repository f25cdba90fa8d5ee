"""A thin client of Prefect's REST API: start a deployment's run, say where people see it, find what is late,
stuck or dead.

httpx is imported at the first call: a service that is being re-pointed starts sooner without it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from api.core.alerts.runs import ENDED_REACH, Phase, Run
from api.core.errors import ProviderError, Rejected, TimedOut, Unavailable
from api.settings import ServiceSettings

if TYPE_CHECKING:
    import httpx

_TIMEOUT_S = 10.0
_MOST_RUNS = 200
MINUTELY_TAG = "minutely"
AWAY = "Prefect is away"
_START = "Start Prefect with `firstuser up`, and look at its part in `firstuser status`."


_FINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})


@dataclass(frozen=True, slots=True)
class RunState:
    """How far a flow run is, in Prefect's words."""

    name: str
    message: str
    final: bool


@dataclass(frozen=True, slots=True)
class LastRun:
    """`kind` is Prefect's type of the state (COMPLETED, FAILED, …); `at` when the state began."""

    id: str
    name: str
    kind: str
    state: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DeploymentState:
    """`last` is None before its first run, `next_at` without a schedule; `paused`: its schedule rests."""

    flow: str
    name: str
    paused: bool
    last: LastRun | None
    next_at: datetime | None


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
        self._flows: dict[str, str] = {}

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

    def last_known(self, flow_run_id: str) -> RunState:
        """As `run_state`, for who waits: while Prefect is away, a run goes on and our own rows say how."""
        try:
            return self.run_state(flow_run_id)
        except ProviderError as error:
            if not error.retryable:
                raise
            return RunState(AWAY, error.message, final=False)

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

    def troubled(self, now: datetime) -> Sequence[Run]:
        """Runs that are late, under way, or ended badly within `ENDED_REACH`; whether that is trouble is for
        `api.core.alerts.runs` to say. An end that a later good run of its flow has put right is left out."""
        found = [
            *self._runs(Phase.LATE, {"state": {"name": {"any_": ["Late"]}}}),
            *self._runs(Phase.WAITING, {"state": {"type": {"any_": ["PENDING", "CANCELLING"]}}}),
            *self._runs(Phase.RUNNING, {"state": {"type": {"any_": ["RUNNING"]}}}),
        ]
        ended = {"end_time": {"after_": (now - ENDED_REACH).isoformat()}}
        dead = self._runs(Phase.DEAD, {"state": {"name": {"any_": ["Crashed", "Failed"]}}} | ended)
        return [*found, *(run for run in dead if not self._went_well_since(run))]

    def _went_well_since(self, run: Run) -> bool:
        since = {"state": {"type": {"any_": ["COMPLETED"]}}, "end_time": {"after_": run.since.isoformat()}}
        asked = {"flow_runs": since, "flows": {"name": {"any_": [run.flow]}}}
        return bool(self._call("POST", "flow_runs/count", "read flow runs", asked))

    def _runs(self, phase: Phase, wanted: Mapping[str, Any]) -> list[Run]:
        asked = {"flow_runs": dict(wanted), "limit": _MOST_RUNS, "sort": "START_TIME_DESC"}
        found = self._call("POST", "flow_runs/filter", "read flow runs", asked)
        return [_run(phase, one, self._flow(one["flow_id"])) for one in found]

    def deployments(self) -> Sequence[DeploymentState]:
        """Each with its newest run and its next one, by flow and name. Two calls each: not for a loop.
        Raises `Unavailable`, `TimedOut`, `Rejected`."""
        known = self._call("POST", "deployments/filter", "read deployments", {"limit": _MOST_RUNS})
        return sorted((self._deployment(one) for one in known), key=lambda one: (one.flow, one.name))

    def _deployment(self, document: Mapping[str, Any]) -> DeploymentState:
        begun = self._first_of(document["id"], "START_TIME_DESC", {"start_time": {"is_null_": False}})
        due = {"state": {"type": {"any_": ["SCHEDULED"]}}}
        coming = self._first_of(document["id"], "EXPECTED_START_TIME_ASC", due)
        return DeploymentState(
            flow=self._flow(document["flow_id"]),
            name=str(document["name"]),
            paused=bool(document.get("paused")),
            last=_last_run(begun) if begun else None,
            next_at=datetime.fromisoformat(coming["expected_start_time"]) if coming else None,
        )

    def _first_of(self, deployment_id: str, sort: str, wanted: Mapping[str, Any]) -> Mapping[str, Any] | None:
        asked = {
            "deployments": {"id": {"any_": [deployment_id]}},
            "flow_runs": dict(wanted),
            "sort": sort,
            "limit": 1,
        }
        found = self._call("POST", "flow_runs/filter", "read flow runs", asked)
        return found[0] if found else None

    def _flow(self, flow_id: str) -> str:
        if flow_id not in self._flows:
            self._flows[flow_id] = str(self._call("GET", f"flows/{flow_id}", "read flow")["name"])
        return self._flows[flow_id]

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

    def _call(self, method: str, path: str, operation: str, body: Mapping[str, Any] | None = None) -> Any:
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


def _run(phase: Phase, document: Mapping[str, Any], flow: str) -> Run:
    state = document["state"]
    moment = {Phase.LATE: document.get("expected_start_time"), Phase.DEAD: document.get("end_time")}
    since = datetime.fromisoformat(moment.get(phase) or state["timestamp"])
    return Run(
        id=str(document["id"]),
        flow=flow,
        name=str(document["name"]),
        phase=phase,
        state=str(state["name"]),
        since=since,
        message=_one_line(state.get("message")),
        minutely=MINUTELY_TAG in document.get("tags", ()),
    )


def _last_run(document: Mapping[str, Any]) -> LastRun:
    state = document["state"]
    return LastRun(
        id=str(document["id"]),
        name=str(document["name"]),
        kind=str(state["type"]),
        state=str(state["name"]),
        message=_one_line(state.get("message")),
        at=datetime.fromisoformat(state["timestamp"]),
    )


def _one_line(message: object) -> str:
    return " ".join(str(message or "").split())[:500]


def _checked(answer: httpx.Response, operation: str) -> Any:
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
