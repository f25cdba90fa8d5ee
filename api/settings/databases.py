"""Managed databases: which one production is, and the vendors' credentials by their usual names."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class DatabasesSettings(Group):
    """AWS, Render and Railway have their credentials in the groups `store` and `platforms`. The URLs are for
    fakes; leave them alone otherwise."""

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    drill_admin_database_url: SecretStr = Field(  # who checks and opens restored copies
        default=SecretStr(""), validation_alias="FIRSTUSER_DRILL_ADMIN_DATABASE_URL"
    )
    restore_timeout_seconds: float = Field(
        default=7200, gt=0, validation_alias="FIRSTUSER_RESTORE_TIMEOUT_SECONDS"
    )
    restore_poll_seconds: float = Field(default=5, gt=0, validation_alias="FIRSTUSER_RESTORE_POLL_SECONDS")
    restore_lag_seconds: float | None = Field(  # how far behind now it restores; None: as is known of it
        default=None, ge=0, validation_alias="FIRSTUSER_RESTORE_LAG_SECONDS"
    )
    neon_url: str = Field(default="https://console.neon.tech/api/v2", validation_alias="FIRSTUSER_NEON_URL")
    neon_api_key: SecretStr | None = Field(default=None, validation_alias="NEON_API_KEY")
    neon_project_id: str = Field(default="", validation_alias="NEON_PROJECT_ID")
    neon_branch_id: str = Field(default="", validation_alias="NEON_BRANCH_ID")  # "": the default branch
    supabase_url: str = Field(default="https://api.supabase.com", validation_alias="FIRSTUSER_SUPABASE_URL")
    supabase_access_token: SecretStr | None = Field(default=None, validation_alias="SUPABASE_ACCESS_TOKEN")
    supabase_project_ref: str = Field(default="", validation_alias="SUPABASE_PROJECT_REF")
    rds_instance: str = Field(default="", validation_alias="FIRSTUSER_RDS_INSTANCE")
    rds_cluster: str = Field(default="", validation_alias="FIRSTUSER_RDS_CLUSTER")  # Aurora
    render_postgres_id: str = Field(default="", validation_alias="RENDER_POSTGRES_ID")
    railway_database_service_id: str = Field(default="", validation_alias="RAILWAY_DATABASE_SERVICE_ID")
