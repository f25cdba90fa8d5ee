"""The live server's configuration file, rewritten before every start so that moved paths are never stale."""

import os
from collections.abc import Mapping
from pathlib import Path

from api.providers.databases.embedded.account import OsAccount

FILE_NAME = "firstuser.conf"
ARCHIVE_TIMEOUT_SECONDS = 60

BASE: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "120",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "wal_level": "replica",
    "summarize_wal": "on",
    "wal_summary_keep_time": "10d",
    "track_commit_timestamp": "on",
    "archive_mode": "on",
    "archive_timeout": str(ARCHIVE_TIMEOUT_SECONDS),
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",
    "lock_timeout": "0",
    "cluster_name": "firstuser",
}


def write_settings(file: Path, settings: Mapping[str, str], account: OsAccount) -> None:
    """Replace `file` atomically."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(render(settings))
    temporary.chmod(0o600)
    account.own(temporary)
    temporary.rename(file)


def append_settings(file: Path, settings: Mapping[str, str]) -> None:
    """Add lines at the end: of several values for a name, PostgreSQL takes the last."""
    with file.open("a") as output:
        output.write("\n" + render(settings))


def render(settings: Mapping[str, str]) -> str:
    return "".join(f"{name} = {quote(value)}\n" for name, value in settings.items())


def quote(value: str) -> str:
    """A value as postgresql.conf wants it."""
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
