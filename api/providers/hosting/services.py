"""The services of a platform, made from the settings. One line per platform in `SERVICES`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pydantic import SecretStr

from api.providers.hosting.deploys import PlatformService
from api.providers.hosting.fly import FlyService
from api.providers.hosting.railway import RailwayService
from api.providers.hosting.render import RenderService
from api.providers.platforms.fly import Fly
from api.providers.platforms.given import first, given, railway_place, text
from api.providers.platforms.railway import Railway, token_header
from api.providers.platforms.render import Render
from api.settings import Settings

Make = Callable[[Settings], PlatformService]


@dataclass(frozen=True, slots=True)
class Both:
    """Each raises `Refused` for what the settings lack. `other`: one more of production, by its name."""

    production: Make
    staging: Make
    other: Callable[[Settings, str], PlatformService]


def others(settings: Settings, name: str) -> Mapping[str, PlatformService]:
    """What runs with production's secrets beside the API, in the order in which it is deployed anew."""
    rest = settings.platforms.production_service_list[1:]
    return {one: SERVICES[name].other(settings, one) for one in rest}


def _render(id_of: Callable[[Settings], str], settings: Settings) -> PlatformService:
    return _render_service(settings, id_of(settings))


def _render_service(settings: Settings, service: str) -> PlatformService:
    on = settings.platforms
    key, service = given("RENDER_API_KEY", on.render_api_key), given("RENDER_SERVICE_ID", service)
    return RenderService(Render(on.render_url, key, service))


def _render_staging(settings: Settings) -> str:
    return given("RENDER_STAGING_SERVICE_ID", settings.platforms.render_staging_service_id)


def _railway(staging: bool, settings: Settings) -> PlatformService:
    on = settings.platforms
    service = on.railway_staging_service_id if staging else ""
    service = service or first(settings, on.railway_service_id)
    return _railway_service(settings, service, staging=staging)


def _railway_service(settings: Settings, service: str, *, staging: bool = False) -> PlatformService:
    on, infix = settings.platforms, "STAGING_" if staging else ""
    token = on.railway_staging_token if staging else on.railway_token
    header = token_header(text(token), text(on.railway_api_token))
    if not header:
        given(f"RAILWAY_{infix}TOKEN", None)
    place = railway_place(settings, service, staging=staging)
    return RailwayService(Railway(on.railway_url, header, place))


def _fly(settings: Settings) -> PlatformService:
    return _fly_app(settings, first(settings, settings.platforms.fly_app_name))


def _fly_staging(settings: Settings) -> PlatformService:
    on = settings.platforms
    return _fly_app(
        settings, given("FLY_STAGING_APP_NAME", on.fly_staging_app_name), on.fly_staging_api_token
    )


def _fly_app(settings: Settings, app: str, token: SecretStr | None = None) -> PlatformService:
    on = settings.platforms
    known = given("FLY_API_TOKEN", token or on.fly_api_token)
    return FlyService(Fly(on.fly_url, known, given("FLY_APP_NAME", app)))


def _ecs(settings: Settings) -> PlatformService:
    on = settings.platforms
    service = given("ECS_SERVICE", first(settings, on.ecs_service))
    return _ecs_service(settings, service, on.ecs_cluster, on.ecs_container)


def _ecs_staging(settings: Settings) -> PlatformService:
    on = settings.platforms
    service = given("ECS_STAGING_SERVICE", on.ecs_staging_service)
    return _ecs_service(settings, service, on.ecs_staging_cluster or on.ecs_cluster, on.ecs_container)


def _ecs_service(settings: Settings, service: str, cluster: str = "", container: str = "") -> PlatformService:
    # boto3 costs other processes a third of a second and 30 MB.
    from api.providers.hosting.ecs import EcsService
    from api.providers.platforms.aws import client

    on = settings.platforms
    prefix = on.secrets_prefix.strip("/") or "firstuser"
    return EcsService(
        client(settings, "ecs"),
        client(settings, "ssm"),
        given("ECS_CLUSTER", cluster or on.ecs_cluster),
        service,
        container=container,
        parameter=f"/{prefix}/drill/{service.rpartition('/')[2]}",
        kms_key=on.secrets_kms_key,
    )


SERVICES: Mapping[str, Both] = {
    "render": Both(
        partial(_render, lambda s: first(s, s.platforms.render_service_id)),
        partial(_render, _render_staging),
        _render_service,
    ),
    "railway": Both(partial(_railway, False), partial(_railway, True), _railway_service),
    "fly": Both(_fly, _fly_staging, _fly_app),
    "ecs": Both(_ecs, _ecs_staging, _ecs_service),
}
