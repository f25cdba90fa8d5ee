"""Database passwords: made once, kept only in password files (`PGPASSFILE`), never in argv, URL or log."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from api.providers.databases.embedded.account import OsAccount


def ensure_passwords(pgpass: Path, roles: Iterable[str]) -> dict[str, str]:
    """Read the password file, adding a random password for every role that has none yet."""
    known = read_passwords(pgpass)
    missing = [role for role in roles if role not in known]
    known.update({role: secrets.token_urlsafe(24) for role in missing})
    if missing:
        _write(pgpass, known)
    return known


def read_passwords(pgpass: Path) -> dict[str, str]:
    """Role → password; the port is a wildcard so that restored copies are reached with the same file."""
    if not pgpass.exists():
        return {}
    fields = (
        line.split(":") for line in pgpass.read_text().splitlines() if line and not line.startswith("#")
    )
    return {role: password for _host, _port, _database, role, password in fields}


def copy_for(account: OsAccount, source: Path, target: Path) -> None:
    """libpq only reads a password file that belongs to the user who reads it."""
    _write(target, read_passwords(source))
    account.own(target)


def _write(pgpass: Path, passwords: dict[str, str]) -> None:
    temporary = pgpass.with_name(f".{pgpass.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"127.0.0.1:*:*:{role}:{password}\n" for role, password in passwords.items())
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(pgpass)
