"""`incidents watch`: one look now, as the flow takes every minute; or one every few seconds."""

import sys
import time
from contextlib import redirect_stdout
from typing import Annotated

import typer

from deployments.commands.incidents.shared import AsJson, out
from deployments.local.stack import open_service
from deployments.printing import print_json
from flows import watching


def watch(
    every: Annotated[float, typer.Option(min=0, help="Go on, with a look each so many seconds")] = 0,
    as_json: AsJson = False,
) -> None:
    """Judge the newest closed minute, act as the modes say, look for effects. Safe beside any other."""
    open_service()
    while True:
        with redirect_stdout(sys.stderr):  # what it logs is no part of the answer
            found = watching.watch()
        if as_json:
            seen = {"now": found.now.isoformat(), "opened": found.opened}
            print_json(seen | {"acted": found.acted, "seen": found.seen})
        else:
            opened = f" Opened: {', '.join(found.opened)}." if found.opened else ""
            out.print(f"{found.now:%H:%M:%S}: {found.acted} done, {found.seen} seen.{opened}")
        if not every:
            return
        time.sleep(every)
