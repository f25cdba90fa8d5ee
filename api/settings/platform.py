"""The twelve variables of the runbook (section 3), under exactly the names it gives them."""

from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class PlatformSettings(Group):
    """`DATABASE_URL`, `SESSION_SECRET`, `PUBLIC_APP_URL`, … as the runbook writes them.

    Secret rings take the current value and `<NAME>_PREVIOUS`; `<NAME>_PENDING` is
    accepted, too, before it is anybody's first choice (`rings`). `restored_database_url` is set
    while staging serves a restored copy, and then is what `database_url` says.
    """

    model_config = SettingsConfigDict(extra="ignore", populate_by_name=True)

    database_url: SecretStr = SecretStr("")
    restored_database_url: SecretStr | None = Field(
        default=None, validation_alias="FIRSTUSER_RESTORED_DATABASE_URL"
    )
    session_secret: SecretStr = SecretStr("")
    session_secret_previous: SecretStr | None = None
    session_secret_pending: SecretStr | None = None
    public_app_url: str = "http://127.0.0.1:8000"
    textbelt_api_key: SecretStr | None = None
    sendgrid_api_key: SecretStr | None = None
    email_from: str = ""
    founder_phones: str = Field(default="", description="E.164 numbers, comma-separated")
    homepage_owner_phone: str = ""
    homepage_space_slug: str = Field(default="", validation_alias="VITE_HOMEPAGE_SPACE_SLUG")
    integration_widget_signing_secret: SecretStr = SecretStr("")
    integration_widget_signing_secret_previous: SecretStr | None = None
    integration_widget_signing_secret_pending: SecretStr | None = None
    integration_webhook_signing_secret: SecretStr | None = None
    integration_webhook_signing_secret_previous: SecretStr | None = None
    integration_webhook_signing_secret_pending: SecretStr | None = None
    ops_alert_webhook_url: SecretStr | None = None
    database_sslmode: str = Field(default="", validation_alias="FIRSTUSER_DATABASE_SSLMODE")

    @model_validator(mode="after")
    def tls_is_part_of_the_address(self) -> Self:
        """Platforms make `DATABASE_URL` themselves, and say nothing of TLS in it."""
        url = self.database_url.get_secret_value()
        if self.database_sslmode and url and "sslmode=" not in url:
            joint = "&" if "?" in url else "?"
            self.database_url = SecretStr(f"{url}{joint}sslmode={self.database_sslmode}")
        return self

    @model_validator(mode="after")
    def a_restored_copy_comes_first(self) -> Self:
        if self.restored_database_url is not None:
            self.database_url = self.restored_database_url
        return self

    @property
    def founder_phone_list(self) -> list[str]:
        return [phone.strip() for phone in self.founder_phones.split(",") if phone.strip()]
