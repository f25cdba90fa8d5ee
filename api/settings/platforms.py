"""Credentials of the platforms that the service may run on, by the names that their own tools use."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class PlatformsSettings(Group):
    """`secret_stores` names every store that carries the platform secrets, comma-separated. What says staging
    is of the service that drills and rehearsals use; a token of its own is only needed where tokens reach no
    further than production. The URLs are for fakes; leave them alone otherwise."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    secret_stores: str = Field(default="local", validation_alias="FIRSTUSER_SECRET_STORES")
    secrets_prefix: str = Field(default="", validation_alias="FIRSTUSER_SECRETS_PREFIX")  # firstuser/<env>
    secrets_kms_key: str = Field(default="", validation_alias="FIRSTUSER_SECRETS_KMS_KEY")  # AWS's own
    admin_database_url: SecretStr | None = Field(
        default=None, validation_alias="FIRSTUSER_ADMIN_DATABASE_URL"
    )  # whoever may make logins: only where DATABASE_URL is rotated
    aws_endpoint_url: str = Field(default="", validation_alias="FIRSTUSER_AWS_URL")
    aws_session_token: SecretStr | None = Field(default=None, validation_alias="AWS_SESSION_TOKEN")
    render_url: str = Field(default="https://api.render.com/v1", validation_alias="FIRSTUSER_RENDER_URL")
    render_api_key: SecretStr | None = Field(default=None, validation_alias="RENDER_API_KEY")
    render_service_id: str = Field(default="", validation_alias="RENDER_SERVICE_ID")
    render_staging_service_id: str = Field(default="", validation_alias="RENDER_STAGING_SERVICE_ID")
    railway_url: str = Field(
        default="https://backboard.railway.com/graphql/v2", validation_alias="FIRSTUSER_RAILWAY_URL"
    )
    railway_token: SecretStr | None = Field(default=None, validation_alias="RAILWAY_TOKEN")
    railway_api_token: SecretStr | None = Field(default=None, validation_alias="RAILWAY_API_TOKEN")
    railway_project_id: str = Field(default="", validation_alias="RAILWAY_PROJECT_ID")
    railway_environment_id: str = Field(default="", validation_alias="RAILWAY_ENVIRONMENT_ID")
    railway_service_id: str = Field(default="", validation_alias="RAILWAY_SERVICE_ID")
    railway_staging_token: SecretStr | None = Field(default=None, validation_alias="RAILWAY_STAGING_TOKEN")
    railway_staging_environment_id: str = Field(default="", validation_alias="RAILWAY_STAGING_ENVIRONMENT_ID")
    railway_staging_service_id: str = Field(default="", validation_alias="RAILWAY_STAGING_SERVICE_ID")
    fly_url: str = Field(default="https://api.machines.dev/v1", validation_alias="FIRSTUSER_FLY_URL")
    fly_api_token: SecretStr | None = Field(default=None, validation_alias="FLY_API_TOKEN")
    fly_app_name: str = Field(default="", validation_alias="FLY_APP_NAME")
    fly_staging_api_token: SecretStr | None = Field(default=None, validation_alias="FLY_STAGING_API_TOKEN")
    fly_staging_app_name: str = Field(default="", validation_alias="FLY_STAGING_APP_NAME")
    ecs_cluster: str = Field(default="", validation_alias="ECS_CLUSTER")
    ecs_service: str = Field(default="", validation_alias="ECS_SERVICE")
    ecs_container: str = Field(default="", validation_alias="ECS_CONTAINER")  # the first one
    ecs_staging_cluster: str = Field(default="", validation_alias="ECS_STAGING_CLUSTER")
    ecs_staging_service: str = Field(default="", validation_alias="ECS_STAGING_SERVICE")

    production_services: str = Field(
        default="", validation_alias="FIRSTUSER_PRODUCTION_SERVICES"
    )  # all that run with its secrets: the API's first, the worker's last; "" is the API's alone
    deploy_timeout_seconds: float = Field(
        default=900, validation_alias="FIRSTUSER_DEPLOY_TIMEOUT_SECONDS"
    )  # for what a rotation deploys anew

    @property
    def production_service_list(self) -> list[str]:
        return [name.strip() for name in self.production_services.split(",") if name.strip()]

    @property
    def secret_store_list(self) -> list[str]:
        return [name.strip() for name in self.secret_stores.split(",") if name.strip()]
