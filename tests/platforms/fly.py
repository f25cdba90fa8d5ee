"""Fly for one app: secrets, whose values only some tokens are shown; machines with leases, versions, checks.

A machine keeps of its configuration what it is given, and runs with the secrets there are when it is updated;
without the last change of them, unless it asks for at least that version.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from tests.platforms.fake import Asked, FakePlatform, Reply

APP = "firstuser-api"
IMAGE = "registry.fly.io/firstuser-api"
_BEGAN_MS = 1_763_971_200_000
_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass
class Machine:
    id: str
    state: str = "started"
    versions: list[tuple[str, dict[str, Any]]] = field(default_factory=list[tuple[str, dict[str, Any]]])
    ran_with: dict[str, str] = field(default_factory=dict[str, str])
    lease: str = ""
    refusals: int = 2  # so many, then a lease that nobody gave back has run out
    waits: int = 0  # so many more requests to wait are answered with 408

    @property
    def instance(self) -> str:
        return self.versions[-1][0]

    @property
    def config(self) -> dict[str, Any]:
        return self.versions[-1][1]


class FakeFly(FakePlatform):
    """`app_machines` by id: two of the API."""

    base = "/v1"

    def __init__(self) -> None:
        super().__init__()
        self.may_show = True
        self.version = 1
        self.late: dict[str, str] = {}  # the secrets that a machine gets which asks for no newer ones
        self.count = 0
        self.app_machines = {one: Machine(one) for one in ("148e1", "3d8d5")}
        self.serving: list[str] = []
        self.sick: set[str] = set()  # images that never become healthy

    def push(self, release: str, *, irreversible: bool = False) -> None:
        metadata = {"fly_process_group": "app"} | (
            {"firstuser_migration": "irreversible"} if irreversible else {}
        )
        config = {
            "image": f"{IMAGE}:{release}",
            "env": {"PORT": "8080"},
            "guest": {"cpus": 1, "memory_mb": 256, "cpu_kind": "shared"},
            "metadata": metadata,
        }
        for one in self.app_machines.values():
            self._become(one, dict(config))
        self._serves()

    def overtake(self) -> None:
        """flyctl deploys the same image with its own configuration, without our mark."""
        self.push(self.live())

    def live(self) -> str:
        return str(self.app_machines["148e1"].config["image"]).rpartition(":")[2]

    def not_authorized(self) -> Reply:
        return Reply(401, {"error": "unauthorized"})

    def answer(self, asked: Asked) -> Reply:
        parts = asked.path.strip("/").split("/")
        if parts[:2] != ["apps", APP]:
            return Reply(404, {"error": "app not found"})
        if len(parts) == 2:
            return Reply(200, {"id": APP, "name": APP, "status": "deployed", "machine_count": 2})
        return self._secrets(asked, parts) if parts[2] == "secrets" else self._machines(asked, parts[3:])

    def _secrets(self, asked: Asked, parts: list[str]) -> Reply:
        if asked.method == "GET":
            shown = self.may_show and asked.query.get("show_secrets") == "true"
            return Reply(200, {"secrets": [self._secret(name, shown) for name in sorted(self.variables)]})
        self.version += 1
        self.late = dict(self.variables)
        if asked.method == "POST" and len(parts) == 3:
            self.variables |= asked.body["values"]
            return Reply(200, {"secrets": [], "version": self.version, "Version": self.version})
        if asked.method == "DELETE" and self.variables.pop(parts[3], None) is None:
            return Reply(404, {"error": "secret not found"})
        return Reply(200, {"version": self.version, "Version": self.version})

    def _secret(self, name: str, shown: bool) -> dict[str, Any]:
        value = self.variables[name]
        known = {"name": name, "digest": sha256(value.encode()).hexdigest()[:16]}
        return known | ({"value": value} if shown else {})

    def _machines(self, asked: Asked, rest: list[str]) -> Reply:
        if not rest:
            for one in self.app_machines.values():  # they start by themselves, whoever waits for it
                if one.state == "starting":
                    one.state = "started"
            self._serves()
            return Reply(200, [self._seen(one) for one in self.app_machines.values()])
        one = self.app_machines.get(rest[0])
        if one is None:
            return Reply(404, {"error": "machine not found"})
        if rest[1:] == ["lease"]:
            return self._lease(asked, one)
        if rest[1:] == ["versions"]:
            found = [{"version": version, "user_config": config} for version, config in one.versions]
            return Reply(200, found[::-1])
        if rest[1:] == ["wait"]:
            return self._wait(asked, one)
        return self._update(asked, one) if asked.method == "POST" else Reply(200, self._seen(one))

    def _lease(self, asked: Asked, one: Machine) -> Reply:
        if asked.method == "DELETE":
            one.lease = ""
            return Reply(200)
        if one.lease and one.refusals:
            one.refusals -= 1
            return Reply(409, {"error": "machine is leased by somebody"})
        one.refusals = 2
        self.count += 1
        one.lease = f"nonce{self.count}"
        return Reply(201, {"nonce": one.lease, "expires_at": 1_763_971_300, "description": "", "owner": "x"})

    def _update(self, asked: Asked, one: Machine) -> Reply:
        if one.lease and asked.headers.get("fly-machine-lease-nonce") != one.lease:
            return Reply(409, {"error": "machine is leased"})
        if asked.body.get("current_version") not in (None, one.instance):
            return Reply(400, {"error": "current_version does not match"})
        if asked.body.get("min_secrets_version", 0) > self.version:
            return Reply(400, {"error": "min_secrets_version is not there"})
        fresh = asked.body.get("min_secrets_version") == self.version
        self._become(one, asked.body["config"], self.variables if fresh else self.late)
        if self.fails:
            self.fails -= 1
            one.state, one.waits = "failed", 99
        else:
            one.state, one.waits = "starting", 1
        return Reply(200, _shown(one))

    def _seen(self, one: Machine) -> dict[str, Any]:
        return _shown(one, sick=one.config["image"] in self.sick)

    def _wait(self, asked: Asked, one: Machine) -> Reply:
        if asked.query.get("instance_id") != one.instance:
            return Reply(400, {"error": "no such version"})
        if one.waits:
            one.waits -= 1
            return Reply(408, {"error": "deadline exceeded"})
        one.state = "started"
        self._serves()
        return Reply(200, {"ok": True})

    def _become(self, one: Machine, config: dict[str, Any], secrets: dict[str, str] | None = None) -> None:
        self.count += 1
        one.versions.append((_ulid(_BEGAN_MS + 60_000 * self.count), config))
        one.ran_with = {**(self.variables if secrets is None else secrets), **config.get("env", {})}
        one.state = "started"

    def _serves(self) -> None:
        """Once all have it; the first one answers."""
        machines = list(self.app_machines.values())
        marks = {one.config.get("env", {}).get("FIRSTUSER_DEPLOY_ID") for one in machines}
        if len(marks) == 1 and all(one.state == "started" for one in machines):
            instances = [one.instance for one in machines]
            if instances != self.serving:
                self.serving = instances
                self.on_live(machines[0].ran_with, self.live())


def _shown(one: Machine, *, sick: bool = False) -> dict[str, Any]:
    passing = "passing" if one.state == "started" and not sick else "critical"
    return {
        "id": one.id,
        "name": f"machine-{one.id}",
        "state": one.state,
        "region": "fra",
        "instance_id": one.instance,
        "private_ip": "fdaa::1",
        "config": one.config,
        "checks": [{"name": "readyz", "status": passing, "output": ""}],
        "created_at": "2026-11-01T08:00:00Z",
        "updated_at": "2026-11-24T08:00:00Z",
    }


def _ulid(milliseconds: int) -> str:
    digits = ""
    for _ in range(10):
        milliseconds, digit = divmod(milliseconds, 32)
        digits = _DIGITS[digit] + digits
    return f"{digits}{'0' * 16}"
