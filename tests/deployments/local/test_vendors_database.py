"""The local stack beside a vendor's database: it asks nobody but its own."""

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from api.core.errors import Refused
from api.providers.databases.registry import database_provider
from api.settings import Settings, load
from deployments.local import data
from deployments.local.beacon import archive_pace
from deployments.local.layout import StateFolder
from deployments.local.ports import Ports
from deployments.local.stack import Stack


def settings(state: Path, provider: str, *, embedded: bool = True) -> Settings:
    found = load()
    drills = found.drills.model_copy(update={"database_provider": provider})
    stack = found.stack.model_copy(update={"state_dir": state, "embedded": embedded})
    return replace(found, drills=drills, stack=stack)


def test_down_ends_its_own_copies_and_asks_no_vendor(tmp_path: Path) -> None:
    """A vendor without any credentials refuses whoever asks."""
    found = settings(tmp_path, "neon")
    with pytest.raises(Refused):
        database_provider(found)
    assert data.end_copies(Stack(StateFolder(tmp_path), Ports(1, 2, 3, 4), found)) == 0


def test_a_beacon_needs_no_server_of_its_own_where_a_vendor_archives(tmp_path: Path) -> None:
    assert archive_pace(settings(tmp_path, "rds"))() is False
    assert archive_pace(settings(tmp_path, "embedded", embedded=False))() is False  # nobody has said whose
    with pytest.raises(psycopg.OperationalError):
        archive_pace(settings(tmp_path, "embedded"))()
