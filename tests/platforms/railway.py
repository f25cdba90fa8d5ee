"""Railway for one service: variables and deployments by GraphQL. A change that skips no deploy makes one; a
rollback brings back the variables of its time."""

from typing import Any

from tests.platforms.fake import Asked, FakePlatform, Reply
from tests.platforms.timeline import Made, Timeline, Words

PLACE = {
    "projectId": "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
    "environmentId": "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
    "serviceId": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
}
_WORDS = Words(("QUEUED", "BUILDING", "DEPLOYING"), "SUCCESS", "REMOVED", "FAILED", "SKIPPED")


class FakeRailway(FakePlatform):
    """`image`: of a service that is not built from a repository."""

    base = "/graphql/v2"

    def __init__(self) -> None:
        super().__init__()
        self.image = ""
        self.timeline = Timeline(
            _WORDS, lambda n: f"7d444840-9dc0-11d1-b245-{n:012}", lambda v, r: self.on_live(v, r)
        )

    def push(self, release: str, *, irreversible: bool = False) -> None:
        self.timeline.add(release, self.variables, why="deploy", at_once=True, irreversible=irreversible)

    def overtake(self) -> None:
        self.timeline.add(self.live(), self.variables, why="deploy")

    def live(self) -> str:
        return self.timeline.serving.release

    def authorized(self, asked: Asked) -> bool:
        return asked.headers.get("project-access-token") == self.token or super().authorized(asked)

    def not_authorized(self) -> Reply:
        return refused("Not Authorized")

    def answer(self, asked: Asked) -> Reply:
        query, given = str(asked.body["query"]).split(None, 2)[1].partition("(")[0], asked.body["variables"]
        if query in {"deploymentRedeploy", "deploymentRollback"}:
            return self._again(query, given["id"])
        if query == "serviceInstanceDeployV2":
            assert _here(PLACE | given)
            fails, self.fails = self.fails > 0, max(0, self.fails - 1)
            made = self.timeline.add(given["commitSha"], self.variables, why="deploy", fails=fails)
            return data(query, made.id)
        if query == "serviceInstance":
            return data(query, {"serviceName": "api", "healthcheckPath": "/api/readyz"})
        if not _here(given if query == "variables" else given["input"]):
            return refused("Project not found")
        if query == "variables":
            return data(query, dict(self.variables))
        if query == "deployments":
            self.timeline.step()
            return data(
                query, {"edges": [{"node": _shown(one, self.image)} for one in reversed(self.timeline.made)]}
            )
        if query == "variableCollectionUpsert":
            return self._upsert(given["input"])
        return refused("Cannot query field")

    def _upsert(self, given: dict[str, Any]) -> Reply:
        kept = {} if given.get("replace") else self.variables
        self.variables = kept | given["variables"]
        self.deploys += not given.get("skipDeploys", False)
        return data("variableCollectionUpsert", True)

    def _again(self, query: str, deployment: str) -> Reply:
        found = self.timeline.find(deployment)
        if found is None or found.steps:
            return refused("Deployment not found")
        fails, self.fails = self.fails > 0, max(0, self.fails - 1)
        back = query == "deploymentRollback"
        if back:
            self.variables = dict(found.variables)
        why = "rollback" if back or found.why == "rollback" else "redeploy"
        made = self.timeline.add(found.release, self.variables, why=why, fails=fails)
        return data(query, True if back else {"id": made.id})


def data(name: str, value: Any) -> Reply:
    return Reply(200, {"data": {name: value}})


def refused(message: str) -> Reply:
    return Reply(200, {"data": None, "errors": [{"message": message}]})


def _shown(one: Made, image: str = "") -> dict[str, Any]:
    message = "Drop a column\n\nMigration: irreversible" if one.irreversible else "Do a thing"
    return {
        "id": one.id,
        "status": one.status,
        "createdAt": one.at.isoformat().replace("+00:00", "Z"),
        "meta": {
            "reason": one.why,
            **(
                {"image": f"{image}:{one.release}"}
                if image
                else {"commitHash": one.release, "commitMessage": message}
            ),
        },
        "canRollback": True,
        "canRedeploy": not one.steps,
    }


def _here(given: dict[str, Any]) -> bool:
    return all(given.get(name) == value for name, value in PLACE.items())
