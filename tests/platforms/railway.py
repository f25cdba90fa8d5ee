"""Railway for one service: variables by GraphQL. A change that skips no deploy makes one."""

from typing import Any

from tests.platforms.fake import Asked, FakePlatform, Reply

PLACE = {
    "projectId": "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d",
    "environmentId": "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed",
    "serviceId": "7d444840-9dc0-11d1-b245-5ffdce74fad2",
}


class FakeRailway(FakePlatform):
    base = "/graphql/v2"

    def authorized(self, asked: Asked) -> bool:
        return asked.headers.get("project-access-token") == self.token or super().authorized(asked)

    def not_authorized(self) -> Reply:
        return refused("Not Authorized")

    def answer(self, asked: Asked) -> Reply:
        query, given = str(asked.body["query"]), asked.body["variables"]
        if query.lstrip().startswith("query"):
            return data("variables", dict(self.variables)) if _here(given) else refused("Project not found")
        if not _here(given["input"]):
            return refused("Project not found")
        if "variableCollectionUpsert" not in query:
            return refused("Cannot query field")
        return self._upsert(given["input"])

    def _upsert(self, given: dict[str, Any]) -> Reply:
        kept = {} if given.get("replace") else self.variables
        self.variables = kept | given["variables"]
        self.deploys += not given.get("skipDeploys", False)
        return data("variableCollectionUpsert", True)


def data(name: str, value: Any) -> Reply:
    return Reply(200, {"data": {name: value}})


def refused(message: str) -> Reply:
    return Reply(200, {"data": None, "errors": [{"message": message}]})


def _here(given: dict[str, Any]) -> bool:
    return all(given.get(name) == value for name, value in PLACE.items())
