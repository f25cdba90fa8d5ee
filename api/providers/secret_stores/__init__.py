"""Where secrets rest. One adapter, one file, one line in `STORES`.

local                  an environment file
render, railway, fly   the platform's own variables
aws, ecs               Secrets Manager: read by the service, or injected by ECS from its labels
ssm                    Parameter Store
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from api.core.errors import Refused
from api.core.rotation.stores import SecretStore
from api.providers.platforms.aws import client
from api.providers.platforms.fly import Fly
from api.providers.platforms.given import first, given, railway_place, text
from api.providers.platforms.railway import Railway, token_header
from api.providers.platforms.render import Render
from api.providers.secret_stores.local import EnvFile
from api.providers.secret_stores.variables import HeldStore, Variables, VariableStore
from api.settings import Settings, named_file


def secret_stores(settings: Settings) -> Sequence[SecretStore]:
    """Every store that the settings name, and on a platform that of each service of production. Nothing is
    contacted yet. Raises `Refused`."""
    rest = settings.platforms.production_service_list[1:]
    return [
        store
        for name in settings.platforms.secret_store_list
        for store in (
            secret_store(settings, name),
            *(HeldStore(OWN[name](settings, one), f"{name}, {one}") for one in rest if name in OWN),
        )
    ]


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


def _render(settings: Settings, service: str) -> Variables:
    on = settings.platforms
    key = given("RENDER_API_KEY", on.render_api_key)
    return Render(on.render_url, key, given("RENDER_SERVICE_ID", service))


def _railway(settings: Settings, service: str) -> Variables:
    on = settings.platforms
    header = token_header(text(on.railway_token), text(on.railway_api_token))
    if not header:
        given("RAILWAY_TOKEN", None)
    return Railway(on.railway_url, header, railway_place(settings, service))


def _fly(settings: Settings, app: str) -> Variables:
    on = settings.platforms
    token = given("FLY_API_TOKEN", on.fly_api_token)
    return Fly(on.fly_url, token, given("FLY_APP_NAME", app))


def _of_the_api(name: str, settings: Settings) -> SecretStore:
    on = settings.platforms
    alone = {"render": on.render_service_id, "railway": on.railway_service_id, "fly": on.fly_app_name}
    return VariableStore(OWN[name](settings, first(settings, alone[name])))


def _secrets_manager(settings: Settings, name: str) -> SecretStore:
    from api.providers.secret_stores.secrets_manager import SecretsManagerStore

    found = client(settings, "secretsmanager")
    return SecretsManagerStore(found, _prefix(settings), settings.platforms.secrets_kms_key, name)


def _parameter_store(settings: Settings) -> SecretStore:
    from api.providers.secret_stores.parameter_store import ParameterStore

    return ParameterStore(client(settings, "ssm"), _prefix(settings), settings.platforms.secrets_kms_key)


def _prefix(settings: Settings) -> str:
    return settings.platforms.secrets_prefix.strip("/") or f"firstuser/{settings.service.env}"


OWN: Mapping[str, Callable[[Settings, str], Variables]] = {
    "render": _render,
    "railway": _railway,
    "fly": _fly,
}
"""Where each service has variables of its own. Nothing is shared between them: all are written."""

STORES: Mapping[str, Callable[[Settings], SecretStore]] = {
    "local": _local,
    **{name: partial(_of_the_api, name) for name in OWN},
    "aws": lambda settings: _secrets_manager(settings, "aws"),
    "ecs": lambda settings: _secrets_manager(settings, "ecs"),
    "ssm": _parameter_store,
}
