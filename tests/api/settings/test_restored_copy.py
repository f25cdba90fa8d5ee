"""While staging serves a restored copy, the copy's address is the database's; its own is not touched."""

import pytest

from api.settings.platform import PlatformSettings

OWN, COPY = "postgresql://own/x", "postgresql://copy/x"


@pytest.mark.parametrize(("copy", "used"), [(COPY, COPY), ("", OWN)])
def test_the_copy_comes_first(copy: str, used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", OWN)
    monkeypatch.setenv("FIRSTUSER_RESTORED_DATABASE_URL", copy)
    assert PlatformSettings.read(None).database_url.get_secret_value() == used
