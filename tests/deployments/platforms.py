"""What each platform says of each part, in one shape: command, environment, how long a stop may take."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.deployments import compose

FOLDER = Path(__file__).parents[2] / "deployments"


@dataclass(frozen=True, slots=True)
class Part:
    """`environment`: a literal, or None where the value comes from elsewhere by reference."""

    platform: str
    name: str
    command: str
    environment: Mapping[str, str | None]
    stop_seconds: float
    health: str = ""

    @property
    def id(self) -> str:
        return f"{self.platform}-{self.name}"


def parts() -> list[Part]:
    return [*_compose(), *_render(), *_railway(), *_fly(), *_ecs()]


def _compose() -> Iterator[Part]:
    for name, service in compose.SERVICES.items():
        if name != "postgres":
            stated = service.get("environment", {})
            test = " ".join(map(str, service.get("healthcheck", {}).get("test", [])))
            yield Part(
                "docker",
                name,
                " ".join(service["command"]),
                {key: None if "${" in str(value) else str(value) for key, value in stated.items()},
                float(service.get("stop_grace_period", "10s").removesuffix("s")),
                _path(test),
            )


def _path(text: str) -> str:
    """Of the address in a command that looks at it."""
    found = text.partition("http://127.0.0.1:")[2]
    return (
        "/" + found.partition("/")[2].partition("'")[0].partition('"')[0].partition("\\")[0] if found else ""
    )


def _render() -> Iterator[Part]:
    document = yaml.safe_load((FOLDER / "render" / "render.yaml").read_text())
    groups = {group["name"]: group["envVars"] for group in document["envVarGroups"]}
    for service in document["services"]:
        entries: list[dict[str, Any]] = []
        for one in service["envVars"]:
            entries += groups[one["fromGroup"]] if "fromGroup" in one else [one]
        yield Part(
            "render",
            service["name"].removeprefix("firstuser-"),
            service["dockerCommand"],
            {one["key"]: one.get("value") for one in entries},
            service["maxShutdownDelaySeconds"],
            service.get("healthCheckPath", ""),
        )


def _railway() -> Iterator[Part]:
    for file in sorted((FOLDER / "railway").glob("*.json")):
        deploy = json.loads(file.read_text())["deploy"]
        own = f"{file.stem}.env" if file.stem in {"prefect", "staging"} else "variables.env"
        lines = (FOLDER / "railway" / own).read_text().splitlines()
        pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
        yield Part(
            "railway",
            file.stem,
            deploy["startCommand"],
            {key: None if "${{" in value else value for key, _, value in pairs},
            deploy["drainingSeconds"],
            deploy.get("healthcheckPath", ""),
        )


FLY_SECRETS = "DATABASE_URL, the runbook's, FIRSTUSER_DATA_KEY, FIRSTUSER_PREFECT_…"


def _fly() -> Iterator[Part]:
    """Its secrets are the app's, for every process group, and named in no file but the examples."""
    for app in ("fly", "staging"):
        document = tomllib.loads((FOLDER / "fly" / f"{app}.toml").read_text())
        served = document["http_service"]["processes"][0]
        checks = {served: document["http_service"]["checks"][0], **document.get("checks", {})}
        for name, command in document["processes"].items():
            health = checks.get(name, {}).get("path", "")
            command = command.removeprefix("env FIRSTUSER_HOST=:: ")
            yield Part("fly", name, command, document["env"], document["kill_timeout"], health)


def fly_secrets(name: str) -> set[str]:
    """Those of the app that the part is of."""
    file = "staging.secrets.example" if name == "staging" else "secrets.example"
    lines = (FOLDER / "fly" / file).read_text().splitlines()
    return {line.removesuffix("=") for line in lines if line and not line.startswith("#")}


class _Intrinsic(yaml.SafeLoader):
    """CloudFormation's short forms are taken for references."""


_Intrinsic.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def cloudformation(name: str) -> dict[str, Any]:
    return yaml.load((FOLDER / "ecs" / name).read_text(), Loader=_Intrinsic)  # noqa: S506  a SafeLoader


def _ecs() -> Iterator[Part]:
    for resource in cloudformation("service.yaml")["Resources"].values():
        if resource["Type"] == "AWS::ECS::TaskDefinition":
            staging = resource["Properties"]["Family"] == "firstuser-staging"
            for container in resource["Properties"]["ContainerDefinitions"]:
                stated = {one["Name"]: one["Value"] for one in container.get("Environment", []) if one}
                stated |= {one["Name"]: None for one in container.get("Secrets", []) if one}
                yield Part(
                    "ecs",
                    {"api": "staging", "migrate": "migrate-staging"}[container["Name"]]
                    if staging
                    else container["Name"],
                    " ".join(container["Command"]),
                    stated,
                    container["StopTimeout"],
                    _path(" ".join(container.get("HealthCheck", {}).get("Command", []))),
                )
