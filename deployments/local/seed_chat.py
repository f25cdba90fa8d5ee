"""Conversations of the seeded data set: a handful in each space, over its last days."""

import random
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from api.core.chat.models import Conversation, Message
from deployments.local.seed_people import seeded_id

PER_SPACE = 6
_PEOPLE = text("""
select entry.id, spaces.id, entry.decided_at from spaces
cross join lateral (
    select entries.id, entries.decided_at from entries
    where entries.space_id = spaces.id and entries.status = 'accepted' and exists (
        select from grants where grants.entry_id = entries.id and grants.revoked_at is null)
    order by entries.rank, entries.seq limit :each
) as entry
order by spaces.created_at, spaces.id, entry.id
""")
# Who speaks changes with each line, and the user begins.
_TALKS: Sequence[Sequence[str]] = (
    (
        "Hi! I cannot find the export button. Is there one?",
        "There is, behind the three dots at the top right.",
        "Found it, thank you!",
    ),
    (
        "The import took three minutes for 200 rows. Is that expected?",
        "No. Which browser are you on?",
        "Firefox on Linux. The second try was fast, though.",
        "Then I know what it was. A fix goes out today.",
        "Can confirm, it is fast now. 🎉",
    ),
    ("Could you add keyboard shortcuts? I live on the keyboard.",),
    (
        "Love it so far. What will it cost when the beta is over?",
        "We have not decided. First users keep a discount for ever.",
    ),
    ("Bonjour ! L'interface sera-t-elle traduite en français ?", "Oui, d'ici la fin du mois."),
    (
        "I invited two colleagues and they never got an e-mail.",
        "Both were in a spam folder here. Could you look in theirs?",
        "Yes, there they are.",
    ),
)


def load(session: Session, now: datetime) -> int:
    """How many conversations there are now. The last words of some have not been read."""
    rng = random.Random(20_260_104)  # noqa: S311  made-up words, no secrets
    talks: list[dict[str, object]] = []
    messages: list[dict[str, object]] = []
    for number, (entry_id, space_id, accepted_at) in enumerate(session.execute(_PEOPLE, {"each": PER_SPACE})):
        lines, talk_id = _TALKS[number % len(_TALKS)], seeded_id(rng, "cnv")
        moments = _moments(rng, len(lines), max(accepted_at, now - timedelta(days=6)), now)
        messages += _messages(rng, talk_id, lines, moments)
        read = len(lines) - (len(lines) % 2 and rng.random() < 0.5)
        talks.append(
            {
                "id": talk_id,
                "space_id": space_id,
                "entry_id": entry_id,
                "last_seq": len(lines),
                "user_read_seq": len(lines),
                "founder_read_seq": read,
                "last_message_at": moments[-1],
                "created_at": moments[0],
            }
        )
    if talks:
        session.execute(insert(Conversation), talks)
        session.execute(insert(Message), messages)
    return len(talks)


def _messages(
    rng: random.Random, talk_id: str, lines: Sequence[str], moments: Sequence[datetime]
) -> list[dict[str, object]]:
    return [
        {
            "id": seeded_id(rng, "msg"),
            "conversation_id": talk_id,
            "seq": seq,
            "sender": "user" if seq % 2 else "founder",
            "client_id": f"seed-{seq}",
            "text": line,
            "created_at": moment,
        }
        for seq, (line, moment) in enumerate(zip(lines, moments, strict=True), 1)
    ]


def _moments(rng: random.Random, count: int, since: datetime, until: datetime) -> list[datetime]:
    """In order, at random within the time that there was."""
    return sorted(since + (until - since) * rng.random() for _ in range(count))
