"""`incidents override`, `act`, `resume`: what people decide, named and kept."""

from datetime import timedelta
from typing import Annotated

import typer

from api.core.clock import system_clock
from api.core.errors import FirstUserError
from api.core.incidents import service
from api.core.incidents.decisions import Mode, RuleName
from deployments.commands.incidents.reading import Incident
from deployments.commands.incidents.shared import AsJson, By, Reason, out
from deployments.local.stack import open_service
from deployments.printing import print_json
from flows import watching, wiring


def override(
    rule: RuleName,
    mode: Mode,
    by: By,
    reason: Reason,
    minutes: Annotated[float, typer.Option(help="How long it holds; a week at most")] = 60,
    as_json: AsJson = False,
) -> None:
    """What a trip of the rule does for a while: dry-run, recommend or auto."""
    open_service()
    wall = system_clock()
    with wiring.transaction() as session:
        override_id = service.override(
            session,
            rule,
            mode,
            actor=by,
            reason=reason,
            length=timedelta(minutes=minutes),
            now=watching.pace().at(wall),
            wall=wall,
        )
    if as_json:
        print_json({"id": override_id, "rule": rule.value, "mode": mode.value})
    else:
        out.print(f"{rule.value} is {mode.value} for {minutes:g} minutes.")


def act(incident: Incident, by: By, as_json: AsJson = False) -> None:
    """Do what was recommended, or failed. Exit code 3 when nothing waits."""
    open_service()
    wall = system_clock()
    with wiring.transaction() as session:
        count = service.confirm(session, incident, actor=by, now=watching.pace().at(wall), wall=wall)
    done = watching.acting().act()
    if as_json:
        print_json({"id": incident, "confirmed": count, "done": done})
    else:
        out.print(
            f"{done} actions done. `firstuser incidents show {incident}` tells when their effect is seen."
        )


def resume(incident: Incident, by: By, reason: Reason, as_json: AsJson = False) -> None:
    """Take back what was done and end the incident. Nothing else does that."""
    open_service()
    with wiring.transaction() as session:
        to_undo = service.to_undo(session, incident)
    undone = [said for one in to_undo if (said := _undo(one, by, f"{incident}: {reason}"))]
    wall = system_clock()
    with wiring.transaction() as session:
        service.resolve(
            session,
            incident,
            actor=by,
            reason=reason,
            undone=undone,
            env=wiring.settings().service.env,
            now=watching.pace().at(wall),
            wall=wall,
        )
    if as_json:
        print_json({"id": incident, "undone": undone})
    else:
        out.print(f"{incident} is resolved. Taken back: {', '.join(undone) or 'nothing'}.")


def _undo(one: service.ToUndo, by: str, reason: str) -> str:
    try:
        return watching.acting().responses[one.kind].undo(one.target, by, reason)
    except FirstUserError as error:
        out.print(f"{one.kind.value} {one.target} is not taken back: {error.message}")
        raise
