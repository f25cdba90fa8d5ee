"""Opening a copy: its own login, made by the administrator that settings name for copies."""

import psycopg

from api.core.errors import Refused, Rejected, Unavailable
from api.providers.databases import copy_login
from api.providers.databases.logins import Logins, group_of
from api.providers.databases.managed import addresses
from api.providers.databases.managed.checks import CONNECT_S

SETTING = "FIRSTUSER_DRILL_ADMIN_DATABASE_URL"
FIX = (
    f"Set {SETTING} to production's address as a role with CREATEROLE and ADMIN OPTION on the app's roles"
    " (docs/providers/databases.md)."
)


def missing_admin(app: str, admin: str) -> str:
    """Why nobody could open a copy; "" where somebody can."""
    if not admin:
        return f"{SETTING} is not set: nobody can give a copy a login of its own"
    if group_of(addresses.user(admin)) == group_of(addresses.user(app)):
        return (
            f"{SETTING} logs in as {addresses.user(admin)}, as the product does, whose logins end on a copy"
        )
    return ""


def require_admin(app: str, admin: str) -> None:
    """Raises `Refused`."""
    if missing := missing_admin(app, admin):
        raise Refused(f"{missing}.", fix=FIX, code="no_drill_admin")


def open_copy(url: str, group: str, password: str, vendor: str) -> None:
    """`url`: the copy as its administrator. May be repeated."""
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_S) as connection:
            copy_login.admit(Logins(connection, setting=SETTING), group, password)
    except psycopg.OperationalError as error:
        said = f"The copy did not let its administrator in, or cut it off ({type(error).__name__})."
        raise Unavailable(said, provider=vendor, operation="open", fix=FIX) from None
    except psycopg.Error as error:
        said = error.diag.message_primary or type(error).__name__
        raise Rejected(
            f"The copy got no login: {said}.", provider=vendor, operation="open", fix=FIX
        ) from None
