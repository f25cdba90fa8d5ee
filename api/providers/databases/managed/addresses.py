"""Production's URL, made to lead to a copy. A copy holds production's roles with their passwords."""

from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

_OF_THE_PLACE = {"host", "hostaddr", "port", "options", "target_session_attrs"}


def moved(url: str, host: str, port: int) -> str:
    """The same role, database and TLS settings at another place."""
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in _OF_THE_PLACE]
    place = f"[{host}]" if ":" in host else host
    return urlunsplit(("postgresql", f"{login}{at}{place}:{port}", parts.path, urlencode(query), ""))


def with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    login = f"{quote(user(url), safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc.rpartition('@')[2]}"))


def user(url: str) -> str:
    return urlsplit(url).username or ""


def database(url: str) -> str:
    return urlsplit(url).path.strip("/")


def place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or 5432
