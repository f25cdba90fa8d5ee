"""Fly for one app: secrets, whose values only some tokens are shown."""

from hashlib import sha256
from typing import Any

from tests.platforms.fake import Asked, FakePlatform, Reply

APP = "firstuser-api"


class FakeFly(FakePlatform):
    base = "/v1"

    def __init__(self) -> None:
        super().__init__()
        self.may_show = True
        self.version = 1

    def not_authorized(self) -> Reply:
        return Reply(401, {"error": "unauthorized"})

    def answer(self, asked: Asked) -> Reply:
        parts = asked.path.strip("/").split("/")
        if parts[:3] != ["apps", APP, "secrets"]:
            return Reply(404, {"error": "app not found"})
        if asked.method == "GET":
            shown = self.may_show and asked.query.get("show_secrets") == "true"
            return Reply(200, {"secrets": [self._secret(name, shown) for name in sorted(self.variables)]})
        self.version += 1
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
