"""How the commands show things: a table for people, one JSON document for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.table import Table


def table(columns: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> Table:
    made = Table(box=None, pad_edge=False)
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*row)
    return made


def print_json(document: Mapping[str, Any]) -> None:
    """Moments as ISO 8601."""
    sys.stdout.write(json.dumps(document, indent=2, default=datetime.isoformat) + "\n")
