"""Fly.io: the machines of one app, updated one after the other, each under a lease and with its whole
configuration: what is left out of it is gone.

The API knows no releases. A deploy is the mark that its machines carry; one that was killed half-way is gone
on with where machines still lack it. What is no secret goes into the machine's environment, so that it stands
in the configuration that is live; secrets into those of the app.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from api.core.errors import Rejected, TimedOut
from api.core.ids import new_id
from api.core.ports import Permission
from api.providers.access import tried
from api.providers.hosting.deploys import IRREVERSIBLE, PlatformDeploy, Standing, tag
from api.providers.hosting.leases import leased
from api.providers.hosting.pointing import AS_OF, COPY, MARK, POINTED
from api.providers.platforms.answers import array_of, object_of, objects_of, text_of
from api.providers.platforms.fly import Fly

PLAIN = (MARK, COPY, AS_OF)
SECRETS_MARK = "FIRSTUSER_SECRETS_MARK"
"""Set with every deploy: it tells which version of the secrets has all that was written before."""

WENT_BACK, MIGRATION = "firstuser_went_back", "firstuser_migration"  # metadata of a machine
ASKED_S, LOOKS = 20, 15  # how long Fly holds one request to wait, and how many a machine is given
_DEAD = {"failed", "destroyed", "destroying"}
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class FlyService:
    name = "fly"

    def __init__(self, api: Fly, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._sleep = sleep

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        """Of the environment, what the machine has that was updated last: the others are to follow it."""
        newest = _environment(_youngest(self._machines()))
        plain = {name: value for name in names if name in PLAIN and (value := newest.get(name))}
        secret = [name for name in names if name not in PLAIN]
        return {**plain, **(self._api.get(secret) if secret else {})}

    def variable_names(self) -> Collection[str]:
        return self._secret_names() | {
            name for one in self._machines() for name in _environment(one) if name not in PLAIN
        }

    def deploys(self) -> Sequence[PlatformDeploy]:
        """As the first machine went through them; the newest is live once all machines have it."""
        machines = self._machines()
        if not machines:
            return []
        known: dict[str, PlatformDeploy] = {}
        for version in self._versions(text_of(machines[0], "id")):
            config = object_of(version, "user_config")
            one = _deploy(text_of(version, "version"), config)
            known.setdefault(one.id, one)
        newest = next(iter(known.values()), None)
        if newest is not None:
            standing, said = _standing(machines, newest.id)
            known[newest.id] = replace(newest, standing=standing, said=said)
        return list(known.values())

    def deploy(self, changes: Mapping[str, str | None]) -> str:
        machines = self._machines()
        newest = _environment(_youngest(machines))
        mark = changes.get(MARK) or newest.get(MARK) or new_id("dep")
        plain = {name: changes[name] if name in changes else newest.get(name) for name in PLAIN}
        self._roll_out(
            machines,
            mark,
            self._secrets(changes, mark),
            lambda one: _with(object_of(one, "config"), {**plain, MARK: mark}),
        )
        return mark

    def roll_back(self, to: PlatformDeploy) -> str:
        return self._go_back(to.id, to.release, new_id("dep"))

    def go_on(self) -> None:
        newest = object_of(_youngest(self._machines()), "config")
        went_back, mark = object_of(newest, "metadata").get(WENT_BACK), object_of(newest, "env").get(MARK)
        if went_back and mark:
            self._go_back(went_back, tag(text_of(newest, "image")), mark)
        else:
            self.deploy({})

    def _go_back(self, to: str, release: str, mark: str) -> str:
        """Each machine is given the configuration that it had then; one that is younger, the image alone."""
        machines = self._machines()
        old = {text_of(one, "id"): self._config_of(text_of(one, "id"), to, release) for one in machines}
        given = next((config for config in old.values() if config), None)
        if given is None:
            raise self._api.http.error(Rejected, "roll back", f"has no configuration of {release} any more")
        gone: dict[str, str | None] = dict.fromkeys(POINTED)

        def config(one: Mapping[str, Any]) -> dict[str, Any]:
            found = old[text_of(one, "id")] or {**object_of(one, "config"), "image": given["image"]}
            made = _with(found, {**gone, MARK: mark})
            return {**made, "metadata": {**object_of(made, "metadata"), WENT_BACK: to}}

        self._roll_out(machines, mark, self._secrets({}, mark), config)
        return mark

    def check_access(self) -> Sequence[Permission]:
        write = "write secrets, update machines"
        return [
            tried("read the app", self._described, lambda found: text_of(found, "name")),
            tried("read machines", self._machines, lambda found: f"{len(found)} machines"),
            tried("read secrets", self._secret_names, lambda found: f"{len(found)} secrets"),
            tried("see the values of secrets", lambda: self._api.get([SECRETS_MARK]), lambda _: "shown"),
            Permission(write, None, "a token does not say what it may; a deploy token of the app may"),
        ]

    def _secrets(self, changes: Mapping[str, str | None], mark: str) -> int | None:
        """Written before the machines are touched; the version that has them all."""
        secret = {name: value for name, value in changes.items() if name not in PLAIN}
        self._api.set({**secret, SECRETS_MARK: mark})
        return self._api.secrets_version

    def _roll_out(
        self,
        machines: Sequence[Mapping[str, Any]],
        mark: str,
        secrets_version: int | None,
        config: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> None:
        for listed in machines:
            machine_id = text_of(listed, "id")
            with leased(self._api, machine_id, f"deploy {mark}", self._sleep) as nonce:
                now = self._machine(machine_id)
                if _environment(now).get(MARK) == mark and text_of(now, "state") not in _DEAD:
                    instance = text_of(now, "instance_id")
                else:
                    instance = self._update(now, nonce, config(now), secrets_version)
            if text_of(now, "state") != "stopped":
                self._await_started(machine_id, instance)

    def _update(
        self, now: Mapping[str, Any], nonce: str, config: dict[str, Any], secrets_version: int | None
    ) -> str:
        """The instance that is made. Not updated when somebody else was faster."""
        body: dict[str, Any] = {"config": config, "current_version": text_of(now, "instance_id")}
        if secrets_version is not None:
            body["min_secrets_version"] = secrets_version
        if text_of(now, "state") == "stopped":  # by itself, for want of visitors: it starts with the first
            body["skip_launch"] = True
        path = f"{self._api.app}/machines/{text_of(now, 'id')}"
        headers = {"fly-machine-lease-nonce": nonce}
        try:
            answer = self._api.http.call("update machine", "POST", path, json=body, headers=headers)
        except TimedOut:
            made = self._machine(text_of(now, "id"))
            if _environment(made).get(MARK) != config["env"][MARK]:
                raise
            return text_of(made, "instance_id")
        return text_of(self._api.http.json("update machine", answer), "instance_id")

    def _await_started(self, machine_id: str, instance: str) -> None:
        path = f"{self._api.app}/machines/{machine_id}/wait"
        asked = {"instance_id": instance, "state": "started", "timeout": str(ASKED_S)}
        for _ in range(LOOKS):
            try:
                self._api.http.call("wait", "GET", path, params=asked, timeout=ASKED_S + 10)
                return
            except Rejected as error:
                if error.status != 408:
                    raise
            if text_of(self._machine(machine_id), "state") in _DEAD:
                fix = "Read its log (`fly logs`); the other machines serve what they served."
                said = f"failed to start machine {machine_id}"
                raise self._api.http.error(Rejected, "wait", said, fix)
        raise self._api.http.error(TimedOut, "wait", f"is still starting machine {machine_id}")

    def _config_of(self, machine_id: str, to: str, release: str) -> dict[str, Any] | None:
        versions = self._versions(machine_id)
        configs = [(text_of(one, "version"), object_of(one, "user_config")) for one in versions]
        same = next((config for version, config in configs if _deploy(version, config).id == to), None)
        return same or next((c for _, c in configs if tag(text_of(c, "image")) == release), None)

    def _machines(self) -> list[dict[str, Any]]:
        answer = self._api.http.call("list machines", "GET", f"{self._api.app}/machines")
        found = [one for one in array_of(answer) if text_of(one, "state") not in {"destroyed", "destroying"}]
        return sorted(found, key=lambda one: text_of(one, "id"))

    def _machine(self, machine_id: str) -> dict[str, Any]:
        answer = self._api.http.call("read machine", "GET", f"{self._api.app}/machines/{machine_id}")
        return self._api.http.json("read machine", answer)

    def _versions(self, machine_id: str) -> list[dict[str, Any]]:
        """Newest first: their ids sort by time."""
        path = f"{self._api.app}/machines/{machine_id}/versions"
        found = array_of(self._api.http.call("list versions", "GET", path))
        return sorted(found, key=lambda one: text_of(one, "version"), reverse=True)

    def _described(self) -> dict[str, Any]:
        return self._api.http.json("read app", self._api.http.call("read app", "GET", self._api.app))

    def _secret_names(self) -> set[str]:
        answer = self._api.http.call("list secrets", "GET", f"{self._api.app}/secrets")
        found = objects_of(self._api.http.json("list secrets", answer), "secrets")
        return {text_of(one, "name") for one in found} - {SECRETS_MARK}


def _youngest(machines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of the newest instance: their ids sort by time."""
    return max(machines, key=lambda one: text_of(one, "instance_id"), default={})


def _environment(machine: Mapping[str, Any]) -> dict[str, str]:
    return object_of(object_of(machine, "config"), "env")


def _with(config: Mapping[str, Any], changes: Mapping[str, str | None]) -> dict[str, Any]:
    env = {name: value for name, value in object_of(config, "env").items() if name not in changes}
    return {**config, "env": env | {name: value for name, value in changes.items() if value is not None}}


def _deploy(version: str, config: Mapping[str, Any]) -> PlatformDeploy:
    metadata = object_of(config, "metadata")
    return PlatformDeploy(
        id=object_of(config, "env").get(MARK) or version,
        standing=Standing.GONE,
        said="replaced",
        release=tag(text_of(config, "image")),
        at=made_at(version),
        went_back=WENT_BACK in metadata,
        irreversible=f"migration: {metadata.get(MIGRATION, '')}" == IRREVERSIBLE,
    )


def _standing(machines: Sequence[Mapping[str, Any]], mark: str) -> tuple[Standing, str]:
    """Of the newest deploy, by what its machines say."""
    for one in machines:
        state, name = text_of(one, "state"), text_of(one, "id")
        marked = _environment(one).get(MARK) or text_of(one, "instance_id")
        red = [
            text_of(check, "name") for check in objects_of(one, "checks") if check.get("status") != "passing"
        ]
        if state in _DEAD:
            return Standing.FAILED, f"{name} is {state}"
        if marked != mark and _environment(machines[0]).get(MARK):
            return Standing.WAITING, f"not on {name} yet"
        if state not in {"started", "stopped", "suspended"}:
            return Standing.WAITING, f"{name} is {state}"
        if state == "started" and red:
            return Standing.WAITING, f"{name}: {', '.join(red)} not passing"
    return Standing.LIVE, "started"


def made_at(version: str) -> datetime:
    """When a version was made: a ULID begins with its milliseconds."""
    try:
        milliseconds = sum(_CROCKFORD.index(c) * 32**i for i, c in enumerate(reversed(version.upper()[:10])))
    except ValueError:
        milliseconds = 0
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
