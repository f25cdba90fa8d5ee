"""What the settings must give before a platform can be asked anything."""

from pydantic import SecretStr

from api.core.errors import Refused
from api.settings import Settings


def given(name: str, value: SecretStr | str | None) -> str:
    """The value as text. Raises `Refused` where there is none."""
    found = text(value)
    if not found:
        raise Refused(f"{name} is not set.", fix=f"Set {name}; `.env.example` says what it is.")
    return found


def text(value: SecretStr | str | None) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""


def first(settings: Settings, alone: str) -> str:
    """The service with the API; "" where nobody says. Platforms give some of these variables to every
    service, with its own name in it: a list that somebody wrote counts more."""
    return next(iter(settings.platforms.production_service_list), alone)


def railway_place(settings: Settings, service: str, *, staging: bool = False) -> dict[str, str]:
    """Raises `Refused`."""
    on, infix = settings.platforms, "STAGING_" if staging else ""
    environment = on.railway_staging_environment_id if staging else on.railway_environment_id
    return {
        "projectId": given("RAILWAY_PROJECT_ID", on.railway_project_id),
        "environmentId": given(f"RAILWAY_{infix}ENVIRONMENT_ID", environment),
        "serviceId": given("RAILWAY_SERVICE_ID", service),
    }
