"""The login of a restored copy, which production has never had.

A copy holds production's logins with the passwords of its day: nobody's any more after a rotation, or
somebody's who stole them. They end there.
"""

from api.providers.databases.logins import LETTERS, Logins

COPY = "firstuser_copy"


def admit(logins: Logins, group: str, password: str) -> None:
    """On the copy: `COPY` works as `group`, and none of the group's own logins is let in; who came in with
    one since the copy answers has to go. May be repeated."""
    logins.allow(COPY, group, password)
    for role in (group, *(group + letter for letter in LETTERS)):
        if logins.may_log_in(role):
            logins.forbid(role)
        if logins.sessions(role):
            logins.end_sessions(role, patience_s=0)
