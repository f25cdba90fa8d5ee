"""The carriers of login codes: where they are, what they may cost, and their ways of not really sending."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from api.settings.group import Group


class MessagingSettings(Group):
    """Textbelt has no switch for tests: a key that ends in `_test` sends nothing and costs nothing."""

    model_config = SettingsConfigDict(env_prefix="FIRSTUSER_", extra="ignore")

    textbelt_url: str = "https://textbelt.com"
    sendgrid_url: str = "https://api.sendgrid.com"  # https://api.eu.sendgrid.com for EU subusers
    sendgrid_sandbox: bool = False  # e-mails are checked and not sent
    sms_daily_budget: int = Field(default=100, ge=0)  # SMS of all people together in 24 hours
