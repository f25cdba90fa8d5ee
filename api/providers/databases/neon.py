"""Neon: a copy is a branch of production's branch at a moment, with a compute endpoint of its own.

It stands within seconds and costs only what it changes. Neon's `…/restore` is never asked: it would restore
production's own branch in place. 423 says that another operation holds the project: nothing was done.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from api.core.errors import Rejected
from api.core.ports import BackupPolicy, ProviderFact
from api.providers.databases.managed import addresses, labels
from api.providers.databases.managed.vendor import Copy, State, Window
from api.providers.http import VendorHttp
from api.providers.platforms.answers import object_of, objects_of, text_of

PATIENCE_S = 60.0
_LOCKED = 423
_PAGE = 100
_BEHIND = timedelta(seconds=2)  # for clocks that differ
_BROKEN = {"failed", "error", "cancelled"}


class Neon:
    name = "neon"
    picks_moment = False

    def __init__(
        self, url: str, key: str, project: str, branch: str = "", transport: httpx.BaseTransport | None = None
    ) -> None:
        """`branch`: production's; the project's default one when empty."""
        self._http = VendorHttp(
            self.name,
            url,
            secrets=[key],
            headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
            transport=transport,
            patience_s=PATIENCE_S,
            busy=[_LOCKED],
        )
        self._path = f"projects/{project}"
        self._project = project
        self._branch = branch

    def window(self, now: datetime) -> Window | None:
        project = self._read("read project", self._path)
        project = object_of(project, "project")
        kept = timedelta(seconds=_number(project, "history_retention_seconds"))
        created = datetime.fromisoformat(text_of(project, "created_at"))
        latest = now - _BEHIND
        return Window(self._source(), max(created, now - kept), latest) if kept else None

    def policy(self, now: datetime) -> BackupPolicy:
        project = object_of(self._read("read project", self._path), "project")
        seconds = _number(project, "history_retention_seconds")
        note = "" if seconds else "The project keeps no history (history_retention_seconds)."
        return BackupPolicy(seconds > 0, seconds / 86400, now - _BEHIND if seconds else None, note)

    def copies(self) -> Sequence[Copy]:
        return [copy for branch in self._branches() if (copy := self._copy(branch)) is not None]

    def create(self, name: str, at: datetime, expires_at: datetime) -> None:
        branch = {
            "parent_id": self._source(),
            "name": labels.written(name, at, expires_at, self._project),
            "parent_timestamp": _written(at),
        }
        try:
            self._create({**branch, "expires_at": _written(expires_at)})
        except Rejected as error:
            # Expiry is not open to every account yet; the sweep reads it from the name.
            if error.status == 401 or "expires_at" not in error.message:
                raise
            self._create(branch)

    def proceed(self, copy: Copy) -> None:
        body = {"endpoint": {"branch_id": copy.ids["branch"], "type": "read_write"}}
        self._http.call("create endpoint", "POST", f"{self._path}/endpoints", json=body)

    def address(self, copy: Copy, url: str) -> str:
        asked = {
            "branch_id": copy.ids["branch"],
            "endpoint_id": copy.ids["endpoint"],
            "database_name": addresses.database(url),
            "role_name": addresses.user(url),
            "pooled": "false",
        }
        return text_of(self._read("read connection uri", f"{self._path}/connection_uri", asked), "uri")

    def facts(self, copy: Copy) -> Sequence[ProviderFact]:
        path = f"{self._path}/branches/{copy.ids['branch']}"
        branch = object_of(self._read("read branch", path), "branch")
        return [
            _fact("branch_parent", self._source(), text_of(branch, "parent_id")),
            _fact("branch_moment", copy.target_at, _moment(branch, "parent_timestamp")),
        ]

    def delete(self, copy: Copy) -> None:
        try:
            self._http.call("delete branch", "DELETE", f"{self._path}/branches/{copy.ids['branch']}")
        except Rejected as error:
            if error.status != 404:
                raise

    def _create(self, branch: Mapping[str, str]) -> None:
        body = {"branch": dict(branch), "endpoints": [{"type": "read_write"}]}
        self._http.call("create branch", "POST", f"{self._path}/branches", json=body)

    def _source(self) -> str:
        if not self._branch:
            default = (text_of(one, "id") for one in self._branches("") if one.get("default") is True)
            self._branch = next(default, "")
        if not self._branch:
            fix = "Set NEON_BRANCH_ID to production's branch."
            raise self._http.error(Rejected, "list branches", "shows no default branch", fix)
        return self._branch

    def _branches(self, search: str = "drill-") -> Iterator[dict[str, Any]]:
        asked = {"limit": str(_PAGE), **({"search": search} if search else {})}
        while True:
            found = self._read("list branches", f"{self._path}/branches", asked)
            page = objects_of(found, "branches")
            yield from page
            following = text_of(object_of(found, "pagination"), "next")
            if not following or len(page) < _PAGE:
                return
            asked = {**asked, "cursor": following}

    def _copy(self, branch: Mapping[str, Any]) -> Copy | None:
        label = labels.read(text_of(branch, "name"), self._project)
        if label is None:
            return None
        branch_id = text_of(branch, "id")
        state, word, endpoint = self._state(branch, branch_id)
        ids = {"branch": branch_id, "endpoint": endpoint}
        return Copy(label.name, label.target_at, label.expires_at, state, word, ids)

    def _state(self, branch: Mapping[str, Any], branch_id: str) -> tuple[State, str, str]:
        found = self._read("list endpoints", f"{self._path}/branches/{branch_id}/endpoints")
        endpoint = next(iter(objects_of(found, "endpoints")), {})
        words = text_of(branch, "current_state"), text_of(endpoint, "current_state")
        if words[0] != "ready" or words[1] == "init":
            broken = self._broken(branch_id)
            said = broken or f"branch {words[0]}, endpoint {words[1] or 'none'}"
            return State.FAILED if broken else State.CREATING, said, text_of(endpoint, "id")
        state = State.READY if endpoint else State.HALF
        return state, f"branch {words[0]}, endpoint {words[1] or 'none'}", text_of(endpoint, "id")

    def _broken(self, branch_id: str) -> str:
        """What its operations say of a branch that is not ready, when one of them failed for good."""
        found = self._read("list operations", f"{self._path}/operations", {"limit": str(_PAGE)})
        for one in objects_of(found, "operations"):
            if text_of(one, "branch_id") == branch_id and text_of(one, "status") in _BROKEN:
                return f"{text_of(one, 'action')} {text_of(one, 'status')}: {text_of(one, 'error')}"
        return ""

    def _read(self, operation: str, path: str, asked: Mapping[str, str] | None = None) -> dict[str, Any]:
        return self._http.json(operation, self._http.call(operation, "GET", path, params=asked))


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(document: Mapping[str, Any], name: str) -> datetime | None:
    text = text_of(document, name)
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def _number(document: Mapping[str, Any], name: str) -> float:
    found = document.get(name)
    return float(found) if isinstance(found, int | float) else 0.0


def _fact(name: str, expected: object, observed: object) -> ProviderFact:
    fix = "The copy is of something else: destroy it and drill again."
    return ProviderFact(name, expected == observed, str(expected), str(observed), fix)
