"""Which store the settings name: `""` and `file:///dir` are directories, `s3://bucket/prefix` is S3."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from api.core.errors import Refused
from api.settings.store import StoreSettings


def directory_of(settings: StoreSettings, default: Path) -> Path | None:
    """The store's directory, or None when it is not one. Raises `Refused` for an address we do not know."""
    if not settings.url:
        return default
    parts = urlsplit(settings.url)
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return Path(unquote(parts.path))
    if parts.scheme == "s3" and parts.netloc:
        return None
    raise Refused(
        f"FIRSTUSER_STORE_URL {settings.url!r} names no store.",
        fix="Leave it empty, or write file:///absolute/folder or s3://bucket/prefix.",
    )


def bucket_of(settings: StoreSettings) -> tuple[str, str]:
    """Bucket and key prefix (without slashes at its ends) of an `s3://` address."""
    parts = urlsplit(settings.url)
    return parts.netloc, parts.path.strip("/")
