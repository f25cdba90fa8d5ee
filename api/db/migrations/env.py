"""Alembic's entry: runs the steps on the connection that `api.db.migrate` hands over."""

from typing import cast

from alembic import context
from sqlalchemy import Connection

from api.db.base import Base

connection = cast(Connection, context.config.attributes["connection"])
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    transaction_per_migration=True,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
