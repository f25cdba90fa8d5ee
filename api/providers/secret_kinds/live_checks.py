"""What is made with a secret of the platform, and who accepts it: tried at the running product.

A `LiveCheck` makes something with a given value of the secret, and asks whether it is accepted. None where
there is nothing to try it with.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from sqlalchemy.orm import Session

from api.core.access import holders
from api.core.chat.token import Bearer, WidgetKeys
from api.core.clock import Clock
from api.core.crypto import Signer
from api.core.founders import sessions
from api.providers.secret_kinds.calls import ProductCalls

ME = "/api/founder/v1/sessions"
CHAT = "/api/widget/v1/chat/messages"
BROWSER = "Secret rotation"
_LIFETIME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Seen:
    accepted: bool
    said: str


class LiveCheck(Protocol):
    @property
    def expected(self) -> str: ...

    def make(self, value: str) -> str | None: ...

    def ask(self, made: str) -> Seen: ...

    def clean(self, made: str) -> None:
        """It is needed no more. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class SessionCheck:
    """A founder's session, for as long as it takes: its cookie opens the API, or does not."""

    transaction: Callable[[], AbstractContextManager[Session]]
    product: ProductCalls
    cookie_name: str
    owner: Callable[[Session], str | None]
    clock: Clock
    expected: str = f"GET {ME} answers 200"

    def make(self, value: str) -> str | None:
        with self.transaction() as session:
            founder_id = self.owner(session)
            if founder_id is None:
                return None
            signer = Signer([value], "session-cookie")
            return sessions.open_session(session, signer, founder_id, BROWSER, self.clock())

    def ask(self, made: str) -> Seen:
        answer = self.product.as_browser(f"{self.cookie_name}={made}", ME)
        return Seen(answer.status == 200, answer.said)

    def clean(self, made: str) -> None:
        random_id, _, _ = made.partition(".")
        with self.transaction() as session:
            sessions.close_unsigned(session, random_id, self.clock())


@dataclass(frozen=True, slots=True)
class WidgetCheck:
    """A token for somebody who has access: it loads their conversation, or does not."""

    transaction: Callable[[], AbstractContextManager[Session]]
    product: ProductCalls
    issuer: str
    clock: Clock
    expected: str = f"GET {CHAT} answers 200"

    def make(self, value: str) -> str | None:
        with self.transaction() as session:
            found = holders.anyone_with_origin(session)
        if found is None:
            return None
        holder, origin = found
        bearer = Bearer(holder.user_id, holder.integration_id, holder.grant_id, origin)
        token, _ = WidgetKeys([value], self.issuer).mint(bearer, _LIFETIME, self.clock())
        return f"{origin} {token}"

    def ask(self, made: str) -> Seen:
        origin, _, token = made.partition(" ")
        answer = self.product.as_widget(token, origin, CHAT)
        return Seen(answer.status == 200, answer.said)

    def clean(self, made: str) -> None:
        """It ends by itself."""


@dataclass(frozen=True, slots=True)
class NoCheck:
    """What the processes say of themselves is all there is to see."""

    expected: str = "every process says so"

    def make(self, value: str) -> str | None:
        return None

    def ask(self, made: str) -> Seen:
        return Seen(True, made and "")

    def clean(self, made: str) -> None:
        """Nothing was made."""
