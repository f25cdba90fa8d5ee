"""ECS task definitions as plain values: read, changed, and made fit to be registered again."""

from collections.abc import Mapping
from typing import Any

from api.providers.hosting.deploys import IRREVERSIBLE, retagged, tag

WENT_BACK = "firstuser.went-back"  # labels of the container
MIGRATION = "firstuser.migration"
_REGISTRABLE = (
    "family", "taskRoleArn", "executionRoleArn", "networkMode", "containerDefinitions", "volumes",
    "placementConstraints", "requiresCompatibilities", "cpu", "memory", "pidMode", "ipcMode",
    "proxyConfiguration", "inferenceAccelerators", "ephemeralStorage", "runtimePlatform",
    "enableFaultInjection",
)  # fmt: skip


def short(arn: str) -> str:
    """`arn:aws:ecs:…:task-definition/api:7` → `api:7`."""
    return arn.rpartition("/")[2]


def environment(container: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container.get("environment") or []}


def secrets(container: Mapping[str, Any]) -> dict[str, str]:
    """Where each is taken from."""
    return {one["name"]: one["valueFrom"] for one in container.get("secrets") or []}


def release(container: Mapping[str, Any]) -> str:
    return tag(container.get("image", ""))


def irreversible(container: Mapping[str, Any]) -> bool:
    said = (container.get("dockerLabels") or {}).get(MIGRATION, "")
    return f"migration: {said}" == IRREVERSIBLE


def changed(
    container: Mapping[str, Any],
    plain: Mapping[str, str | None],
    injected: Mapping[str, str | None],
    labels: Mapping[str, str | None],
) -> dict[str, Any]:
    """None takes a variable, a secret or a label away."""
    values = _merged(environment(container), plain)
    sources = _merged(secrets(container), injected)
    return {
        **container,
        "environment": [{"name": name, "value": value} for name, value in values.items()],
        "secrets": [{"name": name, "valueFrom": source} for name, source in sources.items()],
        "dockerLabels": _merged(container.get("dockerLabels") or {}, labels),
    }


def released(definition: Mapping[str, Any], container: Mapping[str, Any], name: str) -> dict[str, Any]:
    """With another release in every container that has this one's image: what migrates comes along."""
    image = container["image"]
    return {
        **definition,
        "containerDefinitions": [
            {**one, "image": retagged(image, name)} if one["image"] == image else one
            for one in definition["containerDefinitions"]
        ],
    }


def registrable(definition: Mapping[str, Any], container: Mapping[str, Any]) -> dict[str, Any]:
    """What `RegisterTaskDefinition` takes of what `DescribeTaskDefinition` gives, with this container."""
    kept = {name: definition[name] for name in _REGISTRABLE if definition.get(name) not in (None, [], "")}
    containers = [
        container if one["name"] == container["name"] else one for one in definition["containerDefinitions"]
    ]
    return {**kept, "containerDefinitions": containers}


def _merged(found: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    kept = {name: value for name, value in found.items() if name not in changes}
    return kept | {name: value for name, value in changes.items() if value is not None}
