"""Series of minutes as text: `{"cases": [{"name", "series": [[bucket, minutes], …]}]}`.

A bucket is `[failed, attempted]`, or null for a missing minute. A case may say what is expected of it:
`first_trip` (a minute, counted from 1, or null) and `expected` (minute → verdict).
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.core.errors import Refused
from api.core.incidents.exchange_rate import RULE, Bucket, Thresholds, judge
from api.core.incidents.verdicts import Verdict

MOST_MINUTES = 366 * 24 * 60
_MINUTE = re.compile("[1-9][0-9]{0,8}")
_NOTATION = 'Write {"cases": [{"name": "…", "series": [[[failed, attempted] or null, minutes], …]}]}.'


@dataclass(frozen=True, slots=True)
class Case:
    """`says_first_trip`: whether the case names its first trip at all (None is one of its values)."""

    name: str
    series: Sequence[Bucket | None]
    expected: Mapping[int, Verdict]
    first_trip: int | None = None
    says_first_trip: bool = False


@dataclass(frozen=True, slots=True)
class Replayed:
    case: Case
    verdicts: Sequence[Verdict]

    @property
    def first_trip(self) -> int | None:
        """Counted from 1."""
        return next((at for at, said in enumerate(self.verdicts, 1) if said is Verdict.TRIP), None)

    def surprises(self) -> list[str]:
        """What is not as the case expects."""
        found = [
            f"minute {minute}: {self.verdicts[minute - 1]} instead of {wanted}"
            for minute, wanted in self.case.expected.items()
            if self.verdicts[minute - 1] is not wanted
        ]
        if self.case.says_first_trip and self.first_trip != self.case.first_trip:
            found.append(f"first trip: {self.first_trip} instead of {self.case.first_trip}")
        return found

    def document(self) -> dict[str, Any]:
        return {
            "name": self.case.name,
            "first_trip": self.first_trip,
            "verdicts": [verdict.value for verdict in self.verdicts],
        }


def replay(case: Case, rule: Thresholds = RULE) -> Replayed:
    return Replayed(case, [judged.verdict for judged in judge(case.series, rule)])


def read(text: str) -> list[Case]:
    """Raises `Refused`, naming what is wrong and where."""
    try:
        document: Any = json.loads(text)
    except ValueError as error:
        raise _refused(f"This is no JSON: {error}.") from error
    except RecursionError as error:
        raise _refused("This is nested too deeply.") from error
    listed: Any = document.get("cases") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise _refused("There is no list `cases`.")
    return [_case(one, f"cases[{place}]") for place, one in enumerate(listed)]


def _case(given: Any, where: str) -> Case:
    if not isinstance(given, dict):
        raise _refused(f"{where} is no object.")
    name = given.get("name")
    if not isinstance(name, str) or not name.isprintable():
        raise _refused(f"{where} has no name that can be printed.")
    where = f"{where} ({name})"
    series = _series(given.get("series"), where)
    expected = _expected(given.get("expected", {}), len(series), where)
    first_trip = given.get("first_trip")
    if first_trip is not None and not _whole(first_trip, at_least=1):
        raise _refused(f"{where}.first_trip is neither a minute from 1 on nor null.")
    return Case(name, series, expected, first_trip, "first_trip" in given)


def _series(given: Any, where: str) -> list[Bucket | None]:
    if not isinstance(given, list):
        raise _refused(f"{where} has no list `series`.")
    series: list[Bucket | None] = []
    for place, pair in enumerate(given):
        at = f"{where}.series[{place}]"
        if not isinstance(pair, list) or len(pair) != 2:
            raise _refused(f"{at} is not [bucket, minutes].")
        bucket, minutes = _bucket(pair[0], at), pair[1]
        if not _whole(minutes, at_least=1):
            raise _refused(f"{at}: minutes is not a whole number from 1 on, but {_shown(minutes)}.")
        if len(series) + minutes > MOST_MINUTES:
            raise _refused(f"{at}: a series has at most {MOST_MINUTES} minutes (a year).")
        series.extend([bucket] * minutes)
    return series


def _bucket(given: Any, where: str) -> Bucket | None:
    if given is None:
        return None
    if not isinstance(given, list) or len(given) != 2 or not all(_whole(one, at_least=0) for one in given):
        raise _refused(f"{where}: a bucket is [failed, attempted] in whole numbers or null: {_shown(given)}.")
    failed, attempted = given
    if failed > attempted:
        raise _refused(f"{where}: {failed} failed of only {attempted} attempted.")
    return Bucket(failed, attempted)


def _expected(given: Any, minutes: int, where: str) -> Mapping[int, Verdict]:
    if not isinstance(given, dict):
        raise _refused(f"{where}.expected is no object of minute → verdict.")
    expected: dict[int, Verdict] = {}
    for minute, verdict in given.items():
        if (
            not minute.isascii()
            or not minute.isdecimal()
            or len(minute) > 9
            or not 1 <= int(minute) <= minutes
        ):
            raise _refused(f"{where}.expected: there is no minute {minute}; the series has {minutes}.")
        if verdict not in list(Verdict):
            raise _refused(f"{where}.expected: {_shown(verdict)} is none of {', '.join(Verdict)}.")
        expected[int(minute)] = Verdict(verdict)
    return expected


def _whole(given: Any, *, at_least: int) -> bool:
    return isinstance(given, int) and not isinstance(given, bool) and given >= at_least


def _shown(given: Any) -> str:
    return json.dumps(given)[:80]


def _refused(message: str) -> Refused:
    return Refused(message, fix=_NOTATION, code="bad_series")
