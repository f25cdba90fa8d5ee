"""What the settings must give before a platform can be asked anything."""

from pydantic import SecretStr

from api.core.errors import Refused


def given(name: str, value: SecretStr | str | None) -> str:
    """The value as text. Raises `Refused` where there is none."""
    found = text(value)
    if not found:
        raise Refused(f"{name} is not set.", fix=f"Set {name}; `.env.example` says what it is.")
    return found


def text(value: SecretStr | str | None) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value or ""
