"""Pointers: whole, without secrets, and forgotten means home."""

from pathlib import Path

import pytest

from api.core.errors import Conflict
from api.providers.hosting.pointer import (
    Pointer,
    forget_pointers,
    pointer_path,
    read_pointer,
    write_pointer,
)

COPY = Pointer("dep_1", "postgresql://app@127.0.0.1:1/x", "drill-1", "2026-11-22T03:00:00+00:00")


def test_a_pointer_is_read_as_written(tmp_path: Path) -> None:
    write_pointer(tmp_path, "staging", COPY)
    assert read_pointer(tmp_path, "staging") == COPY
    assert [path.name for path in (tmp_path / "services").iterdir()] == ["staging.json"]


def test_on_a_restored_copy_nothing_is_sent_and_the_clock_stands() -> None:
    environment = COPY.environment()
    assert environment["FIRSTUSER_OUTBOUND"] == "outbox"
    assert environment["FIRSTUSER_AS_OF"] == COPY.as_of
    assert environment["DATABASE_URL"] == COPY.dsn


def test_without_a_pointer_the_service_is_at_home(tmp_path: Path) -> None:
    assert "DATABASE_URL" not in read_pointer(tmp_path, "staging").environment()
    write_pointer(tmp_path, "staging", COPY)
    forget_pointers(tmp_path)
    assert read_pointer(tmp_path, "staging").environment() == {"FIRSTUSER_DEPLOY_ID": "home"}


def test_a_damaged_pointer_says_what_to_do(tmp_path: Path) -> None:
    write_pointer(tmp_path, "staging", COPY)
    pointer_path(tmp_path, "staging").write_text('{"deploy_id": ')
    with pytest.raises(Conflict, match="Delete it"):
        read_pointer(tmp_path, "staging")
