"""What the restored product answers against what the source held: pure functions.

The source's sample was taken under a snapshot a moment before the target. Rows that the copy knows to have
changed since (`changed`) make no claim; every other row must be there, and be the same.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any


def live_differences(
    sample: Sequence[Mapping[str, Any]],
    observed: Sequence[Mapping[str, Any]],
    *,
    changed: Collection[str],
    target: datetime,
    window: timedelta,
) -> list[str]:
    """Differences between the sampled presence rows and the answer of the live users API.

    Both are rows `{user_id, last_seen (RFC 3339), status}`: differences are kept for ever, and name nobody
    by what a partner or a person would know them by. A user is live at `target` with status
    `live` and `last_seen` within `window` before it. Returns one sentence per difference.
    """
    held = {row["user_id"]: row for row in sample}
    shown = {row["user_id"]: row for row in observed}
    differences: list[str] = []
    for user, row in held.items():
        if user in changed:
            continue
        live = row["status"] == "live" and _moment(row["last_seen"]) > target - window
        if live and user not in shown:
            differences.append(f"{user} was live on the source and is missing")
        elif not live and user in shown:
            differences.append(f"{user} was not live on the source and is shown")
        elif live and _moment(shown[user]["last_seen"]) != _moment(row["last_seen"]):
            differences.append(
                f"{user} was last seen {row['last_seen']} and is shown as {shown[user]['last_seen']}"
            )
    unknown = shown.keys() - held.keys() - set(changed)
    return differences + [f"{user} is shown and the source did not hold them" for user in sorted(unknown)]


def field_differences(expected: Mapping[str, Any], observed: Mapping[str, Any]) -> list[str]:
    """Fields of `expected` that `observed` answers differently. Moments are compared as moments."""
    return [
        f"{name}: {value!r} on the source, {observed.get(name)!r} on the copy"
        for name, value in expected.items()
        if not _same(value, observed.get(name))
    ]


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, str) and isinstance(right, str) and left != right:
        try:
            return _moment(left) == _moment(right)
        except ValueError:
            return False
    return left == right


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
