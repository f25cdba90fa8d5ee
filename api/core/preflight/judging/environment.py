"""1: the variables, what production serves, and whether staging mirrors it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from api.core.preflight.judging import verdict
from api.core.preflight.records import Finding, Part, State

_WHILE_ROTATING = ("_PREVIOUS", "_PENDING", "_VERSIONS")


@dataclass(frozen=True, slots=True)
class Variable:
    """One of the twelve: never its value. `problem` and `fix` as the rules say; `note` where none is set."""

    name: str
    length: int
    secret: bool
    rule: str
    problem: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Served:
    """What `/api/readyz?verbose` says of a service; `problem` when it says nothing."""

    status: int = 0
    environment: str = ""
    release: str = ""
    configuration: str = ""
    migration: str = ""
    postgres: str = ""
    failing: Sequence[str] = ()
    problem: str = ""


def variables(found: Sequence[Variable], others: Sequence[str]) -> Finding:
    """`others`: what is wrong with settings beside the twelve."""
    wrong = [f"{one.name} {one.problem}" for one in found if one.problem] + list(others)
    fix = next((one.fix for one in found if one.problem), "")
    given = sum(1 for one in found if one.length)
    good = f"{given} of {len(found)} set, all as their rules ask"
    parts = [
        Part(
            one.name,
            State.FAIL if one.problem else State.PASS,
            one.rule,
            one.problem or (f"{one.length} characters" if one.length else "not set, and not needed here"),
            one.fix,
        )
        for one in found
    ]
    judged = verdict(wrong, good)
    return Finding(judged.state, judged.observed, fix=fix, parts=parts)


def served(production: Served, release: str, configuration: str) -> Finding:
    if production.problem:
        return Finding(State.ERROR, production.problem)
    wrong: list[str] = []
    if production.environment != "production":
        wrong.append(f"it says that it is {production.environment or 'nothing'}")
    if production.release != release:
        wrong.append(f"it serves release {production.release}, this run reads {release}")
    if production.configuration != configuration:
        wrong.append("it serves with another configuration than this run reads")
    return verdict(wrong, f"release {release}, configuration {configuration}")


def staging(
    production: Served,
    staging: Served,
    production_names: Collection[str],
    staging_names: Collection[str],
    may_miss: Collection[str],
) -> Finding:
    """`may_miss`: what staging must not have, because it reaches no people."""
    for name, one in (("production", production), ("staging", staging)):
        if one.problem:
            return Finding(State.ERROR, f"{name}: {one.problem}")
    wrong = [
        f"{what}: production {ours or 'unknown'}, staging {theirs or 'unknown'}"
        for what, ours, theirs in (
            ("Postgres major", production.postgres, staging.postgres),
            ("migration head", production.migration, staging.migration),
            ("release family", family(production.release), family(staging.release)),
        )
        if not ours or ours != theirs
    ]
    ours, theirs = _settled(production_names), _settled(staging_names)
    missing = sorted(ours - theirs - set(may_miss))
    extra = sorted(theirs - ours)
    if missing:
        wrong.append(f"staging lacks {', '.join(missing)}")
    if extra:
        wrong.append(f"only staging has {', '.join(extra)}")
    good = (
        f"Postgres {production.postgres}, migrations at {production.migration}, release family "
        f"{family(production.release)}, {len(staging_names)} variables"
    )
    return verdict(wrong, good)


def _settled(names: Collection[str]) -> set[str]:
    """Without what stands beside a secret only while it is being replaced."""
    return {name for name in names if not name.endswith(_WHILE_ROTATING)}


def family(release: str) -> str:
    """`1.4.2` and `1.4.3-rc1` are of one family; anything that is no version is its own."""
    pieces = release.removeprefix("v").split(".")
    return ".".join(pieces[:2]) if len(pieces) >= 2 and pieces[0].isdigit() else release
