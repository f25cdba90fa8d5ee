"""Where secrets rest. One adapter, one file, one line in `STORES`.

local                  an environment file
render, railway, fly   the platform's own variables
aws, ecs               Secrets Manager: read by the service, or injected by ECS from its labels
ssm                    Parameter Store
"""

from collections.abc import Callable, Mapping, Sequence

from api.core.errors import Refused
from api.core.rotation.stores import SecretStore
from api.providers.platforms.aws import client
from api.providers.platforms.fly import Fly
from api.providers.platforms.given import given, text
from api.providers.platforms.railway import Railway, token_header
from api.providers.platforms.render import Render
from api.providers.secret_stores.local import EnvFile
from api.providers.secret_stores.variables import VariableStore
from api.settings import Settings, named_file


def secret_stores(settings: Settings) -> Sequence[SecretStore]:
    """Every store that the settings name. Nothing is contacted yet. Raises `Refused`."""
    return [secret_store(settings, name) for name in settings.platforms.secret_store_list]


def secret_store(settings: Settings, name: str) -> SecretStore:
    make = STORES.get(name)
    if make is None:
        raise Refused(
            f"There is no secret store {name!r}.",
            fix=f"Set FIRSTUSER_SECRET_STORES to some of: {', '.join(STORES)}.",
        )
    return make(settings)


def _local(_: Settings) -> SecretStore:
    file = named_file()
    if file is None:
        fix = "Set FIRSTUSER_ENV_FILE to the file that the service reads."
        raise Refused("There is no environment file to keep secrets in.", fix=fix)
    return VariableStore(EnvFile(file))


def _render(settings: Settings) -> SecretStore:
    on = settings.platforms
    key, service = (
        given("RENDER_API_KEY", on.render_api_key),
        given("RENDER_SERVICE_ID", on.render_service_id),
    )
    return VariableStore(Render(on.render_url, key, service))


def _railway(settings: Settings) -> SecretStore:
    on = settings.platforms
    header = token_header(text(on.railway_token), text(on.railway_api_token))
    if not header:
        given("RAILWAY_TOKEN", None)
    place = {
        "projectId": given("RAILWAY_PROJECT_ID", on.railway_project_id),
        "environmentId": given("RAILWAY_ENVIRONMENT_ID", on.railway_environment_id),
        "serviceId": given("RAILWAY_SERVICE_ID", on.railway_service_id),
    }
    return VariableStore(Railway(on.railway_url, header, place))


def _fly(settings: Settings) -> SecretStore:
    on = settings.platforms
    token, app = given("FLY_API_TOKEN", on.fly_api_token), given("FLY_APP_NAME", on.fly_app_name)
    return VariableStore(Fly(on.fly_url, token, app))


def _secrets_manager(settings: Settings, name: str) -> SecretStore:
    from api.providers.secret_stores.secrets_manager import SecretsManagerStore

    found = client(settings, "secretsmanager")
    return SecretsManagerStore(found, _prefix(settings), settings.platforms.secrets_kms_key, name)


def _parameter_store(settings: Settings) -> SecretStore:
    from api.providers.secret_stores.parameter_store import ParameterStore

    return ParameterStore(client(settings, "ssm"), _prefix(settings), settings.platforms.secrets_kms_key)


def _prefix(settings: Settings) -> str:
    return settings.platforms.secrets_prefix.strip("/") or f"firstuser/{settings.service.env}"


STORES: Mapping[str, Callable[[Settings], SecretStore]] = {
    "local": _local,
    "render": _render,
    "railway": _railway,
    "fly": _fly,
    "aws": lambda settings: _secrets_manager(settings, "aws"),
    "ecs": lambda settings: _secrets_manager(settings, "ecs"),
    "ssm": _parameter_store,
}
