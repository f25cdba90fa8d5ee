"""What the commands of the ledger have in common."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.core.errors import NotFound

NOT_GOOD = 1
WIDE = 160  # columns where nobody's terminal sets the width

app = typer.Typer(help="The evidence ledger: read, verify, export; its signing keys.", no_args_is_help=True)
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, soft_wrap=True, highlight=False)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]


def read_text(path: Path) -> str:
    """As it is, line ends and all. Raises `NotFound`."""
    try:
        return path.read_bytes().decode(errors="surrogateescape")
    except OSError:
        raise NotFound(f"{path} cannot be read.", fix="Name a file that an export was written to.") from None
