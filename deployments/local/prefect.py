"""The profile that Prefect's server, worker and clients read here: `prefect/profiles.toml`, mode 0600.

A profile, not environment variables: the login must not stand in every process's environment. The one
exception is the encryption key of blocks, which Prefect reads from the environment only; the server's
process sets it for itself.
"""

import tomllib
from pathlib import Path

from cryptography.fernet import Fernet

from deployments.local.layout import StateFolder, write_private
from deployments.local.ports import HOST, Ports
from deployments.orchestration.server import COMMON

PROFILE = "firstuser"
WORK_POOL = "local"


def settings(state: StateFolder, ports: Ports) -> dict[str, str]:
    login = state.prefect_login.read_text().strip()
    return _client(ports, login) | _server(state, ports, login) | _worker()


def _client(ports: Ports, login: str) -> dict[str, str]:
    return {
        "PREFECT_API_URL": f"{ports.url('prefect')}/api",
        "PREFECT_API_AUTH_STRING": login,
        "PREFECT_CLI_PROMPT": "false",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }


def _server(state: StateFolder, ports: Ports, login: str) -> dict[str, str]:
    return COMMON | {
        # Postgres, because SQLite takes several times as long under load
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"postgresql+asyncpg://prefect@{HOST}:{ports.postgres}/prefect",
        "PREFECT_SERVER_API_HOST": HOST,
        "PREFECT_SERVER_API_PORT": str(ports.prefect),
        "PREFECT_SERVER_API_AUTH_STRING": login,
    }


def _worker() -> dict[str, str]:
    return {
        # a run starts within about two seconds after it was asked for
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_RUNNER_POLL_FREQUENCY": "2",
        "PREFECT_WORKER_HEARTBEAT_SECONDS": "10",
    }


def write_profile(state: StateFolder, ports: Ports) -> None:
    lines = [f'{name} = "{value}"' for name, value in settings(state, ports).items()]
    text = f'active = "{PROFILE}"\n\n[profiles.{PROFILE}]\n' + "\n".join(lines) + "\n"
    write_private(profile_path(state), text)


def profile_path(state: StateFolder) -> Path:
    return state.prefect_home / "profiles.toml"


def read_profile(state: StateFolder) -> dict[str, str]:
    return tomllib.loads(profile_path(state).read_text())["profiles"][PROFILE]


def encryption_key(state: StateFolder) -> str:
    """Made up once: with another key, Secret blocks that exist could not be read any more."""
    if not state.prefect_key.exists():
        write_private(state.prefect_key, Fernet.generate_key().decode() + "\n")
    return state.prefect_key.read_text().strip()
