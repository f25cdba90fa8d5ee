"""What a go-live preflight looks at besides production itself."""

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class PreflightSettings(Group):
    model_config = SettingsConfigDict(env_prefix="FIRSTUSER_", extra="ignore", populate_by_name=True)

    staging_url: str = ""  # "" is where the hosting provider says staging answers
    smoke_receiver_url: str = ""  # a public https address that reaches FIRSTUSER_SMOKE_RECEIVER_PORT …
    smoke_receiver_port: int = 0  # … of the machine that runs the preflight
    cloudflare_api_token: SecretStr | None = Field(default=None, validation_alias="CLOUDFLARE_API_TOKEN")
    cloudflare_url: str = "https://api.cloudflare.com/client/v4/"
    cloudflare_zone_id: str = Field(default="", validation_alias="CLOUDFLARE_ZONE_ID")
