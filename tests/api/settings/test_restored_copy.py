"""While staging serves a restored copy, the copy's address is the database's; its own is not touched."""

import pytest

from api.settings.platform import PlatformSettings
from api.settings.service import ServiceSettings

OWN, COPY = "postgresql://own/x", "postgresql://copy/x"


@pytest.mark.parametrize(("copy", "used"), [(COPY, COPY), ("", OWN)])
def test_the_copy_comes_first(copy: str, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", OWN)
    monkeypatch.setenv("FIRSTUSER_RESTORED_DATABASE_URL", copy)
    assert PlatformSettings.read(None).database_url.get_secret_value() == used


@pytest.mark.parametrize(
    ("set_to", "used"),
    [
        ({"RENDER_GIT_COMMIT": "c0ffee"}, "c0ffee"),
        ({"RAILWAY_GIT_COMMIT_SHA": "c0ffee"}, "c0ffee"),
        ({"RENDER_GIT_COMMIT": "c0ffee", "FIRSTUSER_RELEASE": "1.4"}, "1.4"),
        ({}, "dev"),
    ],
)
def test_a_release_is_what_the_platform_deployed(
    set_to: dict[str, str], used: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("FIRSTUSER_RELEASE", "RENDER_GIT_COMMIT", "RAILWAY_GIT_COMMIT_SHA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in set_to.items():
        monkeypatch.setenv(name, value)
    assert ServiceSettings.read(None).release == used
