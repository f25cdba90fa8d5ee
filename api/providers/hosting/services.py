"""Both services of a platform, made from the settings. One line per platform in `SERVICES`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from api.providers.hosting.deploys import PlatformService
from api.providers.hosting.fly import FlyService
from api.providers.hosting.railway import RailwayService
from api.providers.hosting.render import RenderService
from api.providers.platforms.fly import Fly
from api.providers.platforms.given import given, text
from api.providers.platforms.railway import Railway, token_header
from api.providers.platforms.render import Render
from api.settings import Settings

Make = Callable[[Settings], PlatformService]


@dataclass(frozen=True, slots=True)
class Both:
    """Each raises `Refused` for what the settings lack."""

    production: Make
    staging: Make


def _render(id_of: Callable[[Settings], str], name: str, settings: Settings) -> PlatformService:
    on = settings.platforms
    key, service = given("RENDER_API_KEY", on.render_api_key), given(name, id_of(settings))
    return RenderService(Render(on.render_url, key, service))


def _railway(staging: bool, settings: Settings) -> PlatformService:
    on, infix = settings.platforms, "STAGING_" if staging else ""
    token = on.railway_staging_token if staging else on.railway_token
    header = token_header(text(token), text(on.railway_api_token))
    if not header:
        given(f"RAILWAY_{infix}TOKEN", None)
    environment = on.railway_staging_environment_id if staging else on.railway_environment_id
    service = (on.railway_staging_service_id if staging else "") or on.railway_service_id
    place = {
        "projectId": given("RAILWAY_PROJECT_ID", on.railway_project_id),
        "environmentId": given(f"RAILWAY_{infix}ENVIRONMENT_ID", environment),
        "serviceId": given("RAILWAY_SERVICE_ID", service),
    }
    return RailwayService(Railway(on.railway_url, header, place))


def _fly(staging: bool, settings: Settings) -> PlatformService:
    on = settings.platforms
    token = (on.fly_staging_api_token if staging else None) or on.fly_api_token
    app, name = (
        (on.fly_staging_app_name, "FLY_STAGING_APP_NAME") if staging else (on.fly_app_name, "FLY_APP_NAME")
    )
    return FlyService(Fly(on.fly_url, given("FLY_API_TOKEN", token), given(name, app)))


def _ecs(staging: bool, settings: Settings) -> PlatformService:
    # boto3 costs other processes a third of a second and 30 MB.
    from api.providers.hosting.ecs import EcsService
    from api.providers.platforms.aws import client

    on, infix = settings.platforms, "STAGING_" if staging else ""
    service = given(f"ECS_{infix}SERVICE", on.ecs_staging_service if staging else on.ecs_service)
    cluster = (on.ecs_staging_cluster if staging else "") or on.ecs_cluster
    prefix = on.secrets_prefix.strip("/") or "firstuser"
    return EcsService(
        client(settings, "ecs"),
        client(settings, "ssm"),
        given("ECS_CLUSTER", cluster),
        service,
        container=on.ecs_container,
        parameter=f"/{prefix}/drill/{service.rpartition('/')[2]}",
        kms_key=on.secrets_kms_key,
    )


SERVICES: Mapping[str, Both] = {
    "render": Both(
        partial(_render, lambda settings: settings.platforms.render_service_id, "RENDER_SERVICE_ID"),
        partial(
            _render,
            lambda settings: settings.platforms.render_staging_service_id,
            "RENDER_STAGING_SERVICE_ID",
        ),
    ),
    "railway": Both(partial(_railway, False), partial(_railway, True)),
    "fly": Both(partial(_fly, False), partial(_fly, True)),
    "ecs": Both(partial(_ecs, False), partial(_ecs, True)),
}
