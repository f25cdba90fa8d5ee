"""Fixtures that more than one part needs."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clusters import cluster, cluster_settings, cluster_state

__all__ = ["cluster", "cluster_settings", "cluster_state"]


@pytest.fixture(scope="session")
def passfile() -> Iterator[Path]:
    """What PGPASSFILE names: the passwords of the first cluster, which all others of the process share."""
    with tempfile.TemporaryDirectory(prefix="firstuser-") as folder, pytest.MonkeyPatch.context() as patch:
        file = Path(folder) / "pgpass"
        patch.setenv("PGPASSFILE", str(file))
        yield file
