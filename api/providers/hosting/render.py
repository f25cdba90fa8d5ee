"""Render: one service. A deploy takes the last good build and the variables as they are then; a release that
is named is a commit, which Render builds, or the tag of an image.

A rollback builds nothing either, and keeps the variables of today. Automatic deploys are switched off before
it, because the next push would undo it, and on again by the way forth.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from api.core.errors import ProviderError, Refused, TimedOut
from api.core.ports import Permission
from api.providers.access import tried
from api.providers.hosting.deploys import IRREVERSIBLE, PlatformDeploy, Standing, by_commit, retagged, tag
from api.providers.hosting.pointing import AUTODEPLOY_WAS_ON
from api.providers.platforms.answers import array_of, moment_of, object_of, text_of
from api.providers.platforms.render import Render

LISTED = 50
QUEUED_LOOKS, QUEUED_PAUSE_S = 15, 2.0
_STANDING = {
    "live": Standing.LIVE,
    "deactivated": Standing.GONE,
    "canceled": Standing.DROPPED,
    "build_failed": Standing.FAILED,
    "update_failed": Standing.FAILED,
    "pre_deploy_failed": Standing.FAILED,
}


class RenderService:
    name = "render"

    def __init__(self, api: Render, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._sleep = sleep

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        return self._api.get(names)

    def variable_names(self) -> Collection[str]:
        """Values come along, and are dropped at once."""
        found = self._list("list variables", "env-vars", limit=100)
        return {text_of(object_of(one, "envVar"), "key") for one in found}

    def deploys(self) -> Sequence[PlatformDeploy]:
        return [_deploy(object_of(one, "deploy")) for one in self._list("list deploys", "deploys", LISTED)]

    def deploy(self, changes: Mapping[str, str | None]) -> str:
        self._api.set(changes)
        return self._started("deploy", "deploys", {"deployMode": "deploy_only"})

    def release(self, name: str, changes: Mapping[str, str | None], *, irreversible: bool = False) -> str:
        newest = object_of(next(iter(self._list("list deploys", "deploys", 1)), {}), "deploy")
        image = text_of(object_of(newest, "image"), "ref")
        if image and irreversible:
            fix = "Build the service from its repository, whose commits can say so, or leave the option out."
            raise Refused("render keeps no word about an image.", fix=fix, code="not_to_be_marked")
        asked = (
            {"imageUrl": retagged(image, name)}
            if image
            else {"commitId": by_commit(self.name, name, irreversible=irreversible)}
        )
        self._api.set(changes)
        return self._started("deploy", "deploys", asked)

    def roll_back(self, to: PlatformDeploy) -> str:
        """Forth, to the newest release that there is, automatic deploys come on again."""
        newest = to.release == _newest_release(self.deploys())
        was_on = bool(self._api.get([AUTODEPLOY_WAS_ON]))
        if not was_on and text_of(self._described(), "autoDeploy") != "no":
            self._api.set({AUTODEPLOY_WAS_ON: "yes"})
            self._autodeploy("no")
        made = self._started("roll back", "rollback", {"deployId": to.id})
        if newest and was_on:
            self._autodeploy("yes")
            self._api.set({AUTODEPLOY_WAS_ON: None})
        return made

    def go_on(self) -> None:
        """Nothing: what was begun goes on without us."""

    def check_access(self) -> Sequence[Permission]:
        write = "write variables, deploy, roll back"
        return [
            tried("read the service", self._described, lambda found: text_of(found, "name")),
            tried("read deploys", self.deploys, lambda found: f"{len(found)} deploys"),
            tried("read variables", self.variable_names, lambda found: f"{len(found)} variables"),
            Permission(write, None, "keys of Render have no scopes: one that reads also writes"),
        ]

    def _started(self, operation: str, path: str, body: Mapping[str, Any]) -> str:
        """The id of the deploy. 202 has no body, and an answer may be lost: then it is whichever is new."""
        before = {one.id for one in self.deploys()}
        lost: ProviderError | None = None
        try:
            answer = self._api.http.call(operation, "POST", f"{self._api.service}/{path}", json=body)
            if answer.content:
                return text_of(self._api.http.json(operation, answer), "id")
        except TimedOut as error:
            lost = error
        for _ in range(QUEUED_LOOKS):
            made = [one.id for one in self.deploys() if one.id not in before]
            if made:
                return made[-1]
            self._sleep(QUEUED_PAUSE_S)
        raise lost or self._api.http.error(TimedOut, operation, "has queued a deploy and does not list it")

    def _described(self) -> dict[str, Any]:
        answer = self._api.http.call("read service", "GET", self._api.service)
        return self._api.http.json("read service", answer)

    def _autodeploy(self, value: str) -> None:
        body = {"autoDeploy": value}
        self._api.http.call("set autodeploy", "PATCH", self._api.service, repeatable=True, json=body)

    def _list(self, operation: str, path: str, limit: int) -> list[dict[str, Any]]:
        asked = {"limit": str(limit)}
        return array_of(self._api.http.call(operation, "GET", f"{self._api.service}/{path}", params=asked))


def _newest_release(deploys: Sequence[PlatformDeploy]) -> str:
    """The one that came up last: those deployed again are older."""
    first = {one.release: one.at for one in sorted(deploys, key=lambda one: one.at, reverse=True)}
    return max(first, key=lambda release: first[release], default="")


def _deploy(found: Mapping[str, Any]) -> PlatformDeploy:
    commit, image, said = object_of(found, "commit"), object_of(found, "image"), text_of(found, "status")
    return PlatformDeploy(
        id=text_of(found, "id"),
        standing=_STANDING.get(said, Standing.WAITING),
        said=said,
        release=text_of(commit, "id") or tag(text_of(image, "ref")),
        at=moment_of(found, "createdAt"),
        went_back=text_of(found, "trigger") == "rollback",
        irreversible=IRREVERSIBLE in text_of(commit, "message").lower(),
    )
