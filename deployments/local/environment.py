"""Environment files of the stack: `secrets/production.env` and `secrets/staging.env`, mode 0600.

Made from three sources, later ones win: values that have a sensible local default, secrets made up once and
kept, and what the environment of `firstuser up` sets. Addresses of the stack's own parts always win.
"""

import base64
import os
import secrets
from collections.abc import Mapping, Set
from functools import cache

from dotenv import dotenv_values

from api.db.address import login_of, with_login
from api.settings import GROUPS
from api.settings.twelve import PRODUCTION_ONLY
from deployments.local.layout import StateFolder, write_private
from deployments.local.ports import HOST, Ports

ENVIRONMENTS = ("production", "staging")
OWNER_PHONE = "+15550100001"
DEFAULTS = {
    "FOUNDER_PHONES": f"{OWNER_PHONE},+15550100002,+15550100003",
    "HOMEPAGE_OWNER_PHONE": OWNER_PHONE,
    "VITE_HOMEPAGE_SPACE_SLUG": "firstuser",
    "EMAIL_FROM": "FirstUser <hello@firstuser.example>",
}
SHARED_SECRETS = ("FIRSTUSER_DATA_KEY",)  # staging has to read what production wrote
OWN_SECRETS = (
    "SESSION_SECRET",
    "INTEGRATION_WIDGET_SIGNING_SECRET",
    "INTEGRATION_WEBHOOK_SIGNING_SECRET",
    "FIRSTUSER_EVIDENCE_KEY",  # what staging writes is not production's evidence
)
BYTES = ("FIRSTUSER_DATA_KEY", "FIRSTUSER_EVIDENCE_KEY")  # 32 of them, in base64
RING = ("_PREVIOUS", "_PENDING", "_VERSIONS")  # beside a secret while it is being replaced
DATABASE_RING = ("DATABASE_URL", "DATABASE_URL_PREVIOUS", "DATABASE_URL_PENDING")
DATABASES = {"production": "firstuser", "staging": "firstuser_staging"}


@cache
def setting_names() -> frozenset[str]:
    """Every variable that `api.settings` reads."""
    return frozenset(name for group in GROUPS.values() for name in group.variables().values())


def given_settings() -> dict[str, str]:
    """What the caller asks for: the file that `FIRSTUSER_ENV_FILE` names, then the environment over it."""
    named = os.environ.get("FIRSTUSER_ENV_FILE")
    found = dotenv_values(named) if named else {}
    return {name: value for name, value in found.items() if value is not None} | dict(os.environ)


def read_env_file(state: StateFolder, environment: str) -> dict[str, str]:
    """{} when there is no such file yet."""
    found = dotenv_values(state.env_file(environment), interpolate=False)
    return {name: value for name, value in found.items() if value is not None}


def write_env_files(state: StateFolder, ports: Ports, given: Mapping[str, str]) -> None:
    """Write both files. What was given to an earlier start holds until `given` replaces it; an empty value
    takes it back."""
    given = {name: value for name, value in given.items() if name in setting_names()}
    before = {name: _kept(read_env_file(state, name), given) for name in ENVIRONMENTS}
    given = {name: value for name, value in given.items() if value}
    shared = {name: before["production"].get(name) or _new_secret(name) for name in SHARED_SECRETS}
    login = _prefect_login(state)
    for environment in ENVIRONMENTS:
        own = {name: before[environment].get(name) or _new_secret(name) for name in OWN_SECRETS}
        allowed = given if environment == "production" else _without(given, PRODUCTION_ONLY)
        values = DEFAULTS | before[environment] | shared | own | allowed
        values |= _addresses(state, ports, environment) | _logins(ports, environment, before[environment])
        values["FIRSTUSER_PREFECT_AUTH"] = login
        write_private(state.env_file(environment), _format(values))


def _kept(before: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """What belongs to a variable's ring goes where the variable goes."""
    kept: dict[str, str] = {}
    for variable, value in before.items():
        name = next((variable.removesuffix(end) for end in RING if variable.endswith(end)), variable)
        if not setting_names().isdisjoint({name, variable}) and given.get(name, value):
            kept[variable] = value
    return kept


def _addresses(state: StateFolder, ports: Ports, environment: str) -> dict[str, str]:
    service = {"production": "api", "staging": "staging"}[environment]
    return {
        "FIRSTUSER_READER_DATABASE_URL": database_url(ports, "firstuser_reader", "production"),
        "PUBLIC_APP_URL": ports.url(service),
        "FIRSTUSER_ENV": environment,
        "FIRSTUSER_EMBEDDED": "true",
        "FIRSTUSER_STATE_DIR": str(state.root),
        "FIRSTUSER_OUTBOX_DIR": str(state.outbox(environment)),
        "FIRSTUSER_PREFECT_API_URL": f"{ports.url('prefect')}/api",
        "FIRSTUSER_PREFECT_UI_URL": ports.url("prefect"),
        **ports.environment(),
    }


def _logins(ports: Ports, environment: str, before: Mapping[str, str]) -> dict[str, str]:
    """The application's own database, with the logins that a rotation has given it; and who changes them."""
    own = database_url(ports, "firstuser_app", environment)
    rotated = {name: url for name, url in before.items() if name in DATABASE_RING}
    found = {"DATABASE_URL": own} | {name: with_login(own, *login_of(url)) for name, url in rotated.items()}
    admin = {"FIRSTUSER_ADMIN_DATABASE_URL": database_url(ports, "firstuser_admin", environment)}
    return found | (admin if environment == "production" else {})


def database_url(ports: Ports, role: str, environment: str) -> str:
    """The environment's own database as `role` connects to it; the password is found by PGPASSFILE."""
    return f"postgresql://{role}@{HOST}:{ports.postgres}/{DATABASES[environment]}"


def _prefect_login(state: StateFolder) -> str:
    if not state.prefect_login.exists():
        write_private(state.prefect_login, f"admin:{secrets.token_urlsafe(24)}\n")
    return state.prefect_login.read_text().strip()


def _new_secret(name: str) -> str:
    if name in BYTES:
        return base64.b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_urlsafe(48)


def _without(values: Mapping[str, str], names: Set[str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name not in names}


def _format(values: Mapping[str, str]) -> str:
    lines = [f"{name}='{_escape(value)}'" for name, value in sorted(values.items())]
    return (
        "# Written by `firstuser up`. Secrets in it are kept from start to start.\n" + "\n".join(lines) + "\n"
    )


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


INHERITED = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")


def process_environment(state: StateFolder, environment: str = "production") -> dict[str, str]:
    """What every process of the stack starts with: no secret, and nothing of the caller's Prefect."""
    kept = {name: os.environ[name] for name in (*INHERITED, *PROXIES) if name in os.environ}
    return kept | {
        "FIRSTUSER_STATE_DIR": str(state.root),
        "FIRSTUSER_ENV_FILE": str(state.env_file(environment)),
        "PGPASSFILE": str(state.passwords),
        "PREFECT_HOME": str(state.prefect_home),
        "DO_NOT_TRACK": "1",
        "NO_PROXY": f"{HOST},localhost",
        "PYTHONUNBUFFERED": "1",
        "PYTHONSAFEPATH": "1",  # the folder a process stands in is no source of modules
    }
