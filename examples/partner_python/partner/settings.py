"""What the back end needs to know, from the environment. A missing value stops the start, by name."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Settings:
    """`webhook_secrets`: all that are valid now; two of them while FirstUser rotates one."""

    firstuser_url: str
    api_key: str
    webhook_secrets: Sequence[str]
    partner_url: str
    host: str
    port: int

    @property
    def return_url(self) -> str:
        """Registered with FirstUser, letter by letter."""
        return f"{self.partner_url}/firstuser/callback"

    @property
    def origin(self) -> str:
        parts = urlsplit(self.partner_url)
        return f"{parts.scheme}://{parts.netloc}"


def load(environment: Mapping[str, str] = os.environ) -> Settings:
    """Raises `SystemExit` that names what is missing."""
    missing = [name for name in ("FIRSTUSER_URL", "FIRSTUSER_API_KEY") if not environment.get(name)]
    if missing:
        raise SystemExit(f"Set {' and '.join(missing)}; the README says to what.")
    port = int(environment.get("PORT", "9000"))
    return Settings(
        firstuser_url=environment["FIRSTUSER_URL"].rstrip("/"),
        api_key=environment["FIRSTUSER_API_KEY"],
        webhook_secrets=environment.get("FIRSTUSER_WEBHOOK_SECRET", "").replace(",", " ").split(),
        partner_url=environment.get("PARTNER_URL", f"http://127.0.0.1:{port}").rstrip("/"),
        host=environment.get("HOST", "127.0.0.1"),
        port=port,
    )
