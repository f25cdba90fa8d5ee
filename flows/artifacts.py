"""What the smaller flows leave beside a run: one report each, under a fixed key, with its runbook.

Minutely flows leave one only when something was done or is wrong: the list of artifacts is for people.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from prefect.artifacts import acreate_markdown_artifact, create_markdown_artifact

from api.core.alerts.views import AlertView
from api.core.ports import Backup
from api.core.preflight.rehearsals import Rehearsal
from flows import wiring
from flows.away import unless_prefect_is_away

Rows = Sequence[Sequence[object]]


def runbook(name: str) -> str:
    """A link where the runbooks can be read, or the name of the file."""
    base = wiring.settings().alerts.runbooks_url.rstrip("/")
    return f"[{name}]({base}/{name}.md)" if base else f"`deployments/runbooks/{name}.md`"


def table(columns: Sequence[str], rows: Rows) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


async def swept(done: Sequence[str]) -> None:
    if done:
        text = [
            "# Undone after an interrupted run",
            "\n".join(f"- {one}" for one in done),
            "**Next step:** read why that run ended, then start it again. "
            f"Runbook: {runbook('restore-drill')}, {runbook('alert-flow-failed')}",
        ]
        await acreate_markdown_artifact("\n\n".join(text), key="sweep", description=f"{len(done)} undone")


async def alerts_sent(accepted: int, waiting: Sequence[AlertView]) -> None:
    """How many messages went out, and what is open now."""
    base = wiring.settings().alerts.runbooks_url
    rows = [
        (
            one.severity,
            one.title,
            one.scope,
            one.message,
            f"[runbook]({one.runbook})" if base else one.runbook,
        )
        for one in waiting
    ]
    text = [f"# {accepted} alert messages sent"]
    text += [table(("severity", "alert", "of", "what", "runbook"), rows)] if rows else ["No alert is open."]
    text += [
        "Say that somebody has it: `firstuser alerts ack ID --by NAME`, or the Ops page. "
        f"When they do not arrive: {runbook('alert-channel-dead')}"
    ]
    said = f"{accepted} sent, {len(rows)} open"
    await acreate_markdown_artifact("\n\n".join(text), key="alerts", description=said)


async def pruned(gone: Mapping[str, int], kept: Mapping[str, timedelta]) -> None:
    """How many of each went, and how long each is kept."""
    rows = [(name, count, _days(kept[name])) for name, count in gone.items()]
    text = [
        f"# {sum(gone.values())} rows dropped",
        table(("what", "dropped", "kept for"), rows),
        "Everything that is kept, and for how long: `docs/retention.md`. "
        f"A prune that fails: {runbook('alert-flow-failed')}",
    ]
    await acreate_markdown_artifact(
        "\n\n".join(text), key="prune", description=f"{sum(gone.values())} dropped"
    )


@unless_prefect_is_away()
def backed_up(taken: Backup) -> None:
    """What was taken, and what it is good for."""
    verified = f"{taken.verified_at:%Y-%m-%d %H:%M:%S} UTC" if taken.verified_at else "**not verified**"
    row = (f"`{taken.id}`", taken.kind, f"{taken.size_bytes / 1_048_576:.1f} MB", verified)
    text = [
        "# Backup taken",
        table(("backup", "kind", "size", "held against its manifest"), [row]),
        f"It restores once a drill has shown it: `firstuser drill`. Runbook: {runbook('backups')}",
    ]
    said = f"{taken.kind}, {row[2]}"
    create_markdown_artifact("\n\n".join(text), key="backup", description=said)


@unless_prefect_is_away()
def backups_kept(removed: Sequence[str], wrong: Sequence[str], points: int) -> None:
    """The verdict over the backups: what is wrong first."""
    text = [f"# Backups: {'WRONG' if wrong else 'whole'}"]
    if wrong:
        text += ["\n".join(f"- {one}" for one in wrong)]
        text += [
            f"**Next step:** take a full one (`firstuser backups take --kind full`). {runbook('backups')}"
        ]
    else:
        text += [f"WAL without a gap, newest backup verified. Runbook: {runbook('backups')}"]
    text += [f"{points} restore points; {len(removed)} past their retention removed"]
    text += ["\n".join(f"- `{one}`" for one in removed)] if removed else []
    said = wrong[0] if wrong else f"{points} restore points, {len(removed)} removed"
    create_markdown_artifact("\n\n".join(text), key="backups", description=said[:200])


@unless_prefect_is_away()
def rehearsed(one: Rehearsal, verdict: str) -> None:
    """Both ways with their times."""
    rows = [
        ("back", f"{one.of_release} → {one.to_release}", _seconds(one.back_seconds)),
        ("forth", f"{one.to_release} → {one.of_release}", _seconds(one.forth_seconds)),
    ]
    good = one.status == "passed"
    text = [
        f"# Rollback rehearsal {'passed' if good else 'failed'}",
        f"`{one.id}` · staging · {one.started_at:%Y-%m-%d %H:%M} UTC",
        table(("way", "releases", "took"), rows),
    ]
    text += [] if good else [f"**Stopped at** {one.step}: {one.detail}"]
    text += [f"Runbook: {runbook('preflight-rollback')}", f"Evidence: `{one.evidence_id or 'none'}`"]
    create_markdown_artifact("\n\n".join(text), key="rollback-rehearsal", description=verdict[:200])


def _seconds(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1f} s"


def _days(length: timedelta) -> str:
    days = length / timedelta(days=1)
    return f"{days:g} day{'' if days == 1 else 's'}"


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
