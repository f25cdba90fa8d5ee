"""What `pg_controldata` says about a data directory: identity, timeline, and the limits it ran with."""

from pathlib import Path

from api.providers.databases.embedded.account import OsAccount
from api.providers.databases.embedded.binaries import Binaries
from api.providers.databases.embedded.processes import run


def control_data(data: Path, binaries: Binaries, account: OsAccount) -> dict[str, str]:
    """Label → value, as printed."""
    output = run([binaries.program("pg_controldata"), str(data)], account, operation="read control data")
    pairs = (line.partition(":") for line in output.splitlines())
    return {label.strip(): value.strip() for label, _, value in pairs}
