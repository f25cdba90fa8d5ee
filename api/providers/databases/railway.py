"""Railway Postgres: a restore makes a new service beside production's, which fetches backup and WAL itself.

The service and its volume go apart: a deleted service would leave its volume, which costs on, so the volume
goes first. Railway shows neither retention nor the newest moment; what is known of them is below.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from api.core.errors import Rejected
from api.core.ports import BackupPolicy, ProviderFact
from api.providers.databases.managed import addresses, labels
from api.providers.databases.managed.vendor import Copy, State, Window
from api.providers.platforms.answers import object_of, objects_of, text_of
from api.providers.platforms.railway import VARIABLES, Railway

KEPT = timedelta(days=28)
LAG = timedelta(minutes=1)  # until a WAL segment is archived
ARCHIVE = "WAL_ARCHIVE_PATH"
PRIVATE, PORT = ".railway.internal", 5432
_PAGE = 100
_FAILED = {"ERROR"}

SERVICES = """
query services($id: String!, $first: Int!, $after: String) {
  project(id: $id) { services(first: $first, after: $after) {
    edges { node { id name deletedAt } } pageInfo { hasNextPage endCursor } } }
}"""
VOLUMES = """
query volumes($id: String!, $projectId: String!, $first: Int!, $after: String) {
  environment(id: $id, projectId: $projectId) { volumeInstances(first: $first, after: $after) {
    edges { node { id volumeId serviceId state createdAt isPendingDeletion } }
    pageInfo { hasNextPage endCursor } } }
}"""
RESTORE = """
mutation restore($volumeInstanceId: String!, $targetTimestamp: DateTime!, $newServiceName: String!) {
  volumeInstancePITRRestore(
    volumeInstanceId: $volumeInstanceId, targetTimestamp: $targetTimestamp, newServiceName: $newServiceName
  ) { workflowId }
}"""
PROXIES = """
query proxies($environmentId: String!, $serviceId: String!) {
  tcpProxies(environmentId: $environmentId, serviceId: $serviceId) {
    applicationPort domain proxyPort syncStatus deletedAt }
}"""
DELETE_VOLUME = "mutation volumeDelete($id: String!) { volumeDelete(volumeId: $id) }"
DELETE_SERVICE = """
mutation serviceDelete($id: String!, $environmentId: String!) {
  serviceDelete(id: $id, environmentId: $environmentId)
}"""


class RailwayPostgres:
    name = "railway"
    picks_moment = False

    def __init__(self, railway: Railway, place: Mapping[str, str], lag: timedelta = LAG) -> None:
        """`place`: projectId, environmentId, and the serviceId of production's database."""
        self._railway = railway
        self._place = dict(place)
        self._lag = lag

    def window(self, now: datetime) -> Window | None:
        volume = self._volume(self._place["serviceId"])
        if volume is None or not self._archives():
            return None
        created = datetime.fromisoformat(text_of(volume, "createdAt"))
        return Window(text_of(volume, "id"), max(created, now - KEPT), now - self._lag)

    def policy(self, now: datetime) -> BackupPolicy:
        if not self._archives():
            return BackupPolicy(False, 0, None, f"The database archives no WAL ({ARCHIVE} is not set).")
        return BackupPolicy(True, KEPT / timedelta(days=1), now - self._lag, "Railway keeps about 4 weeks.")

    def copies(self) -> Sequence[Copy]:
        labelled = [
            (service, label)
            for service in self._pages("list services", SERVICES, {"id": self._place["projectId"]})
            if (label := labels.read(text_of(service, "name"), self._place["serviceId"])) is not None
        ]
        if not labelled:
            return []
        volumes = {text_of(one, "serviceId"): one for one in self._volumes()}
        return [_copy(service, label, volumes.get(text_of(service, "id"), {})) for service, label in labelled]

    def create(self, name: str, at: datetime, expires_at: datetime) -> None:
        volume = self._volume(self._place["serviceId"])
        if volume is None:
            raise self._refused("restore", "shows no volume of the database's service")
        asked = {
            "volumeInstanceId": text_of(volume, "id"),
            "targetTimestamp": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "newServiceName": labels.written(name, at, expires_at, self._place["serviceId"]),
        }
        self._railway.query("restore", RESTORE, asked, repeatable=False)

    def proceed(self, copy: Copy) -> None:
        """A service is made in one step."""

    def address(self, copy: Copy, url: str) -> str:
        """By Railway's private network where production is reached by it, too."""
        if addresses.place(url)[0].endswith(PRIVATE):
            asked = {**self._place, "serviceId": copy.ids["service"]}
            found = object_of(self._railway.query("read address", VARIABLES, asked), "variables")
            host, port = text_of(found, "RAILWAY_PRIVATE_DOMAIN"), PORT
        else:
            host, port = self._proxy(copy.ids["service"])
        if not host:
            raise self._refused(
                "read address",
                f"gives no address for {copy.name}",
                "Run drills in the same project, with production's private address in DATABASE_URL.",
            )
        return addresses.moved(url, host, port)

    def facts(self, copy: Copy) -> Sequence[ProviderFact]:
        fix = "Look at the service in Railway's dashboard."
        return [ProviderFact("volume_state", copy.word == "READY", "READY", copy.word, fix)]

    def delete(self, copy: Copy) -> None:
        if copy.ids["volume"]:
            self._gone("delete volume", DELETE_VOLUME, {"id": copy.ids["volume"]})
        asked = {"id": copy.ids["service"], "environmentId": self._place["environmentId"]}
        self._gone("delete service", DELETE_SERVICE, asked)

    def _gone(self, operation: str, text: str, asked: Mapping[str, Any]) -> None:
        try:
            self._railway.query(operation, text, asked)
        except Rejected as error:
            if "not found" not in error.message.lower():
                raise

    def _archives(self) -> bool:
        found = self._railway.query("read variables", VARIABLES, self._place)
        return bool(text_of(object_of(found, "variables"), ARCHIVE))

    def _proxy(self, service: str) -> tuple[str, int]:
        asked = {"environmentId": self._place["environmentId"], "serviceId": service}
        for one in objects_of(self._railway.query("read address", PROXIES, asked), "tcpProxies"):
            port = one.get("proxyPort")
            if text_of(one, "syncStatus") == "ACTIVE" and isinstance(port, int):
                return text_of(one, "domain"), port
        return "", 0

    def _volume(self, service: str) -> dict[str, Any] | None:
        return next((one for one in self._volumes() if text_of(one, "serviceId") == service), None)

    def _volumes(self) -> list[dict[str, Any]]:
        asked = {"id": self._place["environmentId"], "projectId": self._place["projectId"]}
        return [
            one
            for one in self._pages("list volumes", VOLUMES, asked)
            if one.get("isPendingDeletion") is not True
        ]

    def _pages(self, operation: str, text: str, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The nodes of the one connection that the query asks for."""
        after: str | None = None
        while True:
            found = self._railway.query(operation, text, {**asked, "first": _PAGE, "after": after})
            outer = next((value for value in found.values() if isinstance(value, dict)), {})
            connection = next((value for value in outer.values() if isinstance(value, dict)), {})
            yield from (object_of(edge, "node") for edge in objects_of(connection, "edges"))
            following = object_of(connection, "pageInfo")
            after = text_of(following, "endCursor")
            if following.get("hasNextPage") is not True or not after:
                return

    def _refused(self, operation: str, said: str, fix: str = "") -> Rejected:
        return Rejected(f"{self.name} {said}.", provider=self.name, operation=operation, fix=fix)


def _copy(service: Mapping[str, Any], label: labels.Label, volume: Mapping[str, Any]) -> Copy:
    word = text_of(volume, "state") or "no volume yet"
    ids = {"service": text_of(service, "id"), "volume": text_of(volume, "volumeId")}
    ready = State.READY if word == "READY" else State.CREATING
    state = State.FAILED if word in _FAILED else ready
    if text_of(service, "deletedAt") and not volume:
        state = State.LEAVING
    return Copy(label.name, label.target_at, label.expires_at, state, word, ids)
