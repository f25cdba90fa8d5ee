"""Render for one service: variables, one by one and all at once; deploys, queued or not; rollbacks."""

from typing import Any

from tests.platforms.fake import Asked, FakePlatform, Reply
from tests.platforms.timeline import Made, Timeline, Words

SERVICE = "srv-cukn2d5umphs73a1b2c0"
_NOT_FOUND = Reply(404, {"id": "err-1", "message": "not found"})
_WORDS = Words(
    ("created", "build_in_progress", "update_in_progress"), "live", "deactivated", "update_failed", "canceled"
)


class FakeRender(FakePlatform):
    """`queues`: a deploy is answered with 202 and no body, and listed only after the next look. `image`: of a
    service that is not built from a repository."""

    base = "/v1"

    def __init__(self) -> None:
        super().__init__()
        self.timeline = Timeline(
            _WORDS, lambda number: f"dep-cukn{number:04}", lambda v, r: self.on_live(v, r)
        )
        self.queues = False
        self.queued: list[str] = []
        self.image = ""
        self.head = ""  # of its branch, where that is newer than what serves
        self.autodeploy = "yes"

    def push(self, release: str, *, irreversible: bool = False) -> None:
        self.timeline.add(release, self.variables, why="new_commit", at_once=True, irreversible=irreversible)

    def overtake(self) -> None:
        self.timeline.add(self.live(), self.variables, why="new_commit")

    def live(self) -> str:
        return self.timeline.serving.release

    def answer(self, asked: Asked) -> Reply:
        parts = asked.path.strip("/").split("/")
        if parts[:2] != ["services", SERVICE]:
            return _NOT_FOUND
        rest = parts[2:]
        if rest[:1] == ["env-vars"]:
            return self._variables(asked, rest[1:])
        if rest[:1] == ["deploys"]:
            return self._deploys(asked)
        if rest == ["rollback"]:
            return self._roll_back(asked.body["deployId"])
        if asked.method == "PATCH":
            self.autodeploy = asked.body["autoDeploy"]
        return Reply(200, self._described())

    def _described(self) -> dict[str, Any]:
        return {
            "id": SERVICE,
            "autoDeploy": self.autodeploy,
            "name": "firstuser-staging",
            "notifyOnFail": "default",
            "ownerId": "tea-cukn2d5umphs73a1b2c0",
            "slug": "firstuser-staging",
            "suspended": "not_suspended",
            "suspenders": [],
            "type": "web_service",
            "rootDir": "",
            "createdAt": "2026-11-01T08:00:00Z",
            "updatedAt": "2026-11-01T08:00:00Z",
            "serviceDetails": {},
            "dashboardUrl": "https://dashboard.render.com/web/srv-cukn2d5umphs73a1b2c0",
        }

    def _variables(self, asked: Asked, rest: list[str]) -> Reply:
        if not rest and asked.method == "PUT":  # what is not in the list is gone
            self.variables = {one["key"]: one["value"] for one in asked.body}
            return Reply(200, [])
        if not rest:
            found = [{"key": name, "value": value} for name, value in self.variables.items()]
            return Reply(200, [{"envVar": one, "cursor": "c"} for one in found])
        return self._variable(asked, rest[0])

    def _variable(self, asked: Asked, name: str) -> Reply:
        if asked.method == "PUT":
            self.variables[name] = asked.body["value"]
        elif name not in self.variables:
            return _NOT_FOUND
        elif asked.method == "DELETE":
            del self.variables[name]
            return Reply(204)
        return Reply(200, {"key": name, "value": self.variables[name]})

    def _deploys(self, asked: Asked) -> Reply:
        if asked.method == "POST":
            commit, image = asked.body.get("commitId"), asked.body.get("imageUrl")
            if (commit or image) and asked.body.get("deployMode"):
                return Reply(400, {"message": "deployMode cannot be combined with them"})
            built = self.head if asked.body.get("deployMode") != "deploy_only" else ""
            release = commit or (image or built or self.live()).rpartition(":")[2]
            if self.queues:
                self.queued.append(release)
                return Reply(202)
            return Reply(201, _shown(self._start("api", release), self.image))
        self.timeline.step()
        if self.queued:
            self._start("api", self.queued.pop(0))
        shown = [_shown(one, self.image) for one in reversed(self.timeline.made)]
        return Reply(200, [{"deploy": one, "cursor": "c"} for one in shown[: int(asked.query["limit"])]])

    def _roll_back(self, deploy_id: str) -> Reply:
        """With the variables of today."""
        found = self.timeline.find(deploy_id)
        if found is None:
            return _NOT_FOUND
        return Reply(201, _shown(self._start("rollback", found.release), self.image))

    def _start(self, why: str, release: str) -> Made:
        fails, self.fails = self.fails > 0, max(0, self.fails - 1)
        return self.timeline.add(release, self.variables, why=why, fails=fails)


def _shown(one: Made, image: str = "") -> dict[str, Any]:
    message = "Drop a column\n\nMigration: irreversible" if one.irreversible else "Do a thing"
    return {
        "id": one.id,
        **(
            {"image": {"ref": f"{image}:{one.release}"}}
            if image
            else {"commit": {"id": one.release, "message": message, "createdAt": "2026-11-24T07:00:00Z"}}
        ),
        "status": one.status,
        "trigger": one.why or "other",
        "createdAt": one.at.isoformat().replace("+00:00", "Z"),
        "updatedAt": one.at.isoformat().replace("+00:00", "Z"),
    }
