"""Railway: one service in one environment.

Variables are set without a deploy, then what serves is deployed once more. A rollback brings back the
variables of its time, too: those that must not come back are put right after it.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from api.core.errors import Refused, Rejected, TimedOut
from api.core.ports import Permission
from api.providers.access import tried
from api.providers.hosting.deploys import IRREVERSIBLE, PlatformDeploy, Standing, by_commit, tag
from api.providers.hosting.pointing import MARK, POINTED
from api.providers.platforms.answers import moment_of, object_of, objects_of, text_of
from api.providers.platforms.railway import VARIABLES, Railway
from api.providers.secret_stores.ring import variables as ring_variables
from api.settings.rings import DATA_KEY, SESSION, WEBHOOK, WIDGET

LOOKS, PAUSE_S = 150, 2.0
DEPLOYMENTS = """
query deployments($input: DeploymentListInput!, $first: Int) {
  deployments(input: $input, first: $first) {
    edges { node { id status createdAt meta canRollback canRedeploy } }
  }
}"""
REDEPLOY = "mutation deploymentRedeploy($id: String!) { deploymentRedeploy(id: $id) { id } }"
DEPLOY = """
mutation serviceInstanceDeployV2($environmentId: String!, $serviceId: String!, $commitSha: String) {
  serviceInstanceDeployV2(environmentId: $environmentId, serviceId: $serviceId, commitSha: $commitSha)
}"""
ROLL_BACK = "mutation deploymentRollback($id: String!) { deploymentRollback(id: $id) }"
INSTANCE = """
query serviceInstance($environmentId: String!, $serviceId: String!) {
  serviceInstance(environmentId: $environmentId, serviceId: $serviceId) { serviceName healthcheckPath }
}"""
_STANDING = {
    "SUCCESS": Standing.LIVE,
    "SLEEPING": Standing.LIVE,
    "CRASHED": Standing.FAILED,
    "FAILED": Standing.FAILED,
    "REMOVED": Standing.GONE,
    "REMOVING": Standing.GONE,
    "SKIPPED": Standing.DROPPED,
}
_RINGS = (SESSION, WIDGET, WEBHOOK, DATA_KEY)
KEPT = (*POINTED, MARK, *(name for ring in _RINGS for name in ring_variables(ring)))
"""What a rollback must not bring back: a drill's address, and secrets that are retired."""


class RailwayService:
    name = "railway"

    def __init__(self, api: Railway, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._sleep = sleep

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        return self._api.get(names)

    def variable_names(self) -> Collection[str]:
        """Values come along, and are dropped at once. What was emptied counts as not there."""
        found = object_of(self._api.query("list variables", VARIABLES, self._api.place), "variables")
        return {name for name, value in found.items() if value}

    def deploys(self) -> Sequence[PlatformDeploy]:
        """Of several that are up, as in a hand-over, the newest serves."""
        found = [_deploy(one) for one in self._nodes()]
        live = next((one.id for one in found if one.standing is Standing.LIVE), "")
        return [_gone(one) if one.standing is Standing.LIVE and one.id != live else one for one in found]

    def deploy(self, changes: Mapping[str, str | None]) -> str:
        if changes:
            self._api.set(changes)
        serving = next((one for one in self.deploys() if one.standing is Standing.LIVE), None)
        if serving is None:
            fix = "Deploy a working release first."
            raise self._api.http.error(Rejected, "deploy", "has no deployment that serves", fix)
        return self._started("deploy", REDEPLOY, {"id": serving.id})

    def release(self, name: str, changes: Mapping[str, str | None], *, irreversible: bool = False) -> str:
        newest = object_of(next(iter(self._nodes()), {}), "meta")
        if text_of(newest, "image") and not text_of(newest, "commitHash"):
            raise Refused(
                "railway deploys the image that the service's source names, and no other one.",
                fix="Change the source to the new tag in the service's settings; Railway deploys it then.",
                code="no_release_by_name",
            )
        commit = by_commit(self.name, name, irreversible=irreversible)
        self._api.set(changes)
        place = {one: self._api.place[one] for one in ("environmentId", "serviceId")}
        return self._started("deploy", DEPLOY, {**place, "commitSha": commit})

    def roll_back(self, to: PlatformDeploy) -> str:
        held = self._api.get(KEPT)
        made = self._started("roll back", ROLL_BACK, {"id": to.id})
        now = self._api.get(KEPT)
        back = {name: held.get(name) for name in KEPT if now.get(name) != held.get(name)}
        if not back:
            return made
        self._api.set(back)
        self._await_end(made)
        return self._started("deploy", REDEPLOY, {"id": made})

    def go_on(self) -> None:
        """Nothing: what was begun goes on without us."""

    def check_access(self) -> Sequence[Permission]:
        write = "write variables, deploy, roll back"
        return [
            tried("read the service", self._instance, lambda found: text_of(found, "serviceName")),
            tried("read deployments", self.deploys, lambda found: f"{len(found)} deployments"),
            tried("read variables", self.variable_names, lambda found: f"{len(found)} variables"),
            Permission(write, None, "tokens of Railway have no scopes: one that reads also writes"),
        ]

    def _started(self, operation: str, mutation: str, asked: Mapping[str, str]) -> str:
        """The deployment's id. A rollback tells none, and an answer may be lost: then it is the new one."""
        before = {text_of(one, "id") for one in self._nodes()}
        lost: TimedOut | None = None
        try:
            answer = self._api.query(operation, mutation, asked, repeatable=False)
            again, named = object_of(answer, "deploymentRedeploy"), text_of(answer, "serviceInstanceDeployV2")
            if made := text_of(again, "id") or named:
                return made
        except TimedOut as error:
            lost = error
        for _ in range(LOOKS):
            made = next((i for one in self._nodes() if (i := text_of(one, "id")) not in before), "")
            if made:
                return made
            self._sleep(PAUSE_S)
        raise lost or self._api.http.error(TimedOut, operation, "has taken it on and lists no deployment")

    def _await_end(self, deployment: str) -> None:
        """What is still being deployed cannot be deployed once more."""
        for _ in range(LOOKS):
            found = next((one for one in self.deploys() if one.id == deployment), None)
            if found is not None and found.standing is not Standing.WAITING:
                return
            self._sleep(PAUSE_S)
        said = "has brought old variables back, and does not come to an end with the rollback"
        raise self._api.http.error(TimedOut, "roll back", said, "Deploy the service once more by hand.")

    def _nodes(self) -> list[dict[str, Any]]:
        asked = {"input": dict(self._api.place), "first": 50}
        found = object_of(self._api.query("list deployments", DEPLOYMENTS, asked), "deployments")
        return [object_of(edge, "node") for edge in objects_of(found, "edges")]

    def _instance(self) -> dict[str, Any]:
        place = {name: self._api.place[name] for name in ("environmentId", "serviceId")}
        return object_of(self._api.query("read service", INSTANCE, place), "serviceInstance")


def _deploy(found: Mapping[str, Any]) -> PlatformDeploy:
    meta, said = object_of(found, "meta"), text_of(found, "status")
    return PlatformDeploy(
        id=text_of(found, "id"),
        standing=_STANDING.get(said, Standing.WAITING),
        said=said,
        release=text_of(meta, "commitHash") or tag(text_of(meta, "image")),
        at=moment_of(found, "createdAt"),
        went_back=text_of(meta, "reason") == "rollback",
        irreversible=IRREVERSIBLE in text_of(meta, "commitMessage").lower(),
    )


def _gone(one: PlatformDeploy) -> PlatformDeploy:
    return replace(one, standing=Standing.GONE)
