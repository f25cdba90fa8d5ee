"""Browser sessions, in memory: the cookie holds a random id and nothing else. Yours are in your database."""

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

COOKIE = "partner_session"
_MAX_SESSIONS = 10_000
_MAX_PENDING = 5  # tabs of one browser that are on their way through the waiting list


@dataclass
class Session:
    """`pending`: the PKCE verifier by the state that was sent along. `admitted`: FirstUser has said yes."""

    user_id: str
    pending: OrderedDict[str, str] = field(default_factory=OrderedDict)
    admitted: bool = False

    def remember(self, state: str, verifier: str) -> None:
        self.pending[state] = verifier
        if len(self.pending) > _MAX_PENDING:
            self.pending.popitem(last=False)

    def recall(self, state: str) -> str | None:
        """The verifier, once. None: this browser never asked, or has had its answer."""
        return self.pending.pop(state, None)


class Sessions:
    def __init__(self) -> None:
        self._open: OrderedDict[str, Session] = OrderedDict()

    def open(self, user_id: str) -> str:
        """The value of the new session's cookie."""
        session_id = secrets.token_urlsafe(32)
        self._open[session_id] = Session(user_id)
        if len(self._open) > _MAX_SESSIONS:
            self._open.popitem(last=False)
        return session_id

    def get(self, session_id: str | None) -> Session | None:
        return self._open.get(session_id) if session_id else None

    def close(self, session_id: str | None) -> Session | None:
        return self._open.pop(session_id, None) if session_id else None

    def present(self) -> set[str]:
        """The users who are in, in however many browsers."""
        return {session.user_id for session in self._open.values() if session.admitted}

    def dismiss(self, user_id: str) -> None:
        """Their access has ended."""
        for session in self._open.values():
            if session.user_id == user_id:
                session.admitted = False
