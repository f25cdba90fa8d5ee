"""A person with everything that can be kept of one, and a search for them through every table."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from api.core.access import waitlist
from api.core.access.models import AccessCode, Grant, WaitlistStart
from api.core.access.waitlist import Applicant
from api.core.chat.models import Conversation, Message
from api.core.crypto import Vault
from api.core.founders.models import LoginCode
from api.core.ids import new_id
from api.core.presence.models import Presence
from tests.api.core.places import Place
from tests.product import NOW


@dataclass(frozen=True, slots=True)
class Person:
    """`stored`: what is found in tables while they are kept, bytes as hexadecimal digits; `sealed`: what is
    never found."""

    user_id: str
    stored: Collection[str]
    sealed: Collection[str]

    @property
    def traces(self) -> list[str]:
        return [*self.stored, *self.sealed]


def new_person(
    session: Session,
    vault: Vault,
    place: Place,
    external: str,
    email: str | None,
    phone: str | None,
    texts: Collection[str] = (),
    referred_by: str | None = None,
) -> Person:
    who = Applicant(external, email, phone, referred_by, {"plan": external})
    entry_id, _ = waitlist.enter(session, vault, place.integration_id, who, NOW)
    start = WaitlistStart(
        id=new_id("wls"), entry_id=entry_id, integration_id=place.integration_id, mode="redirect",
        token_sha256=entry_id.encode(), return_url="https://a.example/in", state=f"state of {external}",
        expires_at=NOW,
    )  # fmt: skip
    session.add(start)
    session.flush()
    code = AccessCode(
        code_sha256=entry_id.encode(), start_id=start.id, entry_id=entry_id,
        integration_id=place.integration_id, expires_at=NOW, used_at=NOW,
    )  # fmt: skip
    ids = {"integration_id": place.integration_id, "external_user_id": external}
    held = Grant(id=new_id("grt"), entry_id=entry_id, created_at=NOW, **ids)
    revoked = Grant(id=new_id("grt"), entry_id=entry_id, created_at=NOW, revoked_at=NOW, **ids)
    seen = Presence(last_seen=NOW, status="live", **ids)
    talk = Conversation(id=new_id("cnv"), space_id=place.space_id, entry_id=entry_id, created_at=NOW)
    session.add_all([code, held, revoked, seen, talk])
    session.flush()
    for seq, words in enumerate(texts, 1):
        session.add(
            Message(
                id=new_id("msg"),
                conversation_id=talk.id,
                seq=seq,
                sender="user",
                client_id=str(seq),
                text=words,
            )
        )
    if phone:
        session.add(
            LoginCode(
                id=new_id("otp"), browser_id="b", identifier_index=vault.index(phone), code_hmac=b"x",
                expires_at=NOW + timedelta(minutes=5),
            )
        )  # fmt: skip
    session.flush()
    user_id, *sealed = session.execute(
        text(
            "select user_id, email_cipher, phone_cipher, email_index, phone_index from entries where id = :id"
        ),
        {"id": entry_id},
    ).one()
    in_bytes = {bytes(value).hex() for value in sealed if value is not None}
    return Person(user_id, {external, *texts, *in_bytes}, {known for known in (email, phone) if known})


def found(session: Session, traces: Collection[str]) -> dict[str, list[str]]:
    """Which of the traces any text, array, JSON or bytes of any table holds, with `table.column` of each."""
    search = " union all ".join(
        f"select trace, '{table}.{column}' from {table}, unnest(cast(:traces as text[])) trace"  # noqa: S608
        f" where strpos({column}::text, trace) > 0"
        for table, column in session.execute(_COLUMNS)
    )
    places: dict[str, list[str]] = {}
    for trace, place in session.execute(text(search), {"traces": list(traces)}):
        places.setdefault(trace, []).append(place)
    return places


_COLUMNS = text("""
    select format('%I.%I', table_schema, table_name), format('%I', column_name)
      from information_schema.columns join information_schema.tables using (table_schema, table_name)
     where table_schema in ('public', 'ops', 'webhook_days') and table_type = 'BASE TABLE'
       and data_type in ('text', 'character varying', 'bytea', 'jsonb', 'json', 'ARRAY')
""")
