"""Migrations as functions: `upgrade(url)`, `current(engine)`, `head()`, and whether a release
works on what it finds: `fits(found, head)`, `is_ahead(found, head)`.

Two migrators started at once queue up behind an advisory lock; no step waits longer than `LOCK_TIMEOUT` for a
table that is in use, so that a migration never stops the traffic behind it. Alembic is imported only where it
works: every process needs to know the head, and its import costs as much as the rest of the start.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from api.db.engine import sqlalchemy_url

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_TIMEOUT = "10s"
_ADVISORY_KEY = 7_310_001


def head() -> str:
    """The revision that this code expects: the one that no other builds on."""
    steps = [_names(path) for path in sorted((MIGRATIONS / "versions").glob("[0-9]*.py"))]
    heads = {step["revision"] for step in steps} - {step["down_revision"] for step in steps}
    if len(heads) != 1:
        raise LookupError(
            f"{len(heads)} heads among the migrations in {MIGRATIONS}: {sorted(map(str, heads))}"
        )
    return str(heads.pop())


def fits(found: str | None, expected: str) -> bool:
    """Whether the release whose migration is `expected` works on a database that stands at `found`."""
    return found == expected or (found is not None and is_ahead(found, expected))


def is_ahead(found: str, expected: str) -> bool:
    """Whether a newer release has migrated the database. This one works on it still: a release takes away
    only what the one before it does without. So it goes on serving while the next one rolls out, and can be
    gone back to. Revisions are numbered: `0012_live_index`."""
    return _number(found) > _number(expected)


def _number(revision: str) -> int:
    digits = revision.partition("_")[0]
    return int(digits) if digits.isdecimal() else -1


def current(engine: Engine) -> str | None:
    """The revision that the database stands at, None for an empty one."""
    from alembic.migration import MigrationContext

    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to `revision`. Connect as the owner of the schema. Idempotent."""
    from alembic import command

    _run(database_url, lambda config: command.upgrade(config, revision))


def downgrade(database_url: str, revision: str) -> None:
    """Take steps back to `revision` (`base`: all of them). Destroys data; for development and tests."""
    from alembic import command

    _run(database_url, lambda config: command.downgrade(config, revision))


def _run(database_url: str, step: Callable[[Config], None]) -> None:
    engine = create_engine(sqlalchemy_url(database_url), poolclass=NullPool)
    with engine.connect() as guard, engine.connect() as connection:
        guard.execute(text("select pg_advisory_lock(:key)"), {"key": _ADVISORY_KEY})
        connection.execute(text(f"set lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.commit()
        config = _config()
        config.attributes["connection"] = connection
        step(config)
        guard.rollback()


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def _names(path: Path) -> dict[str, str | None]:
    """`revision` and `down_revision` of a step, read without running it."""
    found: dict[str, str | None] = {}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in {"revision", "down_revision"} and isinstance(node.value, ast.Constant):
                found[name] = str(node.value.value) if node.value.value else None
    return found
