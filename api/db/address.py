"""Where the database is, and as whom: `DatabaseAddress`, which may change while a process runs.

The login of the database is rotated: who holds an address opens every new connection with what it says then,
and lets go of connections that were opened with another one (`stale`).
"""

from collections.abc import Callable
from urllib.parse import quote, unquote, urlsplit, urlunsplit

_CONNECT_TIMEOUT_S = 5


class DatabaseAddress:
    """`look` is called before each use, and may call `turn`: for processes that nobody tells."""

    def __init__(self, url: str) -> None:
        self._url = _plain(url)
        self.look: Callable[[], object] = lambda: None

    @classmethod
    def of(cls, given: "str | DatabaseAddress") -> "DatabaseAddress":
        return given if isinstance(given, DatabaseAddress) else cls(given)

    @property
    def known(self) -> str:
        """Without a look."""
        return self._url

    @property
    def url(self) -> str:
        self.look()
        return self._url

    def stale(self, url: str) -> bool:
        """Whether what was opened with `url` is to be closed."""
        return self.url != _plain(url)

    def turn(self, url: str) -> None:
        """From now on there."""
        self._url = _plain(url)


def opens(url: str) -> bool:
    """Whether the login is let in. Raises nothing."""
    import psycopg  # here: commands that only name an address start without it

    try:
        psycopg.connect(_plain(url), connect_timeout=_CONNECT_TIMEOUT_S).close()
    except psycopg.Error:
        return False
    return True


def login_of(url: str) -> tuple[str, str]:
    """(role, password); "" for a password that is found elsewhere."""
    parts = urlsplit(url)
    return unquote(parts.username or ""), unquote(parts.password or "")


def with_login(url: str, role: str, password: str) -> str:
    """The same database as somebody else. Without a password it is found elsewhere."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    secret = f":{quote(password, safe='')}" if password else ""
    return urlunsplit(parts._replace(netloc=f"{quote(role, safe='')}{secret}@{place}"))


def _plain(url: str) -> str:
    return "postgresql://" + url.partition("://")[2]
