"""Where base backups and WAL rest: a directory by default, any S3-compatible endpoint by settings."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class StoreSettings(Group):
    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    url: str = Field(
        default="", validation_alias="FIRSTUSER_STORE_URL"
    )  # "", "file:///dir" or "s3://bucket/prefix"
    s3_endpoint_url: str | None = Field(default=None, validation_alias="FIRSTUSER_S3_ENDPOINT_URL")
    region: str = Field(default="us-east-1", validation_alias="AWS_REGION")
    access_key_id: str | None = Field(default=None, validation_alias="AWS_ACCESS_KEY_ID")
    secret_access_key: SecretStr | None = Field(default=None, validation_alias="AWS_SECRET_ACCESS_KEY")
