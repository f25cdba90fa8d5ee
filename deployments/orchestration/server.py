"""How a Prefect server is set up here, on one machine as beyond it. The reasons are measured ones."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from api.core.errors import Refused
from api.settings import Settings

ENCRYPTION_KEY = "PREFECT_SERVER_ENCRYPTION_KEY"
RETENTION_DAYS = 14
EVENTS_DAYS = 3
COMMON = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # without it the interface calls port 4200, whatever port the server has
    "PREFECT_SERVER_UI_API_URL": "/api",
    "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
    # the second interface asks an outside analytics host even with analytics off
    "PREFECT_SERVER_UI_V2_ENABLED": "false",
    # kept in memory, a server restart would crash running flows that hold a limit
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
    # a minutely run costs about 48 KB; what counts as evidence is kept in our own tables
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": str(RETENTION_DAYS * 86400),
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": f"P{EVENTS_DAYS}D",
}
_SCHEMES = {"postgres", "postgresql", "postgresql+asyncpg"}


def server_environment(settings: Settings) -> dict[str, str]:
    """Of a server of its own. Raises `Refused` for what is missing: it would be open to everybody, keep what
    it knows in a file that the next deploy throws away, or its secrets beside their key."""
    deploy, service = settings.deploy, settings.service
    needed = {
        "FIRSTUSER_PREFECT_DATABASE_URL": deploy.prefect_database_url.get_secret_value(),
        "FIRSTUSER_PREFECT_AUTH": service.prefect_auth.get_secret_value() if service.prefect_auth else "",
        "FIRSTUSER_PREFECT_ENCRYPTION_KEY": deploy.prefect_encryption_key.get_secret_value(),
    }
    if missing := [name for name, value in needed.items() if not value]:
        raise Refused(f"A Prefect server needs {', '.join(missing)}.", fix=f"Set {', '.join(missing)}.")
    return COMMON | {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": asyncpg_url(
            needed["FIRSTUSER_PREFECT_DATABASE_URL"], settings.platform.database_sslmode
        ),
        "PREFECT_SERVER_API_HOST": deploy.host,
        "PREFECT_SERVER_API_PORT": str(deploy.port),
        "PREFECT_SERVER_API_AUTH_STRING": needed["FIRSTUSER_PREFECT_AUTH"],
        ENCRYPTION_KEY: needed["FIRSTUSER_PREFECT_ENCRYPTION_KEY"],
        "DO_NOT_TRACK": "1",
    }


def asyncpg_url(url: str, sslmode: str = "") -> str:
    """As Prefect's driver takes it: its scheme, and `ssl` for libpq's `sslmode`. Raises `Refused`."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise Refused(
            "FIRSTUSER_PREFECT_DATABASE_URL is not the address of a PostgreSQL database.",
            fix="Write it as postgresql://user:password@host/database.",
        )
    query = dict(parse_qsl(parts.query))
    wanted = query.pop("sslmode", sslmode)
    if wanted and "ssl" not in query:
        query["ssl"] = wanted
    host = parts._replace(scheme="postgresql+asyncpg", query=urlencode(query, safe="/"))
    return urlunsplit(host)
