"""Production's URL, made to lead to a copy, and whose login it names."""

from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

_OF_THE_PLACE = {"host", "hostaddr", "port", "options", "target_session_attrs"}
_OF_THE_LOGIN = {"user", "password", "passfile"}


def moved(url: str, host: str, port: int) -> str:
    """The same role, database and TLS settings at another place."""
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in _OF_THE_PLACE]
    place = f"[{host}]" if ":" in host else host
    return urlunsplit(("postgresql", f"{login}{at}{place}:{port}", parts.path, urlencode(query), ""))


def with_password(url: str, password: str) -> str:
    return with_login(url, user(url), password)


def with_login(url: str, role: str, password: str) -> str:
    """As somebody else: nothing of the login before is left in it."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query) if name not in _OF_THE_LOGIN]
    secret = f":{quote(password, safe='')}" if password else ""
    netloc = f"{quote(role, safe='')}{secret}@{parts.netloc.rpartition('@')[2]}"
    return urlunsplit(parts._replace(netloc=netloc, query=urlencode(query)))


def like(url: str, another: str) -> str:
    """`url` with the login of `another`, wherever that has its password."""
    parts = urlsplit(another)
    made = with_login(url, user(another), unquote(parts.password or ""))
    login = [(name, value) for name, value in parse_qsl(parts.query) if name in _OF_THE_LOGIN]
    query = urlencode([*parse_qsl(urlsplit(made).query), *login])
    return urlunsplit(urlsplit(made)._replace(query=query))


def user(url: str) -> str:
    return unquote(urlsplit(url).username or "")


def database(url: str) -> str:
    return urlsplit(url).path.strip("/")


def place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return (parts.hostname or "").lower(), parts.port or 5432
