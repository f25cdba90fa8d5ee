"""The drill databases of `tests/api/core/drills`: a migrated database with a handful of rows."""

from tests.api.core.drills.conftest import engine

__all__ = ["engine"]
