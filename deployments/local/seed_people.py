"""The people of the seeded data set, made up one at a time: the same plan gives the same people again.

Entries, grants and presence are loaded one after the other, each from its own run over the same stream:
no more than one person is in memory, however large the data set is.
"""

import base64
import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Literal

Status = Literal["waiting", "accepted", "rejected"]

_CROCKFORD = bytes.maketrans(b"0123456789ABCDEFGHIJKLMNOPQRSTUV", b"0123456789abcdefghjkmnpqrstvwxyz")
_HISTORY = timedelta(days=180)
_DAY = timedelta(days=1)

FIRST_NAMES = (  # noqa: SIM905  a list would take a line each
    "Amara Anna Bilal Camille Chen Dalia Daniel Elif Emeka Eva Farid Freya Gustav Hana Ines Ivan Jamal "
    "Jana Joao Kenji Lara Leila Liam Lucia Mateo Maya Mina Nadia Noah Olga Omar Priya Rafael Rosa Samir "
    "Sofia Tariq Tomas Uma Viktor Wanda Xenia Yara Yusuf Zoe"
).split()
LAST_NAMES = (  # noqa: SIM905  a list would take a line each
    "Adeyemi Ahmed Andersson Bauer Becker Bianchi Costa Dubois Eriksen Fischer Garcia Haddad Horvat "
    "Ibrahim Jansen Kaya Keller Kim Kowalski Larsen Lopez Meyer Moreau Nakamura Novak Okafor Patel Petrov "
    "Rahman Rossi Santos Schmidt Silva Singh Tanaka Torres Varga Weber Wang Yilmaz Zhang"
).split()


@dataclass(frozen=True, slots=True)
class Place:
    """Where people sign up: an integration, its space, and the share of all people that it gets."""

    integration_id: str
    space_id: str
    weight: float


@dataclass(frozen=True, slots=True)
class Person:
    entry_id: str
    user_id: str
    ordinal: int
    place: Place
    external_user_id: str
    email: str | None
    phone: str | None
    status: Status
    referral_code: str
    referred_by: str | None
    created_at: datetime
    decided_at: datetime | None
    granted: bool
    revoked_at: datetime | None
    last_seen: datetime | None
    presence: Literal["live", "left"]


def people(places: Sequence[Place], count: int, now: datetime) -> Iterator[Person]:
    """`count` people in order of joining, over the last half year, ever more of them each week."""
    rng = random.Random(20_260_101)  # noqa: S311  made-up people, no secrets
    weights = list(accumulate(place.weight for place in places))
    recent: dict[str, deque[str]] = {place.integration_id: deque(maxlen=50) for place in places}
    joined_space = dict.fromkeys((place.space_id for place in places), 0)
    for number in range(count):
        place = rng.choices(places, cum_weights=weights)[0]
        known = recent[place.integration_id]
        joined = now - _HISTORY * (1 - ((number + 1) / (count + 1)) ** 0.5)
        joined_space[place.space_id] += 1
        person = _person(rng, place, number, joined_space[place.space_id], joined, known, now)
        known.append(person.entry_id)
        yield person


def _person(
    rng: random.Random,
    place: Place,
    number: int,
    ordinal: int,
    joined: datetime,
    known: Sequence[str],
    now: datetime,
) -> Person:
    status = _status(rng, joined, now)
    decided = None if status == "waiting" else min(joined + _DAY * rng.expovariate(0.5), now)
    granted = status == "accepted" and rng.random() < 0.95
    revoked = granted and rng.random() < 0.03
    seen = granted and not revoked and rng.random() < 0.68
    away = timedelta(seconds=rng.uniform(0, 80)) if rng.random() < 0.1 else _DAY * rng.expovariate(0.5)
    return Person(
        entry_id=seeded_id(rng, "wle"),
        user_id=seeded_id(rng, "usr"),
        ordinal=ordinal,
        place=place,
        external_user_id=f"u-{number + 1:07d}",
        email=_email(rng, number) if rng.random() < 0.9 else None,
        phone=f"+447700900{rng.randrange(1000):03d}" if rng.random() < 0.3 else None,  # reserved for fiction
        status=status,
        referral_code=f"{rng.getrandbits(48):012x}",
        referred_by=rng.choice(known) if known and rng.random() < 0.2 else None,
        created_at=joined,
        decided_at=decided,
        granted=granted,
        revoked_at=now - (now - (decided or now)) * rng.random() if revoked else None,
        last_seen=max(now - away, decided or joined) if seen else None,
        presence="left" if rng.random() < 0.3 else "live",
    )


def _status(
    rng: random.Random, joined: datetime, now: datetime
) -> Literal["waiting", "accepted", "rejected"]:
    """Who joined long ago has mostly been decided on."""
    age = (now - joined) / _HISTORY
    roll = rng.random()
    if roll < 0.15 + 0.85 * age**0.7:
        return "accepted" if rng.random() < 0.82 else "rejected"
    return "waiting"


def full_name(rng: random.Random) -> str:
    return f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"


def _email(rng: random.Random, number: int) -> str:
    return f"{full_name(rng).lower().replace(' ', '.')}.{number}@example.com"


def seeded_id(rng: random.Random, prefix: str) -> str:
    """Like `api.core.ids.new_id`, but the same again for the same generator."""
    letters = base64.b32hexencode(rng.randbytes(13)).translate(_CROCKFORD)
    return f"{prefix}_{letters[:20].decode()}"
