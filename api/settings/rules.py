"""What the settings must be for a start (runbook section 3): `problems(settings)`, a pure function.

What is *malformed* is a problem anywhere; what is *missing* depends on what the settings say they are:

    deployed    production or staging on a platform: https, TLS to the database, all that the runbook lists
    embedded    `firstuser up`: production and staging of one machine that only this machine reaches. It says
                so itself (FIRSTUSER_EMBEDDED), and is believed only while its own address and its database
                are of this machine: the flag in a wrong place, or an address forgotten, loosens nothing
    development whatever a developer runs by hand

A problem names the variable and never shows its value.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_network
from re import fullmatch
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import SecretStr

from api.core.crypto import data_keys
from api.core.errors import Refused
from api.core.founders import identifiers
from api.core.founders.phones import takes_sms
from api.settings import Settings
from api.settings.strength import weakness

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_SLUG = r"[a-z0-9]+(-[a-z0-9]+)*"
_DATABASE_SCHEMES = {"postgres", "postgresql", "postgresql+psycopg"}
_ENCRYPTED = {"require", "verify-ca", "verify-full"}
_RANDOM = "Set it to the output of `openssl rand -base64 48`."


@dataclass(frozen=True, slots=True)
class Problem:
    """`what` is wrong with the variable `name`, and how to `fix` it."""

    name: str
    what: str
    fix: str


def problems(settings: Settings) -> list[Problem]:
    """Everything that is wrong, not only the first."""
    return [problem for rule in RULES for problem in rule(settings)]


def deployed(settings: Settings) -> bool:
    return settings.service.env != "development" and not embedded(settings)


def embedded(settings: Settings) -> bool:
    public = urlsplit(settings.platform.public_app_url).hostname
    return settings.stack.embedded and public in LOOPBACK and _database_is_local(settings)


def _missing(settings: Settings) -> Iterator[Problem]:
    """Production needs all twelve; staging reaches no people, so it needs no means to."""
    platform, service = settings.platform, settings.service
    needed: dict[str, object] = {
        "DATABASE_URL": platform.database_url,
        "SESSION_SECRET": platform.session_secret,
        "INTEGRATION_WIDGET_SIGNING_SECRET": platform.integration_widget_signing_secret,
        "FIRSTUSER_DATA_KEY": service.data_key,
    }
    if deployed(settings):
        needed |= {
            "FOUNDER_PHONES": platform.founder_phones,
            "HOMEPAGE_OWNER_PHONE": platform.homepage_owner_phone,
            "VITE_HOMEPAGE_SPACE_SLUG": platform.homepage_space_slug,
            "INTEGRATION_WEBHOOK_SIGNING_SECRET": platform.integration_webhook_signing_secret,
        }
    if deployed(settings) and service.env == "production":
        needed["OPS_ALERT_WEBHOOK_URL"] = platform.ops_alert_webhook_url
    if _reaches_people(settings):
        needed |= {
            "TEXTBELT_API_KEY": platform.textbelt_api_key,
            "SENDGRID_API_KEY": platform.sendgrid_api_key,
            "EMAIL_FROM": platform.email_from,
        }
    for name, value in needed.items():
        if not _text(value).strip():
            yield Problem(name, "is not set", f"Set {name}; `.env.example` says what it is.")


def _environment(settings: Settings) -> Iterator[Problem]:
    public = urlsplit(settings.platform.public_app_url).hostname
    if settings.service.env == "development" and public not in LOOPBACK:
        yield Problem(
            "FIRSTUSER_ENV",
            "is `development` although the service has a public address",
            "Set it to `production` or `staging`.",
        )


def _database(settings: Settings) -> Iterator[Problem]:
    url = settings.platform.database_url.get_secret_value()
    parts = _split(url)
    if not url:
        return
    if parts is None or parts.scheme not in _DATABASE_SCHEMES or not parts.path.strip("/"):
        fix = "Write it as postgresql://user:password@host/database."
        yield Problem("DATABASE_URL", "is not the address of a PostgreSQL database", fix)
    elif deployed(settings) and not _database_is_local(settings) and not _encrypted(parts):
        fix = "Add `?sslmode=require`, or `verify-full` with `sslrootcert`."
        yield Problem("DATABASE_URL", "would let the connection go without TLS", fix)


def _secrets(settings: Settings) -> Iterator[Problem]:
    platform = settings.platform
    given = {
        "SESSION_SECRET": platform.session_secret,
        "SESSION_SECRET_PREVIOUS": platform.session_secret_previous,
        "INTEGRATION_WIDGET_SIGNING_SECRET": platform.integration_widget_signing_secret,
        "INTEGRATION_WIDGET_SIGNING_SECRET_PREVIOUS": platform.integration_widget_signing_secret_previous,
        "INTEGRATION_WEBHOOK_SIGNING_SECRET": platform.integration_webhook_signing_secret,
    }
    seen: dict[str, str] = {}
    for name, value in given.items():
        secret = _text(value)
        if secret and (weak := weakness(secret)):
            yield Problem(name, weak, _RANDOM)
        elif secret and seen.get(secret, name.removesuffix("_PREVIOUS")) != name.removesuffix("_PREVIOUS"):
            yield Problem(name, f"is the same as {seen[secret]}", "Give each a value of its own.")
        seen.setdefault(secret, name)


def _data_key(settings: Settings) -> Iterator[Problem]:
    service = settings.service
    keys = {
        "FIRSTUSER_DATA_KEY": service.data_key,
        "FIRSTUSER_DATA_KEY_PREVIOUS": service.data_key_previous,
    }
    for name, value in keys.items():
        try:
            data_keys(_text(value))
        except Refused:
            fix = "Set it to the output of `openssl rand -base64 32`."
            yield Problem(name, "is not 32 bytes in base64", fix)


def _evidence(settings: Settings) -> Iterator[Problem]:
    evidence = settings.evidence
    keys = {"FIRSTUSER_EVIDENCE_KEY": evidence.key, "FIRSTUSER_EVIDENCE_KEY_PENDING": evidence.key_pending}
    for name, value in keys.items():
        try:
            data_keys(_text(value))  # 32 bytes in base64, as well
        except Refused:
            fix = "Set it to the output of `openssl rand -base64 32`."
            yield Problem(name, "is not 32 bytes in base64", fix)
    if evidence.store_url and not evidence.store_url.startswith("s3://"):
        fix = "Write it as s3://bucket/prefix; the bucket needs object lock."
        yield Problem("FIRSTUSER_EVIDENCE_STORE_URL", "names no bucket", fix)


def _public_address(settings: Settings) -> Iterator[Problem]:
    name, parts = "PUBLIC_APP_URL", _split(settings.platform.public_app_url)
    fix = "Write it as https://app.firstuser.com, with nothing after the host."
    if parts is None or parts.scheme not in {"http", "https"}:
        yield Problem(name, "is not a web address", fix)
        return
    if parts.path not in {"", "/"} or parts.query or parts.fragment or parts.username is not None:
        yield Problem(name, "has more in it than scheme and host", fix)
    if deployed(settings) and (parts.scheme != "https" or parts.hostname in LOOPBACK):
        yield Problem(name, "is not a public https address", fix)


def _founders(settings: Settings) -> Iterator[Problem]:
    platform = settings.platform
    phones, owner = platform.founder_phone_list, platform.homepage_owner_phone
    fix = "Write each number as +491701234567: E.164, no spaces; commas between numbers."
    wrong = [number for number, phone in enumerate(phones, 1) if not _is_e164(phone)]
    if wrong:
        which = ", ".join(str(number) for number in wrong)
        yield Problem("FOUNDER_PHONES", f"is not a list of phone numbers (see number {which})", fix)
    deaf = [number for number, phone in enumerate(phones, 1) if _is_e164(phone) and not takes_sms(phone)]
    if deaf and _reaches_people(settings):
        which = ", ".join(str(number) for number in deaf)
        remedy = "List mobile phones: their founders log in by SMS."
        yield Problem("FOUNDER_PHONES", f"has numbers that no code is sent to (number {which})", remedy)
    if owner and not _is_e164(owner):
        yield Problem("HOMEPAGE_OWNER_PHONE", "is not a phone number", fix)
    elif owner and owner not in phones:
        fix = "Add the number to FOUNDER_PHONES."
        yield Problem("HOMEPAGE_OWNER_PHONE", "is not among FOUNDER_PHONES", fix)


def _homepage(settings: Settings) -> Iterator[Problem]:
    slug = settings.platform.homepage_space_slug
    if slug and not fullmatch(_SLUG, slug):
        fix = "Use small letters, digits and single hyphens, as in the address of the space."
        yield Problem("VITE_HOMEPAGE_SPACE_SLUG", "is not the short name of a space", fix)


def _messages(settings: Settings) -> Iterator[Problem]:
    platform = settings.platform
    try:
        if platform.email_from:
            identifiers.sender(platform.email_from)
    except Refused:
        fix = "Write it as name@example.com or Name <name@example.com>."
        yield Problem("EMAIL_FROM", "is not an e-mail address", fix)
    for name, key in {
        "TEXTBELT_API_KEY": platform.textbelt_api_key,
        "SENDGRID_API_KEY": platform.sendgrid_api_key,
    }.items():
        if _text(key) and not fullmatch(r"[!-~]+", _text(key)):
            fix = "Copy the key anew, without spaces or line ends."
            yield Problem(name, "has characters that no key has", fix)
    if deployed(settings) and settings.service.env == "production":
        yield from _really_sent(settings)


def _really_sent(settings: Settings) -> Iterator[Problem]:
    """A production whose codes reach nobody lets nobody in."""
    if settings.service.outbound != "live":
        yield Problem(
            "FIRSTUSER_OUTBOUND", "would keep login codes from reaching people", "Set it to `live`."
        )
    if _text(settings.platform.textbelt_api_key).endswith("_test"):
        yield Problem("TEXTBELT_API_KEY", "is a test key that sends nothing", "Take `_test` off its end.")
    if settings.messaging.sendgrid_sandbox:
        fix = "Remove FIRSTUSER_SENDGRID_SANDBOX."
        yield Problem("FIRSTUSER_SENDGRID_SANDBOX", "keeps e-mails from being sent", fix)


def _alerts(settings: Settings) -> Iterator[Problem]:
    """Credentials, all of them: in the clear only to a fake on this machine."""
    fix = "Copy the incoming webhook's https address from Slack or Discord."
    addresses = {
        "OPS_ALERT_WEBHOOK_URL": settings.platform.ops_alert_webhook_url,
        "FIRSTUSER_ALERT_FALLBACK_URL": settings.alerts.alert_fallback_url,
        "FIRSTUSER_DEAD_MAN_URL": settings.alerts.dead_man_url,
    }
    for name, value in addresses.items():
        url = _text(value)
        parts = _split(url)
        local = parts is not None and parts.hostname in LOOPBACK and not deployed(settings)
        if url and (parts is None or parts.scheme != "https") and not local:
            yield Problem(name, "is not an https address", fix)


def _carriers(settings: Settings) -> Iterator[Problem]:
    """The keys travel there: in the clear only to a fake on this machine."""
    on = settings.platforms
    addresses = {
        "FIRSTUSER_TEXTBELT_URL": settings.messaging.textbelt_url,
        "FIRSTUSER_SENDGRID_URL": settings.messaging.sendgrid_url,
        "FIRSTUSER_RENDER_URL": on.render_url,
        "FIRSTUSER_RAILWAY_URL": on.railway_url,
        "FIRSTUSER_FLY_URL": on.fly_url,
        "FIRSTUSER_NEON_URL": settings.databases.neon_url,
        "FIRSTUSER_SUPABASE_URL": settings.databases.supabase_url,
        "FIRSTUSER_CLOUDFLARE_URL": settings.preflight.cloudflare_url,
    } | ({"FIRSTUSER_AWS_URL": on.aws_endpoint_url} if on.aws_endpoint_url else {})
    for name, url in addresses.items():
        parts = _split(url)
        if parts is None or (parts.scheme != "https" and parts.hostname not in LOOPBACK):
            yield Problem(name, "is not an https address", f"Remove {name} to use the vendor's own.")


def _proxies(settings: Settings) -> Iterator[Problem]:
    for proxy in settings.service.trusted_proxy_list:
        try:
            everyone = ip_network(proxy).prefixlen == 0
        except ValueError:
            everyone = True
        if everyone:
            fix = "List the proxies' own addresses or networks, for example 10.0.0.0/8."
            what = (
                "has an entry that is no address or network, or is everyone: clients could name any address"
            )
            yield Problem("FIRSTUSER_TRUSTED_PROXIES", what, fix)
            return


RULES: Sequence[Callable[[Settings], Iterator[Problem]]] = (
    _missing,
    _environment,
    _database,
    _secrets,
    _data_key,
    _evidence,
    _public_address,
    _founders,
    _homepage,
    _messages,
    _alerts,
    _carriers,
    _proxies,
)


def _reaches_people(settings: Settings) -> bool:
    """Whether messages leave this machine, or should. A restored copy's never do."""
    service = settings.service
    if service.restored_copy:
        return False
    return service.outbound == "live" or (deployed(settings) and service.env == "production")


def _database_is_local(settings: Settings) -> bool:
    """On this machine: by loopback, or by a socket."""
    parts = _split(settings.platform.database_url.get_secret_value())
    if parts is None:
        return False
    host = parts.hostname or parse_qs(parts.query).get("host", [""])[0]
    return host in LOOPBACK or host == "" or host.startswith("/")


def _encrypted(parts: SplitResult) -> bool:
    return parse_qs(parts.query).get("sslmode", [""])[-1] in _ENCRYPTED


def _is_e164(text: str) -> bool:
    try:
        return identifiers.phone(text).value == text
    except Refused:
        return False


def _split(url: str) -> SplitResult | None:
    """None when it is no address at all. A database's may do without a host: then it is a socket."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    hostless = parts.scheme in _DATABASE_SCHEMES and not parts.hostname
    good = bool(parts.scheme) and (bool(parts.hostname) or hostless) and (port is None or port > 0)
    return parts if good and not any(letter.isspace() for letter in url) else None


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value or "")
