"""A preflight as a person reads it: Markdown for the artifact and the ops notes, rows for tables. Pure."""

from collections.abc import Mapping, Sequence

from api.core.preflight.records import Result, State
from api.core.preflight.service import Preflight

MARKS: Mapping[State, str] = {
    State.PASS: "✓ pass",
    State.WARN: "! warn",
    State.FAIL: "✗ fail",
    State.ERROR: "✗ error",
    State.SKIP: "– skip",
    State.INCONCLUSIVE: "? inconclusive",
    State.STALE: "✗ stale",
    State.WAIVED: "~ waived",
}
COLUMNS = ("check", "result", "observed", "expected", "owner")


def runbook(name: str, base: str = "") -> str:
    """Where the page of that name is read; "" names the file."""
    return f"{base.rstrip('/')}/{name}.md" if base else f"deployments/runbooks/{name}.md"


def markdown(run: Preflight, runbooks: str = "") -> str:
    """Headline, why, next step, every check with what was seen, and what was not checked."""
    parts = [
        f"# {_escape(run.headline) or 'Preflight running'}",
        f"`{run.id}` · release `{run.binding.release}` · configuration `{run.binding.configuration}` · "
        f"{run.target.production_url}",
    ]
    if run.reasons:
        parts += ["## Why", "\n".join(f"- {_escape(reason)}" for reason in run.reasons)]
    parts += [
        f"**Next step:** {_escape(run.next_step) or 'wait for the verdict.'}",
        "## Checks",
        _table(COLUMNS, rows(run.results, runbooks)),
        "## Not checked",
        "\n".join(f"- {_escape(line)}" for line in run.not_checked),
        f"Evidence: `{run.evidence_id or 'none yet'}`",
    ]
    if run.sign_off:
        word = "Signed off" if run.sign_off.approved else "Declined"
        parts.append(f"{word} by {_escape(run.sign_off.by_name)} ({run.sign_off.via}). {run.sign_off.note}")
    return "\n\n".join(parts)


def to_sign(run: Preflight) -> str:
    """What the release owner reads above the form."""
    until = f" It holds until {run.expires_at:%Y-%m-%d %H:%M} UTC." if run.expires_at else ""
    return (
        f"**{_escape(run.headline)}**\n\nRelease `{run.binding.release}`, configuration "
        f"`{run.binding.configuration}`, run `{run.id}`.{until} Any change voids it. On the Ops page the "
        "release owner signs as who is logged in; here a name is what somebody types."
    )


def rows(results: Sequence[Result], runbooks: str = "") -> list[tuple[str, ...]]:
    """`COLUMNS` of each check, and of the parts of those that do not hold. `runbooks`: where the pages can be
    read; "" names the files."""
    found: list[tuple[str, ...]] = []
    for one in results:
        fix = f" → {one.fix} ({runbook(one.runbook, runbooks)})" if one.fix else ""
        waived = f" Waived: {one.waived_by}." if one.waived_by else ""
        found.append((one.name, MARKS[one.state], one.observed + waived + fix, one.expected, one.owner))
        if one.state is not State.PASS:
            found += [
                (
                    f"· {part.name}",
                    MARKS[part.state],
                    part.observed + (f" → {part.fix}" if part.fix else ""),
                    part.expected,
                    "",
                )
                for part in one.parts
                if part.state is not State.PASS
            ]
    return found


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join("| " + " | ".join(_escape(cell) for cell in line) + " |" for line in lines)


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
