"""The settings: nothing is read that is not documented, and nothing documented that is not read."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import load
from deployments.local.environment import setting_names

ROOT = Path(__file__).parents[3]


def test_the_example_lists_every_variable_and_no_other() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    listed = {line.partition("=")[0] for line in lines if line and not line.startswith("#")}
    assert listed == setting_names()


def test_nothing_else_reads_the_environment() -> None:
    """`api/settings` is the only reader; the embedded engine passes PATH and its like on to PostgreSQL."""
    readers = {
        str(path.relative_to(ROOT))
        for folder in ("api", "flows")
        for path in (ROOT / folder).rglob("*.py")
        if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    assert readers == {"api/settings/__init__.py", "api/providers/databases/embedded/processes.py"}


def test_a_flag_that_cannot_be_read_is_a_problem_of_the_settings(tmp_path: Path) -> None:
    file = tmp_path / "flags.env"
    file.write_text("FIRSTUSER_FLAGS=onboarding_paused=maybe\n")
    with pytest.raises(ValidationError, match="is not a flag"):
        load(file)


def test_secrets_do_not_show_when_settings_are_printed(tmp_path: Path) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("SESSION_SECRET=planted-value-1\nDATABASE_URL=postgresql://u:planted-value-2@h/d\n")
    settings = load(file)
    assert settings.platform.session_secret.get_secret_value() == "planted-value-1"
    assert "planted-value" not in repr(settings)
