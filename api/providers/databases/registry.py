"""Database providers by the name that settings give them."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from pydantic import SecretStr

from api.core.crypto import Signer
from api.core.errors import Refused
from api.core.ports import DatabaseProvider
from api.providers.databases.embedded.provider import EmbeddedDatabase
from api.providers.databases.managed.database import ManagedDatabase, Pace
from api.providers.databases.managed.vendor import Vendor
from api.providers.databases.neon import Neon
from api.providers.databases.railway import LAG as RAILWAY_LAG
from api.providers.databases.railway import RailwayPostgres
from api.providers.databases.render import LAG as RENDER_LAG
from api.providers.databases.render import RenderPostgres
from api.providers.databases.supabase import Supabase
from api.providers.platforms.railway import Railway, token_header
from api.settings import Settings
from api.settings.rings import DATA_KEY, rings
from api.settings.rules import deployed

DATABASES: dict[str, Callable[[Settings], DatabaseProvider]] = {
    "embedded": lambda settings: embedded(settings),
    "rds": lambda settings: managed(settings, rds(settings)),
    "aurora": lambda settings: managed(settings, aurora(settings)),
    "neon": lambda settings: managed(settings, neon(settings)),
    "supabase": lambda settings: managed(settings, supabase(settings)),
    "render": lambda settings: managed(settings, render(settings)),
    "railway": lambda settings: managed(settings, railway(settings)),
}


def database_provider(settings: Settings) -> DatabaseProvider:
    """The provider that `FIRSTUSER_DATABASE_PROVIDER` names. Raises `Refused` where it lacks a setting."""
    return DATABASES[settings.drills.database_provider](settings)


def embedded(settings: Settings) -> DatabaseProvider:
    """Raises `Refused` where a platform runs the service: its database is not one of this machine."""
    if deployed(settings) and not settings.stack.embedded:
        raise Refused(
            "FIRSTUSER_DATABASE_PROVIDER does not say who keeps production's database.",
            fix="Set it and what that vendor needs (docs/providers/databases.md).",
            code="no_database_provider",
        )
    return EmbeddedDatabase.from_settings(settings)


def managed(settings: Settings, vendor: Vendor) -> ManagedDatabase:
    app = settings.platform.database_url.get_secret_value()
    admin = settings.databases.drill_admin_database_url.get_secret_value()
    pace = Pace(settings.databases.restore_poll_seconds, settings.databases.restore_timeout_seconds)
    return ManagedDatabase(vendor, app, admin, copy_password(settings), pace)


def copy_password(settings: Settings) -> Callable[[str], str]:
    """Of the login that a copy gets, by the copy's name: kept nowhere, made from the data key each time."""

    def password(copy: str) -> str:
        keys = rings(settings.platform, settings.service).get(DATA_KEY, [])
        (key,) = _needed(FIRSTUSER_DATA_KEY=next(iter(keys), ""))
        return Signer([key], "drill-copy-login").sign(copy).hex()

    return password


def rds(settings: Settings) -> Vendor:
    (instance,) = _needed(FIRSTUSER_RDS_INSTANCE=settings.databases.rds_instance)
    from api.providers.databases.aws.rds import Rds

    return Rds(_aws(settings), instance)


def aurora(settings: Settings) -> Vendor:
    (cluster,) = _needed(FIRSTUSER_RDS_CLUSTER=settings.databases.rds_cluster)
    from api.providers.databases.aws.aurora import Aurora

    return Aurora(_aws(settings), cluster)


def _aws(settings: Settings) -> Any:
    from api.providers.platforms.aws import client

    return client(settings, "rds")


def neon(settings: Settings) -> Neon:
    given = settings.databases
    key, project = _needed(NEON_API_KEY=given.neon_api_key, NEON_PROJECT_ID=given.neon_project_id)
    return Neon(given.neon_url, key, project, given.neon_branch_id)


def supabase(settings: Settings) -> Vendor:
    given = settings.databases
    token, project = _needed(
        SUPABASE_ACCESS_TOKEN=given.supabase_access_token, SUPABASE_PROJECT_REF=given.supabase_project_ref
    )
    return Supabase(given.supabase_url, token, project)


def render(settings: Settings) -> Vendor:
    platforms = settings.platforms
    key, postgres = _needed(
        RENDER_API_KEY=platforms.render_api_key, RENDER_POSTGRES_ID=settings.databases.render_postgres_id
    )
    return RenderPostgres(platforms.render_url, key, postgres, _lag(settings, RENDER_LAG))


def railway(settings: Settings) -> Vendor:
    platforms = settings.platforms
    service, project, environment = _needed(
        RAILWAY_DATABASE_SERVICE_ID=settings.databases.railway_database_service_id,
        RAILWAY_PROJECT_ID=platforms.railway_project_id,
        RAILWAY_ENVIRONMENT_ID=platforms.railway_environment_id,
    )
    tokens = platforms.railway_token, platforms.railway_api_token
    header = token_header(*(token.get_secret_value() if token else None for token in tokens))
    if not header:
        _needed(RAILWAY_TOKEN=None)
    place = {"projectId": project, "environmentId": environment, "serviceId": service}
    lag = _lag(settings, RAILWAY_LAG)
    return RailwayPostgres(Railway(platforms.railway_url, header, place), place, lag)


def _lag(settings: Settings, known: timedelta) -> timedelta:
    told = settings.databases.restore_lag_seconds
    return known if told is None else timedelta(seconds=told)


def _needed(**given: SecretStr | str | None) -> list[str]:
    """The values. Raises `Refused` for those that are not set, by their names."""
    values = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value or ""
        for name, value in given.items()
    }
    missing = [name for name, value in values.items() if not value]
    if missing:
        raise Refused(
            f"The database provider needs {' and '.join(missing)}.",
            fix="docs/providers/databases.md says what each of them is.",
        )
    return list(values.values())
