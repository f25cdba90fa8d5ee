"""Supabase: the nearest thing to a restore that its API can do is a branch with production's data.

To a chosen moment it restores only in place (`restore-pitr`), over production itself, which is never asked
here; into a new project only its dashboard can. So the branch stands at a moment of Supabase's choice, which
the copy itself tells, and the drill says that no moment could be chosen.
"""

from collections.abc import Mapping, Sequence
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
BEHIND = timedelta(seconds=1)
_FAILED = {"INIT_FAILED", "RESTORE_FAILED", "PAUSE_FAILED", "INACTIVE"}
_GOING = {"GOING_DOWN", "REMOVED"}
_DAYS = {"pitr_7": 7, "pitr_14": 14, "pitr_28": 28}


class Supabase:
    name = "supabase"
    picks_moment = True

    def __init__(
        self, url: str, token: str, project: str, transport: httpx.BaseTransport | None = None
    ) -> None:
        """`project`: production's ref."""
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._http = VendorHttp(
            self.name, url, secrets=[token], headers=headers, transport=transport, patience_s=PATIENCE_S
        )
        self._project = project
        self._path = f"v1/projects/{project}"

    def window(self, now: datetime) -> Window | None:
        backups = self._read("list backups", f"{self._path}/database/backups")
        times = _times(backups)
        # A branch is made of what there is now, so a drill may ask for that.
        return Window(self._project, min(times), now - BEHIND) if times else None

    def policy(self, now: datetime) -> BackupPolicy:
        backups = self._read("list backups", f"{self._path}/database/backups")
        times = _times(backups)
        on = backups.get("pitr_enabled") is True
        days = self._pitr_days() if on else 0.0
        note = "" if on else "The add-on for point-in-time recovery is not on: there are daily backups only."
        return BackupPolicy(on, days, max(times, default=None), note)

    def copies(self) -> Sequence[Copy]:
        answer = self._http.call("list branches", "GET", f"{self._path}/branches")
        shown = self._http.items("list branches", answer)
        return [copy for one in shown if (copy := self._copy(one)) is not None]

    def create(self, name: str, at: datetime, expires_at: datetime) -> None:
        label = labels.written(name, at, expires_at, self._project)
        body = {"branch_name": label, "with_data": True, "persistent": False}
        self._http.call("create branch", "POST", f"{self._path}/branches", json=body)

    def proceed(self, copy: Copy) -> None:
        """A branch is made in one step."""

    def address(self, copy: Copy, url: str) -> str:
        found = self._read("read branch", f"v1/branches/{copy.ids['ref']}")
        port = found.get("db_port")
        moved = addresses.moved(url, text_of(found, "db_host"), port if isinstance(port, int) else 5432)
        password = text_of(found, "db_pass")
        theirs = addresses.user(url) == text_of(found, "db_user") and password
        return addresses.with_password(moved, password) if theirs else moved

    def facts(self, copy: Copy) -> Sequence[ProviderFact]:
        with_data = copy.ids["with_data"] == "true"
        return [
            ProviderFact(
                "chosen_moment",
                False,
                "a new database at a chosen moment",
                "not possible: Supabase's API restores to a moment only in place, over production; this copy "
                "is a branch with its data, of a moment that Supabase chose",
                possible=False,
            ),
            ProviderFact("with_data", with_data, "a branch with production's data", copy.ids["with_data"]),
        ]

    def delete(self, copy: Copy) -> None:
        try:
            # `force`: not an hour from now
            path = f"v1/branches/{copy.ids['ref']}"
            self._http.call("delete branch", "DELETE", path, params={"force": "true"})
        except Rejected as error:
            if error.status != 404:
                raise

    def _copy(self, shown: Mapping[str, Any]) -> Copy | None:
        label = labels.read(text_of(shown, "name"), self._project)
        if label is None:
            return None
        ref = text_of(shown, "project_ref")
        ids = {"ref": ref, "with_data": str(shown.get("with_data") is True).lower()}
        state, word = self._state(shown, ref)
        return Copy(label.name, label.target_at, label.expires_at, state, word, ids)

    def _state(self, shown: Mapping[str, Any], ref: str) -> tuple[State, str]:
        """A healthy server is not enough: the data may still be on its way, which its last action tells."""
        word = text_of(shown, "preview_project_status") or "UNKNOWN"
        if text_of(shown, "deletion_scheduled_at") or word in _GOING:
            return State.LEAVING, word
        if word in _FAILED:
            return State.FAILED, word
        steps = self._steps(ref)
        if "DEAD" in steps.values():
            return State.FAILED, f"step {next(name for name, said in steps.items() if said == 'DEAD')} failed"
        open_steps = [name for name, said in steps.items() if said != "EXITED"]
        if word != "ACTIVE_HEALTHY" or open_steps or not steps:
            return State.CREATING, f"{word}, {', '.join(open_steps) or 'no step'} under way"
        return State.READY, word

    def _steps(self, ref: str) -> dict[str, str]:
        answer = self._http.call("list actions", "GET", f"v1/projects/{ref}/actions")
        runs = self._http.items("list actions", answer)
        newest = max(runs, key=lambda run: text_of(run, "created_at"), default={})
        return {text_of(step, "name"): text_of(step, "status") for step in objects_of(newest, "run_steps")}

    def _pitr_days(self) -> float:
        addons = self._read("list addons", f"{self._path}/billing/addons")
        variants = [text_of(object_of(one, "variant"), "id") for one in objects_of(addons, "selected_addons")]
        return float(max((_DAYS[variant] for variant in variants if variant in _DAYS), default=0))

    def _read(self, operation: str, path: str) -> dict[str, Any]:
        return self._http.json(operation, self._http.call(operation, "GET", path))


def _times(backups: Mapping[str, Any]) -> list[datetime]:
    """The window of point-in-time recovery, or else the moments of the daily backups."""
    window = object_of(backups, "physical_backup_data")
    ends = [window.get(f"{end}_physical_backup_date_unix") for end in ("earliest", "latest")]
    moments = [datetime.fromtimestamp(end, UTC) for end in ends if isinstance(end, int)]
    if backups.get("pitr_enabled") is True and moments:
        return moments
    daily = [text_of(one, "inserted_at") for one in objects_of(backups, "backups") if _whole(one)]
    found = [datetime.fromisoformat(text) for text in daily if text]
    return [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in found]


def _whole(backup: Mapping[str, Any]) -> bool:
    return text_of(backup, "status") == "COMPLETED"
