"""Railway for one project: services with volumes, of which one is production's database, and restores of it
into new services. Who deletes a service alone leaves its volume."""

from datetime import datetime, timedelta
from typing import Any

from api.core.clock import system_clock
from api.core.errors import FirstUserError
from tests.managed.places import Places
from tests.managed.vendor import HOST, FakeVendor, iso
from tests.platforms.fake import Asked, Reply
from tests.platforms.railway import PLACE, data, refused

SERVICE, VOLUME = PLACE["serviceId"], "5f6c1d1e-0000-4000-8000-00000000000a"
_KEPT = timedelta(days=28)


class FakeRailwayPostgres(FakeVendor):
    base = "/graphql/v2"

    def __init__(self, places: Places, passwords: dict[str, str] | None = None) -> None:
        super().__init__(places, passwords)
        self.variables = {"WAL_ARCHIVE_PATH": "/pgbackrest"}
        self.volumes: dict[str, str] = {}  # volume → service

    def left_behind(self) -> list[str]:
        return [volume for volume, service in self.volumes.items() if service not in self.made]

    def authorized(self, asked: Asked) -> bool:
        return asked.headers.get("project-access-token") == self.token

    def not_authorized(self) -> Reply:
        return refused("Not Authorized")

    def said(self, message: str, status: int) -> Any:
        return {"errors": [{"message": message}]}

    def writes(self, asked: Asked) -> bool:
        return str(asked.body["query"]).lstrip().startswith("mutation")

    def turn_pitr_off(self) -> None:
        self.variables = {}

    def answer(self, asked: Asked) -> Reply:
        query, given = str(asked.body["query"]), asked.body["variables"]
        name = query.split(None, 2)[1].partition("(")[0]
        match name:
            case "variables":
                return data(name, dict(self.variables) if given["serviceId"] == SERVICE else {})
            case "services":
                return data("project", {"services": _connection(self._services())})
            case "volumes":
                return data("environment", {"volumeInstances": _connection(self._volumes())})
            case "restore":
                return self._restore(given)
            case "proxies":
                return data("tcpProxies", self._proxies(given["serviceId"]))
            case "volumeDelete":
                if self.volumes.pop(given["id"], None) is None:
                    return refused("Volume not found")
                self.effects.append("delete volume")
                return data(name, True)
            case "serviceDelete":
                made = self.made.get(given["id"])
                if made is None:
                    return refused("Service not found")
                self.drop(made)
                return data(name, True)
            case _:
                return refused("Cannot query field")

    def _restore(self, given: dict[str, Any]) -> Reply:
        at = datetime.fromisoformat(given["targetTimestamp"])
        if given["volumeInstanceId"] != VOLUME or not system_clock() - _KEPT <= at <= system_clock():
            return refused("The target is outside of the restore window")
        number = next(self.numbers)
        made = self.make(given["newServiceName"], f"7d444840-9dc0-11d1-b245-{number:012}", at)
        self.volumes[f"5f6c1d1e-0000-4000-8000-{number:012}"] = made.id
        return data("volumeInstancePITRRestore", {"workflowId": f"wf-{number}"})

    def _services(self) -> list[dict[str, Any]]:
        found = [(SERVICE, "Postgres"), *((made.id, made.name) for made in self.made.values())]
        return [{"id": service, "name": name, "deletedAt": None} for service, name in found]

    def _volumes(self) -> list[dict[str, Any]]:
        found = {VOLUME: SERVICE, **self.volumes}
        return [
            {
                "id": volume,
                "volumeId": volume,
                "serviceId": service,
                "state": self._state(service),
                "createdAt": iso(self.born),
                "isPendingDeletion": False,
            }
            for volume, service in found.items()
        ]

    def _state(self, service: str) -> str:
        made = self.made.get(service)
        try:
            return "RESTORING" if made and self.port(made) is None else "READY"
        except FirstUserError:
            return "ERROR"

    def _proxies(self, service: str) -> list[dict[str, Any]]:
        made = self.made.get(service)
        port = self.port(made) if made else None
        known = {"applicationPort": 5432, "domain": HOST, "syncStatus": "ACTIVE", "deletedAt": None}
        return [{**known, "proxyPort": port}] if port else []


def _connection(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    page = {"hasNextPage": False, "endCursor": None}
    return {"edges": [{"node": node} for node in nodes], "pageInfo": page}
