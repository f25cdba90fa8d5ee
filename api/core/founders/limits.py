"""How many login codes go out, and how many guesses come in: a pure function of what was counted.

Who pays for the messages is protected (SMS pumping), whoever is asked for is (floods), and the six digits
are: a code can be guessed once in 200,000 tries of five, so wrong tries are bounded by person as well,
however many browsers and addresses they come from.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

CODES_WINDOW = timedelta(hours=1)
DAY = timedelta(hours=24)

Refusal = Literal["guessed", "identifier", "network", "budget"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Per phone or e-mail and hour, per network and hour, SMS of everybody a day, wrong tries per phone or
    e-mail a day: 30 of them a day guess a code within a year with a chance of one percent."""

    codes: int = 5
    codes_of_network: int = 20
    sms: int = 100
    wrong_tries: int = 30


@dataclass(frozen=True, slots=True)
class Counted:
    """What happened within the windows, before the code that is asked for now."""

    codes: int = 0
    codes_of_network: int = 0
    sms: int = 0
    wrong_tries: int = 0


def refusal(channel: Literal["sms", "email"], counted: Counted, limits: Limits) -> Refusal | None:
    """Why no code goes out; None when it may. For the log only: whoever asks learns nothing."""
    if counted.wrong_tries >= limits.wrong_tries:
        return "guessed"
    if counted.codes >= limits.codes:
        return "identifier"
    if counted.codes_of_network >= limits.codes_of_network:
        return "network"
    if channel == "sms" and counted.sms >= limits.sms:
        return "budget"
    return None
