"""Times, durations, sizes and counts in words that people read at a glance."""

from datetime import UTC, datetime, timedelta

from markupsafe import Markup

from api.core.clock import system_clock

_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60))


def moment(value: datetime | None) -> str:
    """`23 Nov 2026, 14:05:09 UTC`; `–` for none."""
    return f"{value.astimezone(UTC):%-d %b %Y, %H:%M:%S} UTC" if value else "–"


def day(value: datetime) -> str:
    return f"{value.astimezone(UTC):%-d %b}"


def age(value: timedelta | None) -> str:
    """`3 h`, `12 s`; `–` for none."""
    if value is None:
        return "–"
    seconds = max(0, value.total_seconds())
    for name, size in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {name}"
    return f"{int(seconds)} s"


def ago(value: datetime | None, now: datetime | None = None) -> str:
    """`3 h ago`, `just now`; `never` for none."""
    if value is None:
        return "never"
    passed = (now or system_clock()) - value
    return "just now" if passed < timedelta(seconds=5) else f"{age(passed)} ago"


def seconds(value: float | None) -> str:
    """`8.4 s`, `2 min 5 s`, `1 h 2 min`; `–` for none."""
    if value is None:
        return "–"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def switched(value: bool | None) -> str:
    """`on`, `off`; `–` for no value of its own."""
    return {True: "on", False: "off", None: "–"}[value]


def size(value: float) -> str:
    """`31 MB` in powers of 1024."""
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024 or unit == "GB":
            return f"{value:.0f} {unit}" if value >= 10 or unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return ""


def count(value: int) -> str:
    """Thousands set apart by a thin space."""
    return f"{value:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def coded(value: str) -> Markup:
    """What stands between backticks as code, all of it escaped."""
    told, *rest = value.split("`")
    found = Markup.escape(told)
    for place, part in enumerate(rest):
        found += Markup("<code>{}</code>").format(part) if place % 2 == 0 else Markup.escape(part)
    return found
