"""What two processes must share to count as configured alike, rotations included."""

import base64
from collections.abc import Mapping

import pytest

from api.settings import Settings, load
from api.settings.fingerprint import configuration
from api.settings.rings import rings

KEY, LATER = (base64.b64encode(byte * 32).decode() for byte in (b"a", b"b"))
OWN = {
    "FIRSTUSER_DATA_KEY": KEY,
    "SESSION_SECRET": "s" * 40,
    "INTEGRATION_WIDGET_SIGNING_SECRET": "w" * 40,
    "DATABASE_URL": "postgresql://app@127.0.0.1/firstuser",
    "PUBLIC_APP_URL": "https://firstuser.example",
}
ROTATED = {
    "FIRSTUSER_DATA_KEY": LATER,
    "FIRSTUSER_DATA_KEY_PREVIOUS": KEY,
    "SESSION_SECRET": "t" * 40,
    "SESSION_SECRET_PREVIOUS": "s" * 40,
    "DATABASE_URL": "postgresql://app_a@127.0.0.1/firstuser",
}


def given(values: Mapping[str, str]) -> Settings:
    with pytest.MonkeyPatch.context() as patch:
        for name in (*OWN, *ROTATED, *values, "FIRSTUSER_ENV_FILE"):
            patch.delenv(name, raising=False)
        for name, value in values.items():
            patch.setenv(name, value)
        return load()


def test_one_that_took_a_rotation_on_is_like_one_that_starts_after_it() -> None:
    before, after = given(OWN), given(OWN | ROTATED)
    assert configuration(before) != configuration(after)
    assert configuration(before, rings(after.platform, after.service)) == configuration(after)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIRSTUSER_DATA_KEY", LATER),
        ("FIRSTUSER_DATA_KEY_PREVIOUS", LATER),
        ("SESSION_SECRET_PENDING", "t" * 40),
        ("DATABASE_URL", "postgresql://app_a@127.0.0.1/firstuser"),
        ("PUBLIC_APP_URL", "https://other.example"),
    ],
)
def test_any_other_value_is_another_configuration(name: str, value: str) -> None:
    assert configuration(given(OWN | {name: value})) != configuration(given(OWN))


def test_a_release_is_no_part_of_it() -> None:
    assert configuration(given(OWN | {"FIRSTUSER_RELEASE": "1.4"})) == configuration(given(OWN))


def test_it_shows_nothing_of_a_value_without_the_key() -> None:
    other = {"FIRSTUSER_DATA_KEY": LATER}
    assert configuration(given(OWN)) != configuration(given(OWN | other))
    assert len(configuration(given(OWN))) == 16
