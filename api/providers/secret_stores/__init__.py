"""Where secrets rest. One adapter, one file, one line in `STORES`.

local                  an environment file
render, railway, fly   the platform's own variables
aws, ecs               Secrets Manager: read by the service, or injected by ECS from its labels
ssm                    Parameter Store
"""

from collections.abc import Callable, Mapping, Sequence

from pydantic import SecretStr

from api.core.errors import Refused
from api.core.rotation.stores import SecretStore
from api.providers.platforms.aws import client
from api.providers.platforms.fly import Fly
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
    key, service = _set("RENDER_API_KEY", on.render_api_key), _set("RENDER_SERVICE_ID", on.render_service_id)
    return VariableStore(Render(on.render_url, key, service))


def _railway(settings: Settings) -> SecretStore:
    on = settings.platforms
    header = token_header(_text(on.railway_token), _text(on.railway_api_token))
    if not header:
        _set("RAILWAY_TOKEN", None)
    place = {
        "projectId": _set("RAILWAY_PROJECT_ID", on.railway_project_id),
        "environmentId": _set("RAILWAY_ENVIRONMENT_ID", on.railway_environment_id),
        "serviceId": _set("RAILWAY_SERVICE_ID", on.railway_service_id),
    }
    return VariableStore(Railway(on.railway_url, header, place))


def _fly(settings: Settings) -> SecretStore:
    on = settings.platforms
    token, app = _set("FLY_API_TOKEN", on.fly_api_token), _set("FLY_APP_NAME", on.fly_app_name)
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


def _set(name: str, value: SecretStr | str | None) -> str:
    found = _text(value)
    if not found:
        raise Refused(f"{name} is not set.", fix=f"Set {name}; `.env.example` says what it is.")
    return found


def _text(value: SecretStr | str | None) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""


STORES: Mapping[str, Callable[[Settings], SecretStore]] = {
    "local": _local,
    "render": _render,
    "railway": _railway,
    "fly": _fly,
    "aws": lambda settings: _secrets_manager(settings, "aws"),
    "ecs": lambda settings: _secrets_manager(settings, "ecs"),
    "ssm": _parameter_store,
}
