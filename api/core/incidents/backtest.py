"""What a rule would have done with minutes that are stored: its trips, one an episode, with the cool-down."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from api.core.errors import Refused
from api.core.incidents.decisions import COOL_DOWN
from api.core.incidents.exchange_rate import RULE, Series, Thresholds, judge
from api.core.incidents.pace import MINUTE
from api.core.incidents.verdicts import Verdict

_COOL_MINUTES = int(COOL_DOWN / MINUTE)
_GREATEST = {"percent": 100, "window": 1440, "lately": 1440, "recent": 1440, "hold": 1440}
_MAY_BE_NONE = {"bridged", "hold", "lately_failures", "failures", "percent"}


@dataclass(frozen=True, slots=True)
class Fired:
    """Minutes of the series: the first bad one, the trip, and the last one of the breach."""

    since: int
    trip: int
    until: int


def changed(settings: Sequence[str], rule: Thresholds = RULE) -> Thresholds:
    """`hold=8` → a rule with that. Raises `Refused`."""
    names = [one.name for one in fields(Thresholds)]
    for setting in settings:
        name, _, value = setting.partition("=")
        if name not in names:
            raise Refused(f"There is no threshold {name!r}.", fix=f"Choose one of: {', '.join(names)}.")
        least = 0 if name in _MAY_BE_NONE else 1
        if (
            not value.isascii()
            or not value.isdigit()
            or not least <= int(value[:9]) <= _GREATEST.get(name, 10**6)
        ):
            raise Refused(f"{setting!r}: {name} is no such number.", fix="Write for example hold=8.")
        rule = replace(rule, **{name: int(value)})
    return rule


def fired(series: Series, rule: Thresholds = RULE) -> list[Fired]:
    """As the watch would have: latched while the breach lasts, and for the cool-down after a trip."""
    found: list[Fired] = []
    for at, judged in enumerate(judge(series, rule)):
        if judged.since is None:
            continue
        if found and judged.since == found[-1].since:
            found[-1] = replace(found[-1], until=at)
        elif judged.verdict is Verdict.TRIP and (not found or at - found[-1].trip >= _COOL_MINUTES):
            found.append(Fired(judged.since, at, at))
    return found
