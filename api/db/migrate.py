"""Migrations as functions: `upgrade(url)`, `current(engine)`, `head()`.

Two migrators started at once queue up behind an advisory lock; no step waits longer than
`LOCK_TIMEOUT` for a table that is in use, so that a migration never stops the traffic behind it.
"""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.pool import NullPool

from api.db.engine import sqlalchemy_url

MIGRATIONS = Path(__file__).parent / "migrations"
LOCK_TIMEOUT = "10s"
_ADVISORY_KEY = 7_310_001


def head() -> str:
    """The revision that this code expects."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise LookupError(f"no migrations under {MIGRATIONS}")
    return revision


def current(engine: Engine) -> str | None:
    """The revision that the database stands at, None for an empty one."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def upgrade(database_url: str, revision: str = "head") -> None:
    """Bring the database to `revision`. Connect as the owner of the schema. Idempotent."""
    _run(database_url, lambda config: command.upgrade(config, revision))


def downgrade(database_url: str, revision: str) -> None:
    """Take steps back to `revision` (`base`: all of them). Destroys data; for development and tests."""
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
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config
