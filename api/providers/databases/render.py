"""Render Postgres: point-in-time recovery makes a new instance beside production's.

Render does not say up to which moment it recovers; its documentation says ten minutes ago.
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
from api.providers.platforms.answers import object_of, text_of
from api.providers.platforms.render import PATIENCE_S

LAG = timedelta(minutes=10)
_PAGE = 100
_FAILED = {"recovery_failed", "suspended"}
_READY = {"available", "maintenance_scheduled"}


class RenderPostgres:
    name = "render"
    picks_moment = False

    def __init__(
        self,
        url: str,
        key: str,
        postgres: str,
        lag: timedelta = LAG,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`postgres`: production's id, `dpg-…`."""
        headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        self._http = VendorHttp(
            self.name, url, secrets=[key], headers=headers, transport=transport, patience_s=PATIENCE_S
        )
        self._postgres = postgres
        self._lag = lag

    def window(self, now: datetime) -> Window | None:
        earliest = self._starts_at()
        return Window(self._postgres, earliest, now - self._lag) if earliest else None

    def policy(self, now: datetime) -> BackupPolicy:
        earliest = self._starts_at()
        if earliest is None:
            return BackupPolicy(False, 0, None, "Render has no recovery for this database, or not yet.")
        note = "Render keeps 3 days (Hobby) or 7 (Professional and above)."
        return BackupPolicy(True, (now - earliest).total_seconds() / 86400, now - self._lag, note)

    def copies(self) -> Sequence[Copy]:
        return [copy for one in self._instances() if (copy := self._copy(one)) is not None]

    def create(self, name: str, at: datetime, expires_at: datetime) -> None:
        body = {
            "restoreName": labels.written(name, at, expires_at, self._postgres),
            "restoreTime": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        self._http.call("recover", "POST", f"postgres/{self._postgres}/recovery", json=body)

    def proceed(self, copy: Copy) -> None:
        """An instance is made in one step."""

    def address(self, copy: Copy, url: str) -> str:
        """By Render's own network where production is reached by it, too. The instance's first role may have
        another password than production's."""
        found = self._read("read connection", f"postgres/{copy.ids['postgres']}/connection-info")
        inside = "." not in addresses.place(url)[0]
        given = text_of(found, "internalConnectionString" if inside else "externalConnectionString")
        moved = addresses.moved(url, *addresses.place(given))
        if addresses.user(given) != addresses.user(url):
            return moved
        password = text_of(found, "password")
        return addresses.with_password(moved, password) if password else moved

    def facts(self, copy: Copy) -> Sequence[ProviderFact]:
        source = self._read("read database", f"postgres/{self._postgres}")
        made = self._read("read database", f"postgres/{copy.ids['postgres']}")
        return [
            _same("postgres_version", text_of(source, "version"), text_of(made, "version")),
            _same("database_name", text_of(source, "databaseName"), text_of(made, "databaseName")),
        ]

    def delete(self, copy: Copy) -> None:
        try:
            self._http.call("delete database", "DELETE", f"postgres/{copy.ids['postgres']}")
        except Rejected as error:
            if error.status != 404:
                raise

    def _starts_at(self) -> datetime | None:
        found = self._read("read recovery", f"postgres/{self._postgres}/recovery")
        begins = text_of(found, "startsAt")
        available = text_of(found, "recoveryStatus") == "AVAILABLE" and begins
        return datetime.fromisoformat(begins) if available else None

    def _instances(self) -> Iterator[dict[str, Any]]:
        asked = {"limit": str(_PAGE), "includeReplicas": "false"}
        while True:
            answer = self._http.call("list databases", "GET", "postgres", params=asked)
            page = self._http.items("list databases", answer)
            yield from (object_of(one, "postgres") for one in page)
            if len(page) < _PAGE:
                return
            asked = {**asked, "cursor": text_of(page[-1], "cursor")}

    def _copy(self, shown: Mapping[str, Any]) -> Copy | None:
        label = labels.read(text_of(shown, "name"), self._postgres)
        if label is None:
            return None
        word, ids = text_of(shown, "status"), {"postgres": text_of(shown, "id")}
        ready = State.READY if word in _READY else State.CREATING
        state = State.FAILED if word in _FAILED else ready
        return Copy(label.name, label.target_at, label.expires_at, state, word, ids)

    def _read(self, operation: str, path: str) -> dict[str, Any]:
        return self._http.json(operation, self._http.call(operation, "GET", path))


def _same(name: str, expected: str, observed: str) -> ProviderFact:
    fix = "Look at the recovered database in Render's dashboard."
    return ProviderFact(name, expected == observed, expected, observed, fix)
