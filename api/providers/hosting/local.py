"""The `local` hosting provider: re-points `staging` of the embedded stack, and takes either service back to
the release before; each time by a restart of its process."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import httpx
from dotenv import dotenv_values

from api.core.errors import Conflict, NotFound, TimedOut
from api.core.ids import new_id
from api.core.ports import Deploy, ServiceState
from api.providers.hosting import releases
from api.providers.hosting.loopback import ask
from api.providers.hosting.pointer import (
    Pointer,
    pointer_path,
    read_pointer,
    without_password,
    write_pointer,
)
from api.providers.hosting.supervisor import Supervisor
from api.settings import Settings

POLL_SECONDS = 0.05
SERVICES = ("staging",)  # production is never re-pointed


class LocalHosting:
    name = "local"

    def __init__(
        self, state_dir: Path, base_urls: dict[str, str], restart: Callable[[str], None] | None = None
    ) -> None:
        """`restart` takes the part's name; by default the stack's supervisor is asked."""
        self._state_dir = state_dir
        self._base_urls = base_urls
        self._restart = restart or Supervisor(state_dir).restart

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        stack = settings.stack
        urls = {
            "staging": f"http://127.0.0.1:{stack.staging_port}",
            "production": f"http://127.0.0.1:{stack.api_port}",
        }
        return cls(stack.state_dir.absolute(), urls)

    def pointer(self, service: str) -> str:
        """The URL that the service was last pointed at, or `own`."""
        self.base_url(service)
        return read_pointer(self._state_dir, service).dsn

    def point(
        self, service: str, dsn: str, *, restored_copy: str | None = None, as_of: datetime | None = None
    ) -> str:
        """As in the port. `dsn` `own` points the service back at its own database."""
        self.base_url(service)
        pointer = Pointer(
            deploy_id=new_id("dep"),
            dsn=without_password(self._state_dir, service, dsn),
            restored_copy=restored_copy,
            as_of=as_of.astimezone(UTC).isoformat() if as_of else None,
        )
        write_pointer(self._state_dir, service, pointer)
        self._restart(f"api-{service}")
        return pointer.deploy_id

    def wait_live(self, service: str, deploy_id: str, timeout_s: float) -> ServiceState:
        deadline = time.monotonic() + timeout_s
        while True:
            state = self.served(service)
            if state.healthy and state.deploy_id == deploy_id:
                return state
            if time.monotonic() > deadline:
                raise TimedOut(
                    f"{service} does not serve deploy {deploy_id} after {timeout_s:.0f} s: "
                    f"{state.detail or f'it serves {state.deploy_id}'}.",
                    provider=self.name,
                    operation="wait_live",
                    fix=f"Read logs/api-{service}.log in the state folder.",
                )
            time.sleep(POLL_SECONDS)

    def state(self, service: str) -> ServiceState:
        return self._seen(self.base_url(service))

    def _seen(self, base_url: str) -> ServiceState:
        try:
            answer = ask(f"{base_url}/api/readyz?verbose", timeout_s=3)
        except httpx.HTTPError as error:
            return ServiceState(False, "", None, f"no answer ({type(error).__name__})")
        return _state(answer)

    def variables(self, service: str) -> Collection[str]:
        """Of production, too: its file is only read."""
        found = dotenv_values(self._state_dir / "secrets" / f"{service}.env", interpolate=False)
        return {name for name, value in found.items() if value}

    def deploys(self, service: str) -> Sequence[Deploy]:
        known = releases.read(self._state_dir, service)
        return [one.deploy() for one in known or [releases.own(self._state_dir, service)]]

    def deploy(
        self, service: str, release: str, variables: Mapping[str, str], *, irreversible: bool = False
    ) -> str:
        """Serve with this configuration over the service's own; returns the deploy's id."""
        self._come_home(service)
        made = releases.add(self._state_dir, service, release, variables, irreversible=irreversible)
        self._restart(f"api-{service}")
        return made.id

    def over(self, service: str) -> Mapping[str, str]:
        known = releases.read(self._state_dir, service)
        return known[-1].over() if known else {}

    def roll_back(self, service: str, to: str = "") -> str:
        self._come_home(service)
        made = releases.back(self._state_dir, service, to)
        if self.served(service).deploy_id != made.id:
            self._restart(f"api-{service}")
        return made.id

    def _come_home(self, service: str) -> None:
        """The pointer of a drill that is over would name the deploy. Raises `Conflict` while one goes on."""
        if read_pointer(self._state_dir, service).restored_copy:
            raise Conflict(
                f"{service} serves a restored copy.", fix="Wait for the restore drill to end, then deploy."
            )
        pointer_path(self._state_dir, service).unlink(missing_ok=True)

    def served(self, service: str) -> ServiceState:
        if service not in self._base_urls:
            known = ", ".join(sorted(self._base_urls))
            raise NotFound(f"There is no service {service!r}.", fix=f"Choose one of: {known}.")
        return self._seen(self._base_urls[service])

    def base_url(self, service: str) -> str:
        if service not in SERVICES:
            raise NotFound(
                f"There is no service {service!r} that could be re-pointed.",
                fix=f"Choose one of: {', '.join(SERVICES)}.",
            )
        return self._base_urls[service]


def _state(answer: httpx.Response) -> ServiceState:
    try:
        body: dict[str, Any] = answer.json()
    except ValueError:
        return ServiceState(False, "", None, f"HTTP {answer.status_code} without JSON")
    failed = [name for name, check in body.get("checks", {}).items() if check.get("status") != "ok"]
    return ServiceState(
        healthy=answer.is_success,
        deploy_id=str(body.get("deploy_id", "")),
        restored_copy=body.get("restored_copy"),
        detail=", ".join(failed),
    )
