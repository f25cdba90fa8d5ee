"""What a person deploys from: complete, without a secret's value, and true to the code, both ways."""

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import SecretStr
from starlette.routing import Route

from api.http.routers import ROUTERS
from api.settings import GROUPS
from api.settings.twelve import TWELVE
from deployments.commands import deploy as deploy_commands
from deployments.commands import serve as serve_commands
from deployments.local.environment import setting_names
from deployments.orchestration.deploying import PREFECT_FILE
from deployments.orchestration.prefect_file import unscheduled
from deployments.orchestration.worker import STOP_S
from deployments.serve import GRACE_S, LAST_S
from tests.deployments import compose
from tests.deployments.platforms import FOLDER, Part, cloudformation, fly_secrets, parts

PARTS = parts()
SERVED = {"api", "dispatcher", "worker", "watcher", "beacon", "prefect", "staging"}
NEEDED = {*TWELVE, "FIRSTUSER_DATA_KEY", "FIRSTUSER_ENV", "FIRSTUSER_OUTBOUND", "FIRSTUSER_PREFECT_API_URL"}
WATCHED = {"PUBLIC_APP_URL", "SESSION_SECRET", "OPS_ALERT_WEBHOOK_URL", "FIRSTUSER_ENV"}
MEASURED = {"DATABASE_URL", "VITE_HOMEPAGE_SPACE_SLUG", "FIRSTUSER_ENV"}
SERVER = {"FIRSTUSER_PREFECT_DATABASE_URL", "FIRSTUSER_PREFECT_AUTH", "FIRSTUSER_PREFECT_ENCRYPTION_KEY"}
MIGRATES = "firstuser migrate"
OURS = {route.path for router in ROUTERS for route in router.routes if isinstance(route, Route)}
PREFECTS = {"/api/health"}


def secret_names() -> set[str]:
    return {
        variable
        for group in GROUPS.values()
        for name, variable in group.variables().items()
        if SecretStr.__name__ in str(group.model_fields[name].annotation)
    }


def each(*names: str) -> Any:
    return pytest.mark.parametrize(
        "part", [one for one in PARTS if one.name in names], ids=lambda part: part.id
    )


def test_every_platform_has_every_part() -> None:
    for platform in ("docker", "render", "railway", "fly", "ecs"):
        assert {one.name for one in PARTS if one.platform == platform} >= SERVED


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.id)
def test_its_command_is_one_of_ours(part: Part) -> None:
    if part.name == "run":
        assert part.command == "python -m deployments.orchestration.flow_run"
        return
    program, *words = part.command.split()
    app = typer.Typer()
    serve_commands.register(app)
    deploy_commands.register(app)
    known = typer.main.get_command(app)
    for word in words:
        if word.startswith("--"):
            assert word in {option for parameter in known.params for option in parameter.opts}
        else:
            known = known.commands[word]  # type: ignore[attr-defined]
    assert (program, known.callback is not None) == ("firstuser", True)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.id)
def test_every_variable_is_one_that_is_read(part: Part) -> None:
    assert set(part.environment) <= setting_names()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.id)
def test_no_secret_has_its_value_in_the_file(part: Part) -> None:
    assert {"DATABASE_URL", "SESSION_SECRET", "FIRSTUSER_PREFECT_AUTH"} <= secret_names()
    assert [name for name in secret_names() if part.environment.get(name) is not None] == []


@each("api", "dispatcher", "worker", "run")
def test_nothing_that_a_production_needs_is_missing(part: Part) -> None:
    assert missing(part, NEEDED) == set()


@each("watcher")
def test_nothing_that_the_watcher_needs_is_missing_and_it_knows_no_database(part: Part) -> None:
    assert missing(part, WATCHED) == set()
    if part.platform in {"docker", "render", "ecs"}:  # elsewhere, secrets are of all parts together
        assert "DATABASE_URL" not in part.environment


@each("beacon")
def test_the_beacon_has_what_it_needs_and_no_secret_of_the_product(part: Part) -> None:
    assert missing(part, MEASURED) == set()
    if part.platform in {"docker", "render", "ecs"}:  # elsewhere, secrets are of all parts together
        assert secret_names() & part.environment.keys() == {"DATABASE_URL"}


@each("prefect")
def test_nothing_that_prefect_needs_is_missing(part: Part) -> None:
    assert missing(part, SERVER) == set()


def names(part: Part) -> set[str]:
    """On Fly, secrets are the app's."""
    return {*part.environment, *(fly_secrets(part.name) if part.platform == "fly" else ())}


def missing(part: Part, needed: set[str]) -> set[str]:
    return needed - names(part)


@each("api", "staging")
def test_readiness_decides_who_gets_traffic(part: Part) -> None:
    if part.platform == "ecs":  # the balancer asks for readiness, ECS whether the process lives
        balanced = "StagingTargets" if part.name == "staging" else "Targets"
        targets = cloudformation("service.yaml")["Resources"][balanced]["Properties"]
        assert (targets["HealthCheckPath"], part.health) == ("/api/readyz", "/api/healthz")
    else:
        assert part.health == "/api/readyz"
    assert {"/api/readyz", "/api/healthz"} <= OURS


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.id)
def test_what_is_asked_for_health_is_there(part: Part) -> None:
    assert part.health in {"", *(PREFECTS if part.name == "prefect" else OURS)}


@each("api", "staging")
def test_a_stop_waits_for_the_drain(part: Part) -> None:
    drain = float(part.environment["FIRSTUSER_DRAIN_SECONDS"] or 0)
    assert drain > 0
    assert part.stop_seconds > drain + GRACE_S + LAST_S


@each("worker")
def test_a_stop_waits_for_the_runs(part: Part) -> None:
    assert part.stop_seconds > STOP_S


@each("worker")
def test_everything_is_scheduled_but_the_backups_that_others_take(part: Part) -> None:
    chosen = (
        part.environment["FIRSTUSER_SCHEDULES"]
        or compose.environment("worker", AnyValue())["FIRSTUSER_SCHEDULES"]
    )
    assert unscheduled(PREFECT_FILE.read_text(), chosen) == {"full", "incremental", "retain"}


class AnyValue(dict[str, str]):
    def get(self, key: str, default: Any = None) -> Any:
        return default if key == "FIRSTUSER_SCHEDULES" else "x"

    def __getitem__(self, key: str) -> str:
        return "x"


def test_migrations_come_before_the_traffic() -> None:
    for api, migrates in (("api", "migrate"), ("staging", "migrate-staging")):
        waits_for = compose.SERVICES[api]["depends_on"][migrates]
        assert waits_for["condition"] == "service_completed_successfully"
    web = [one for one in render()["services"] if one["type"] == "web"]
    assert [one["preDeployCommand"] for one in web] == [MIGRATES, MIGRATES]
    for name in ("api", "staging"):
        deploy = json.loads((FOLDER / "railway" / f"{name}.json").read_text())["deploy"]
        assert deploy["preDeployCommand"] == [MIGRATES]
    for app, group in (("fly", "api"), ("staging", "staging")):
        assert fly(app)["deploy"]["release_command"] == MIGRATES
        assert fly(app)["processes"][group].endswith(" --migrate"), "a deploy by the API runs no such command"
    for task in ("ApiTask", "StagingTask"):
        containers = cloudformation("service.yaml")["Resources"][task]["Properties"]["ContainerDefinitions"]
        migrate, api = containers
        assert " ".join(migrate["Command"]) == MIGRATES
        assert {"ContainerName": "migrate", "Condition": "SUCCESS"} in api["DependsOn"]


def render() -> dict[str, Any]:
    return yaml.safe_load((FOLDER / "render" / "render.yaml").read_text())


def fly(app: str = "fly") -> dict[str, Any]:
    return tomllib.loads((FOLDER / "fly" / f"{app}.toml").read_text())


def test_references_within_render_lead_somewhere() -> None:
    services = {one["name"]: one for one in render()["services"]}
    databases = {one["name"] for one in render()["databases"]}
    for service in services.values():
        for variable in service["envVars"]:
            if source := variable.get("fromService"):
                there = services[source["name"]]
                assert source["type"] == there["type"]
                assert source["envVarKey"] in {one.get("key") for one in there["envVars"]}
            if source := variable.get("fromDatabase"):
                assert source["name"] in databases


def test_every_imported_secret_is_exported() -> None:
    text = (FOLDER / "ecs" / "service.yaml").read_text()
    used = {
        word.partition("}-")[2].partition('"')[0] for word in text.split("${SecretsStack") if "}-" in word
    }
    assert used
    assert used <= set(cloudformation("secrets.yaml")["Outputs"])


def test_settings_that_are_read_by_nothing_are_found() -> None:
    """The negative control of the checks above."""
    wrong = Part("docker", "api", "firstuser serve api", {"SESION_SECRET": None, "DATABASE_URL": "x"}, 1)
    with pytest.raises(AssertionError):
        test_every_variable_is_one_that_is_read(wrong)
    with pytest.raises(AssertionError):
        test_no_secret_has_its_value_in_the_file(wrong)
    with pytest.raises(AssertionError):
        test_nothing_that_a_production_needs_is_missing(wrong)
    with pytest.raises(KeyError):
        test_its_command_is_one_of_ours(Part("docker", "api", "firstuser serve web", {}, 1))


def test_cloudformation_is_what_aws_takes() -> None:
    files = sorted(str(file) for file in (FOLDER / "ecs").glob("*.yaml"))
    done = subprocess.run([tool("cfn-lint"), *files], capture_output=True, text=True, check=False)
    assert (len(files), done.returncode) == (2, 0), done.stdout + done.stderr


def tool(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def test_compose_is_what_docker_takes() -> None:
    command = [tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(compose.FILE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_of_what_a_person_has_to_fill_in_is_required() -> None:
    given = {name for part in PARTS if part.platform == "docker" for name in part.environment}
    assert (
        compose.required()
        - {f"POSTGRES_{who}PASSWORD" for who in ("", "OWNER_", "APP_", "PREFECT_", "STAGING_")}
        <= given
    )
    with pytest.raises(compose.Unset):
        compose.environment("api", {})


RAILWAY = {
    "build": {"builder", "dockerfilePath"},
    "deploy": {
        "startCommand",
        "preDeployCommand",
        "healthcheckPath",
        "healthcheckTimeout",
        "overlapSeconds",
        "drainingSeconds",
        "numReplicas",
        "restartPolicyType",
    },
}
"""Keys of Railway's config as code that are used here, from its reference."""


def test_railway_files_have_no_key_that_it_does_not_know() -> None:
    for file in (FOLDER / "railway").glob("*.json"):
        document = json.loads(file.read_text())
        for section, keys in RAILWAY.items():
            assert set(document[section]) <= keys
        assert type(document["deploy"]["drainingSeconds"]) is int  # its parser refuses a string
        assert (FOLDER.parent / document["build"]["dockerfilePath"]).exists()


def test_the_prefect_server_of_each_platform_is_reached_where_it_listens() -> None:
    at = {one.platform: one.environment["FIRSTUSER_PREFECT_API_URL"] for one in PARTS if one.name == "worker"}
    assert at["docker"] == "http://prefect:4200/api"
    assert at["render"] == "http://firstuser-prefect:4200/api"
    assert at["fly"] == f"http://prefect.process.{fly()['app']}.internal:{fly()['env']['PORT']}/api"
    for one in PARTS:
        if one.name == "prefect" and one.platform != "fly":
            assert one.environment["PORT"] == "4200"


def test_there_is_no_value_that_the_settings_refuse() -> None:
    """Literals of every file, read as a start reads them."""
    for part in PARTS:
        literals = {name: value for name, value in part.environment.items() if value}
        for group in GROUPS.values():
            known = {field: literals[name] for field, name in group.variables().items() if name in literals}
            group.read(None, **known)


def test_the_image_goes_without_what_it_excludes() -> None:
    """Everything that is served imports with those packages away."""
    lines = (FOLDER / "docker" / "excluded.txt").read_text().splitlines()
    excluded = {line.replace("-", "_") for line in lines if line and not line.startswith("#")}
    entry_points = {
        one["entrypoint"].rpartition(".")[0]
        for one in yaml.safe_load(PREFECT_FILE.read_text())["deployments"]
    }
    modules = [
        "api.app",
        "deployments.dispatcher",
        "deployments.watcher",
        "deployments.serve",
        *sorted(entry_points),
    ]
    modules += ["deployments.orchestration.deploying", "deployments.orchestration.worker"]
    code = f"""
import sys
class Away:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {excluded!r}:
            raise ImportError(name + " is not in the image")
sys.meta_path.insert(0, Away())
import {", ".join(modules)}
"""
    ast.parse(code)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
