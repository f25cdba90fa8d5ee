"""Fly's machines as plain values: what one runs with, and how far a deploy has come with all of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from api.providers.hosting.deploys import IRREVERSIBLE, PlatformDeploy, Standing, tag
from api.providers.hosting.pointing import MARK
from api.providers.platforms.answers import object_of, objects_of, text_of

WENT_BACK, MIGRATION = "firstuser_went_back", "firstuser_migration"  # metadata of a machine
DEAD = {"failed", "destroyed", "destroying"}
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def youngest(machines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Of the newest instance: their ids sort by time."""
    return max(machines, key=lambda one: text_of(one, "instance_id"), default={})


def environment(machine: Mapping[str, Any]) -> dict[str, str]:
    return object_of(object_of(machine, "config"), "env")


def red_checks(machine: Mapping[str, Any]) -> Sequence[str]:
    checks = objects_of(machine, "checks")
    return [text_of(check, "name") for check in checks if check.get("status") != "passing"]


def changed(config: Mapping[str, Any], changes: Mapping[str, str | None]) -> dict[str, Any]:
    env = {name: value for name, value in object_of(config, "env").items() if name not in changes}
    return {**config, "env": env | {name: value for name, value in changes.items() if value is not None}}


def deploy_of(version: str, config: Mapping[str, Any]) -> PlatformDeploy:
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


def standing_of(machines: Sequence[Mapping[str, Any]], mark: str) -> tuple[Standing, str]:
    """Of the newest deploy, by what its machines say."""
    for one in machines:
        state, name = text_of(one, "state"), text_of(one, "id")
        marked = environment(one).get(MARK) or text_of(one, "instance_id")
        red = red_checks(one)
        if state in DEAD:
            return Standing.FAILED, f"{name} is {state}"
        if marked != mark and environment(machines[0]).get(MARK):
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
