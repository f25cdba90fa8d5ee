"""Neon for one project: branches, endpoints, operations, and the lock while one of these goes on."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api.core.clock import system_clock
from api.core.errors import FirstUserError
from tests.managed.places import Places
from tests.managed.vendor import HOST, FakeVendor, Made, iso
from tests.platforms.fake import Asked, Reply, Trouble

PROJECT, BRANCH = "quiet-sun-12345678", "br-main-1"
_HELD = {"code": "", "message": "project already has running operations"}


def locked(method: str) -> Trouble:
    """Another operation holds the project: nothing is done."""
    return Trouble(Reply(423, _HELD, {"Retry-After": "0"}), method=method)


_NOT_FOUND = Reply(404, {"code": "", "message": "branch not found"})


class FakeNeon(FakeVendor):
    base = "/api/v2"

    def __init__(self, places: Places, passwords: dict[str, str] | None = None) -> None:
        super().__init__(places, passwords)
        self.retention = 14 * 86400
        self.expiry_allowed = True
        self.endpoints: dict[str, str] = {}

    def not_authorized(self) -> Reply:
        return Reply(401, {"code": "", "message": "supplied credentials do not pass authentication"})

    def said(self, message: str, status: int) -> Any:
        return {"code": "", "message": message}

    def turn_pitr_off(self) -> None:
        self.retention = 0

    def answer(self, asked: Asked) -> Reply:
        parts = asked.path.strip("/").split("/")
        if parts[:2] != ["projects", PROJECT]:
            return Reply(404, {"code": "", "message": "project not found"})
        match [asked.method, *parts[2:]]:
            case ["GET"]:
                return Reply(200, {"project": self._project()})
            case ["GET", "branches"]:
                return self._branches(asked.query.get("search", ""))
            case ["POST", "branches"]:
                return self._create(asked.body)
            case ["GET", "operations"]:
                return Reply(200, {"operations": [self._operation(made) for made in self.made.values()]})
            case ["GET", "connection_uri"]:
                return self._uri(asked.query)
            case ["POST", "endpoints"]:
                branch = asked.body["endpoint"]["branch_id"]
                self.endpoints[branch] = "ep-late-1"
                self.effects.append("endpoint")
                body = {"endpoint": self._endpoint(self.made[branch]), "operations": []}
                return Reply(201, body)
            case [_, "branches", branch, *rest]:
                return self._branch_call(asked.method, branch, rest)
            case _:
                return Reply(500, {"code": "", "message": f"not expected: {asked.method} {asked.path}"})

    def _branch_call(self, method: str, branch: str, rest: list[str]) -> Reply:
        made = self.made.get(branch)
        if made is None:
            return _NOT_FOUND
        if method == "DELETE" and not rest:
            self.endpoints.pop(branch, None)
            self.drop(made)
            return Reply(200, {"branch": self._branch(made), "operations": []})
        if method == "GET" and not rest:
            return Reply(200, {"branch": self._branch(made), "annotation": _annotation(made)})
        if method == "GET" and rest == ["endpoints"]:
            found = [self._endpoint(made)] if branch in self.endpoints else []
            return Reply(200, {"endpoints": found})
        return Reply(500, {"code": "", "message": "production would be restored in place"})

    def _branches(self, search: str) -> Reply:
        main = self._plain(BRANCH, "main", self.born, "ready") | {"default": True}
        found = [main, *(self._branch(made) for made in self.made.values())]
        shown = [one for one in found if search in one["name"]]
        return Reply(200, {"branches": shown, "annotations": {}, "pagination": {}})

    def _create(self, asked: dict[str, Any]) -> Reply:
        given = asked["branch"]
        if "expires_at" in given and not self.expiry_allowed:
            return Reply(400, {"code": "", "message": "expires_at is not available to this account"})
        at = datetime.fromisoformat(given["parent_timestamp"])
        if at > system_clock() or at < system_clock() - timedelta(seconds=self.retention):
            return Reply(400, {"code": "", "message": "timestamp is outside of the history window"})
        if any(made.name == given["name"] for made in self.made.values()):
            return Reply(409, {"code": "BRANCH_ALREADY_EXISTS", "message": "branch already exists"})
        number = next(self.numbers)
        made = self.make(given["name"], f"br-copy-{number}", at)
        made.facts = {"parent_id": given["parent_id"], "expires_at": given.get("expires_at")}
        if asked.get("endpoints"):
            self.endpoints[made.id] = f"ep-copy-{number}"
        body = {"branch": self._branch(made), "endpoints": [self._endpoint(made)], "operations": []}
        return Reply(201, body | {"roles": [], "databases": [], "connection_uris": []})

    def _uri(self, asked: dict[str, str]) -> Reply:
        made = self.made.get(asked["branch_id"])
        port = self.port(made) if made else None
        if port is None:
            return _NOT_FOUND
        return Reply(200, {"uri": self.uri(port, asked["role_name"], asked["database_name"])})

    def _branch(self, made: Made) -> dict[str, Any]:
        times = {"parent_timestamp": iso(made.at)} if made.at else {}
        parent = {name: made.facts[name] for name in ("parent_id", "expires_at") if made.facts.get(name)}
        return self._plain(made.id, made.name, made.created, self._state(made)) | times | parent

    def _state(self, made: Made) -> str:
        try:
            return "init" if made.id in self.made and self.port(made) is None else "ready"
        except FirstUserError:
            return "init"

    def _plain(self, branch: str, name: str, created: datetime, state: str) -> dict[str, Any]:
        numbers = dict.fromkeys(
            (
                "cpu_used_sec",
                "active_time_seconds",
                "compute_time_seconds",
                "written_data_bytes",
                "data_transfer_bytes",
            ),
            0,
        )
        times = {"state_changed_at": iso(created), "created_at": iso(created), "updated_at": iso(created)}
        words = {"id": branch, "name": name, "project_id": PROJECT, "creation_source": "console"}
        return {**numbers, **times, **words, "current_state": state, "default": False, "protected": False}

    def _endpoint(self, made: Made) -> dict[str, Any]:
        started = self._state(made) == "ready"
        return {
            "host": HOST,
            "id": self.endpoints.get(made.id, "ep-none"),
            "project_id": PROJECT,
            "branch_id": made.id,
            "region_id": "aws-eu-central-1",
            "autoscaling_limit_max_cu": 1,
            "autoscaling_limit_min_cu": 0.25,
            "type": "read_write",
            "current_state": "active" if started else "init",
            "pooler_enabled": False,
            "pooler_mode": "transaction",
            "disabled": False,
            "passwordless_access": True,
            "creation_source": "console",
            "created_at": iso(made.created),
            "updated_at": iso(made.created),
            "settings": {},
            "proxy_host": HOST,
            "suspend_timeout_seconds": 0,
            "provisioner": "k8s-neonvm",
        }

    def _operation(self, made: Made) -> dict[str, Any]:
        return {
            "id": str(UUID(int=int(made.id.rpartition("-")[2]))),
            "project_id": PROJECT,
            "branch_id": made.id,
            "action": "create_branch",
            "status": "failed" if self._failed(made) else "running",
            **({"error": "timeline could not be made"} if self._failed(made) else {}),
            "failures_count": int(self._failed(made)),
            "created_at": iso(made.created),
            "updated_at": iso(made.created),
            "total_duration_ms": 10,
        }

    def _failed(self, made: Made) -> bool:
        return self.broken or bool(made.facts.get("failed"))

    def _project(self) -> dict[str, Any]:
        zeros = (
            "active_time_seconds",
            "compute_time_seconds",
            "written_data_bytes",
            "data_transfer_bytes",
            "data_storage_bytes_hour",
            "branch_logical_size_limit",
            "branch_logical_size_limit_bytes",
            "cpu_used_sec",
        )
        times = ("consumption_period_end", "consumption_period_start", "created_at", "updated_at")
        return {
            **dict.fromkeys(zeros, 0),
            **dict.fromkeys(times, iso(self.born)),
            "id": PROJECT,
            "platform_id": "aws",
            "region_id": "aws-eu-central-1",
            "name": "production",
            "pg_version": 18,
            "proxy_host": HOST,
            "store_passwords": True,
            "provisioner": "k8s-neonvm",
            "creation_source": "console",
            "history_retention_seconds": self.retention,
            "owner_id": "usr-1",
        }


def _annotation(made: Made) -> dict[str, Any]:
    return {"object": {"type": "console/branch", "id": made.id}, "value": {}}
