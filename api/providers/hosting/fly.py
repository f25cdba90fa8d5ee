"""Fly.io: the machines of one app, updated one after the other, each under a lease and with its whole
configuration: what is left out of it is gone.

The API knows no releases. A deploy is the mark that its machines carry; one that was killed half-way is gone
on with where machines still lack it. What is no secret goes into the machine's environment, so that it stands
in the configuration that is live; secrets into those of the app.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from api.core.errors import Rejected, TimedOut
from api.core.ids import new_id
from api.core.ports import Permission
from api.providers.access import tried
from api.providers.hosting.deploys import PlatformDeploy, retagged, tag
from api.providers.hosting.fly_machines import (
    DEAD,
    MIGRATION,
    WENT_BACK,
    changed,
    deploy_of,
    environment,
    red_checks,
    standing_of,
    youngest,
)
from api.providers.hosting.leases import leased
from api.providers.hosting.pointing import AS_OF, COPY, MARK, POINTED
from api.providers.platforms.answers import array_of, object_of, objects_of, text_of
from api.providers.platforms.fly import Fly

PLAIN = (MARK, COPY, AS_OF)
SECRETS_MARK = "FIRSTUSER_SECRETS_MARK"
"""Set with every deploy: it tells which version of the secrets has all that was written before."""

HEALTH_LOOKS, PAUSE_S = 30, 3.0
ASKED_S, LOOKS = 20, 15  # how long Fly holds one request to wait, and how many a machine is given


class FlyService:
    name = "fly"

    def __init__(self, api: Fly, sleep: Callable[[float], None] = time.sleep) -> None:
        self._api = api
        self._sleep = sleep

    def get(self, names: Sequence[str]) -> Mapping[str, str]:
        """Of the environment, what the machine has that was updated last: the others are to follow it."""
        newest = environment(youngest(self._machines()))
        plain = {name: value for name in names if name in PLAIN and (value := newest.get(name))}
        secret = [name for name in names if name not in PLAIN]
        return {**plain, **(self._api.get(secret) if secret else {})}

    def variable_names(self) -> Collection[str]:
        return self._secret_names() | {
            name for one in self._machines() for name in environment(one) if name not in PLAIN
        }

    def deploys(self) -> Sequence[PlatformDeploy]:
        """As the first machine went through them; the newest is live once all machines have it."""
        machines = self._machines()
        if not machines:
            return []
        known: dict[str, PlatformDeploy] = {}
        for version in self._versions(text_of(machines[0], "id")):
            config = object_of(version, "user_config")
            one = deploy_of(text_of(version, "version"), config)
            known.setdefault(one.id, one)
        newest = next(iter(known.values()), None)
        if newest is not None:
            standing, said = standing_of(machines, newest.id)
            known[newest.id] = replace(newest, standing=standing, said=said)
        return list(known.values())

    def deploy(self, changes: Mapping[str, str | None]) -> str:
        machines = self._machines()
        newest = environment(youngest(machines))
        mark = changes.get(MARK) or newest.get(MARK) or new_id("dep")
        plain = {name: changes[name] if name in changes else newest.get(name) for name in PLAIN}
        self._roll_out(
            machines,
            mark,
            self._secrets(changes, mark),
            lambda one: changed(object_of(one, "config"), {**plain, MARK: mark}),
        )
        return mark

    def release(self, name: str, changes: Mapping[str, str | None], *, irreversible: bool = False) -> str:
        """A machine that does not become healthy with it stops the roll-out: the others go on as they are."""
        machines, mark = self._machines(), changes.get(MARK) or new_id("dep")
        image = retagged(text_of(object_of(youngest(machines), "config"), "image"), name)
        self._release(machines, image, "irreversible" if irreversible else "", mark, changes)
        return mark

    def _release(
        self,
        machines: Sequence[dict[str, Any]],
        image: str,
        migration: str,
        mark: str,
        changes: Mapping[str, str | None],
    ) -> None:
        said = {MIGRATION: migration} if migration else {}
        rest = {name: value for name, value in changes.items() if name != MARK}

        def config(one: Mapping[str, Any]) -> dict[str, Any]:
            made = changed(object_of(one, "config"), {**dict.fromkeys(rest), MARK: mark})
            ours = {WENT_BACK, MIGRATION}
            kept = {name: v for name, v in object_of(made, "metadata").items() if name not in ours}
            return {**made, "image": image, "metadata": {**kept, **said}}

        # those with the API first: they migrate as they start
        first = sorted(machines, key=lambda one: not object_of(one, "config").get("services"))
        self._roll_out(first, mark, self._secrets(rest, mark), config, until_healthy=True)

    def roll_back(self, to: PlatformDeploy) -> str:
        return self._go_back(to.id, to.release, new_id("dep"))

    def go_on(self) -> None:
        machines = self._machines()
        newest = object_of(youngest(machines), "config")
        went_back, mark = object_of(newest, "metadata").get(WENT_BACK), object_of(newest, "env").get(MARK)
        images = {text_of(object_of(one, "config"), "image") for one in machines}
        if went_back and mark:
            self._go_back(went_back, tag(text_of(newest, "image")), mark)
        elif len(images) > 1 and mark:
            migration = text_of(object_of(newest, "metadata"), MIGRATION)
            self._release(machines, text_of(newest, "image"), migration, mark, {})
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
            made = changed(found, {**gone, MARK: mark})
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
        *,
        until_healthy: bool = False,
    ) -> None:
        for listed in machines:
            machine_id = text_of(listed, "id")
            with leased(self._api, machine_id, f"deploy {mark}", self._sleep) as nonce:
                now = self._machine(machine_id)
                if environment(now).get(MARK) == mark and text_of(now, "state") not in DEAD:
                    instance = text_of(now, "instance_id")
                else:
                    instance = self._update(now, nonce, config(now), secrets_version)
            if text_of(now, "state") != "stopped":
                self._await_started(machine_id, instance)
                if until_healthy:
                    self._await_healthy(machine_id)

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
            if environment(made).get(MARK) != config["env"][MARK]:
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
            if text_of(self._machine(machine_id), "state") in DEAD:
                fix = "Read its log (`fly logs`); the other machines serve what they served."
                said = f"failed to start machine {machine_id}"
                raise self._api.http.error(Rejected, "wait", said, fix)
        raise self._api.http.error(TimedOut, "wait", f"is still starting machine {machine_id}")

    def _await_healthy(self, machine_id: str) -> None:
        red: Sequence[str] = []
        for _ in range(HEALTH_LOOKS):
            if not (red := red_checks(self._machine(machine_id))):
                return
            self._sleep(PAUSE_S)
        said = f"does not see machine {machine_id} become healthy: {', '.join(red)}"
        fix = "Read its log (`fly logs`), then roll back; migrate first where the release needs it."
        raise self._api.http.error(Rejected, "check machine", said, fix)

    def _config_of(self, machine_id: str, to: str, release: str) -> dict[str, Any] | None:
        versions = self._versions(machine_id)
        configs = [(text_of(one, "version"), object_of(one, "user_config")) for one in versions]
        same = next((config for version, config in configs if deploy_of(version, config).id == to), None)
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
