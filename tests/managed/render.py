"""Render for one Postgres: recovery into a new instance, its connection, its end."""

from datetime import datetime, timedelta
from typing import Any

from api.core.clock import system_clock
from api.core.errors import FirstUserError
from api.core.preflight.records import State
from tests.managed.places import Places
from tests.managed.vendor import FakeVendor, Made, iso
from tests.platforms.fake import Asked, Reply

POSTGRES, DATABASE = "dpg-cukn2d5umphs73a1b2c0-a", "firstuser"
_NOT_FOUND = Reply(404, {"id": "err-1", "message": "not found"})


class FakeRenderPostgres(FakeVendor):
    base = "/v1"
    good_policy = State.FAIL  # it keeps 7 days at most

    def __init__(self, places: Places, passwords: dict[str, str] | None = None) -> None:
        super().__init__(places, passwords)
        self.recovery = "AVAILABLE"
        self.user = "firstuser_admin"

    def said(self, message: str, status: int) -> Any:
        return {"id": "err-2", "message": message}

    def not_authorized(self) -> Reply:
        return Reply(401, {"id": "err-3", "message": "Unauthorized"})

    def turn_pitr_off(self) -> None:
        self.recovery = "NOT_AVAILABLE"

    def answer(self, asked: Asked) -> Reply:
        match [asked.method, *asked.path.strip("/").split("/")]:
            case ["GET", "postgres"]:
                return Reply(200, [{"cursor": one["id"], "postgres": one} for one in self._instances()])
            case ["GET", "postgres", found, "recovery"] if found == POSTGRES:
                return Reply(200, {"recoveryStatus": self.recovery, **self._starts()})
            case ["POST", "postgres", found, "recovery"] if found == POSTGRES:
                return self._recover(asked.body)
            case ["GET", "postgres", found]:
                known = next((one for one in self._instances() if one["id"] == found), None)
                detail = {"project": {}} if known else {}
                return Reply(200, known | detail) if known else _NOT_FOUND
            case ["GET", "postgres", found, "connection-info"] if found in self.made:
                return self._connection(self.made[found])
            case ["DELETE", "postgres", found] if found in self.made:
                self.drop(self.made[found])
                return Reply(204)
            case _:
                return _NOT_FOUND

    def _recover(self, asked: dict[str, Any]) -> Reply:
        at = datetime.fromisoformat(asked["restoreTime"])
        if not system_clock() - timedelta(days=7) <= at <= system_clock():
            return Reply(400, {"id": "err-4", "message": "restore time is out of range"})
        made = self.make(asked["restoreName"], f"dpg-copy{next(self.numbers)}-a", at)
        return Reply(200, self._instance(made) | {"project": {}})

    def _connection(self, made: Made) -> Reply:
        port = self.port(made)
        if port is None:
            return _NOT_FOUND
        uri = self.uri(port, self.user, DATABASE)
        names = ("internalConnectionString", "externalConnectionString", "psqlCommand")
        return Reply(200, {"password": self.passwords.get(self.user, ""), **dict.fromkeys(names, uri)})

    def _starts(self) -> dict[str, str]:
        return {"startsAt": iso(system_clock() - timedelta(days=7))} if self.recovery == "AVAILABLE" else {}

    def _instances(self) -> list[dict[str, Any]]:
        source = self._plain(POSTGRES, "production", self.born, "available")
        return [source, *map(self._instance, self.made.values())]

    def _instance(self, made: Made) -> dict[str, Any]:
        try:
            status = "recovery_in_progress" if self.port(made) is None else "available"
        except FirstUserError:
            status = "recovery_failed"
        return self._plain(made.id, made.name, made.created, status)

    def _plain(self, found: str, name: str, created: datetime, status: str) -> dict[str, Any]:
        return {
            "id": found,
            "ipAllowList": [],
            "createdAt": iso(created),
            "updatedAt": iso(created),
            "databaseName": DATABASE,
            "databaseUser": self.user,
            "highAvailabilityEnabled": False,
            "name": name,
            "owner": {"id": "tea-1", "name": "FirstUser", "email": "ops@firstuser.invalid", "type": "team"},
            "plan": "basic_1gb",
            "region": "frankfurt",
            "readReplicas": [],
            "role": "primary",
            "status": status,
            "version": "17",
            "suspended": "not_suspended",
            "suspenders": [],
            "dashboardUrl": f"https://dashboard.render.com/d/{found}",
        }
