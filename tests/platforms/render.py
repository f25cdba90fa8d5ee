"""Render for one service: variables, one by one and all at once."""

from tests.platforms.fake import Asked, FakePlatform, Reply

SERVICE = "srv-cukn2d5umphs73a1b2c0"
_NOT_FOUND = Reply(404, {"id": "err-1", "message": "not found"})


class FakeRender(FakePlatform):
    base = "/v1"

    def answer(self, asked: Asked) -> Reply:
        parts = asked.path.strip("/").split("/")
        if parts[:3] != ["services", SERVICE, "env-vars"]:
            return _NOT_FOUND
        if len(parts) == 3 and asked.method == "PUT":  # what is not in the list is gone
            self.variables = {one["key"]: one["value"] for one in asked.body}
            return Reply(200, [])
        return self._variable(asked, parts[3])

    def _variable(self, asked: Asked, name: str) -> Reply:
        if asked.method == "PUT":
            self.variables[name] = asked.body["value"]
        elif name not in self.variables:
            return _NOT_FOUND
        elif asked.method == "DELETE":
            del self.variables[name]
            return Reply(204)
        return Reply(200, {"key": name, "value": self.variables[name]})
