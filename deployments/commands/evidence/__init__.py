"""`firstuser evidence`: the ledger of what was proven, when, and by whom.

`evidence list`, `evidence show ID`, `evidence verify [FILE]`, `evidence export [FILE]`,
`evidence checkpoint`, `evidence key`, `evidence keys`, `evidence rotate-key`, `evidence retire-key ID`.
"""

import typer

from deployments.commands.evidence import exporting, keys, reading, verifying
from deployments.commands.evidence.shared import app

__all__ = ["exporting", "keys", "reading", "register", "verifying"]


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="evidence")
