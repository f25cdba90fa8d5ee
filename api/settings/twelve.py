"""The twelve variables of the runbook (section 3), each with its rule and without its value."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from api.settings import GROUPS, Settings
from api.settings.rules import Problem

TWELVE: Mapping[str, tuple[str, str]] = {
    "DATABASE_URL": ("database_url", "a PostgreSQL address, encrypted"),
    "SESSION_SECRET": ("session_secret", "32 or more random characters"),
    "PUBLIC_APP_URL": ("public_app_url", "https, nothing after the host"),
    "TEXTBELT_API_KEY": ("textbelt_api_key", "a key that sends"),
    "SENDGRID_API_KEY": ("sendgrid_api_key", "a key that sends"),
    "EMAIL_FROM": ("email_from", "an e-mail address"),
    "FOUNDER_PHONES": ("founder_phones", "E.164 numbers"),
    "HOMEPAGE_OWNER_PHONE": ("homepage_owner_phone", "one of FOUNDER_PHONES"),
    "VITE_HOMEPAGE_SPACE_SLUG": ("homepage_space_slug", "the short name of a space"),
    "INTEGRATION_WIDGET_SIGNING_SECRET": (
        "integration_widget_signing_secret",
        "32 or more random characters",
    ),
    "INTEGRATION_WEBHOOK_SIGNING_SECRET": (
        "integration_webhook_signing_secret",
        "32 or more random characters",
    ),
    "OPS_ALERT_WEBHOOK_URL": ("ops_alert_webhook_url", "an incoming webhook's https address"),
}
PRODUCTION_ONLY = frozenset(
    {
        "TEXTBELT_API_KEY",
        "SENDGRID_API_KEY",
        "OPS_ALERT_WEBHOOK_URL",
        "FIRSTUSER_ALERT_FALLBACK_URL",
        "FIRSTUSER_DEAD_MAN_URL",
        "FIRSTUSER_OUTBOUND",
        "FIRSTUSER_ADMIN_DATABASE_URL",
        "FIRSTUSER_DRILL_ADMIN_DATABASE_URL",
    }
)
"""Staging can reach no person and administers no database, whatever happens."""
_STEERING = (
    "alerts", "databases", "deploy", "drills", "evidence", "incidents", "platforms", "preflight", "store",
)  # fmt: skip
NOT_OF_STAGING = (
    PRODUCTION_ONLY
    | {variable for group in _STEERING for variable in GROUPS[group].variables().values()}
    | {"FIRSTUSER_METRICS_TOKEN", "FIRSTUSER_SCHEDULES"}
    | {"FIRSTUSER_PREFECT_API_URL", "FIRSTUSER_PREFECT_UI_URL", "FIRSTUSER_PREFECT_AUTH"}
)
"""What staging does without though it mirrors production: whatever steers production, where worker or watcher
share variables with the API."""
_REPLACE = "Replace it by the real value."
_SAMPLE = re.compile(
    r"change.?me|placeholder|your[-_ ]|replace[-_ ]?(me|this)|\bTODO\b|[xX]{6,}|^<.*>$|^\.{3}$|^(none|null)$",
    re.IGNORECASE,
)
_SAMPLE_HOSTS = ("example.com", "example.org", "example.net")
_SAMPLE_PHONE = re.compile(r"\+1?(\d)\1{8,}|\+1234567890\d*")


@dataclass(frozen=True, slots=True)
class Judged:
    """`length` 0: not set. `problem` is a predicate, "" for none."""

    name: str
    length: int
    secret: bool
    rule: str
    problem: str = ""
    fix: str = ""


def judged(settings: Settings, found: Sequence[Problem]) -> Sequence[Judged]:
    """The twelve with what `problems` says of each, and whether somebody left a sample in place."""
    return [_judged(settings, name, found) for name in TWELVE]


def _judged(settings: Settings, name: str, found: Sequence[Problem]) -> Judged:
    field, rule = TWELVE[name]
    raw = getattr(settings.platform, field)
    value = raw.get_secret_value() if isinstance(raw, SecretStr) else str(raw or "")
    known = next((problem for problem in found if problem.name == name), None)
    what, fix = (known.what, known.fix) if known else ("", "")
    if not what and value and is_sample(name, value):
        what, fix = "is a placeholder", _REPLACE
    secret = type(settings.platform).model_fields[field].annotation is not str
    return Judged(name, len(value), secret, rule, what, fix)


def is_sample(name: str, value: str) -> bool:
    """Whether it was copied from a manual: `https://app.example.com`, `SG.xxxxxxxx`, `+15555555555`.

    Names that end in `.example` are reserved for what is made up on purpose: the embedded stack's own."""
    if _SAMPLE.search(value):
        return True
    host = value.rpartition("@")[2].rstrip(">") if name == "EMAIL_FROM" else urlsplit(value).hostname or ""
    if any(host == sample or host.endswith(f".{sample}") for sample in _SAMPLE_HOSTS):
        return True
    phones = value.split(",") if "PHONE" in name else []
    return any(_SAMPLE_PHONE.fullmatch(phone.strip()) for phone in phones)
