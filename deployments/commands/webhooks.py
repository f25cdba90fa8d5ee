"""`firstuser webhooks sign | verify`: what to look at when a partner says "no matching signature".

The body is read from stdin, byte for byte. Exit code of `verify`: 0 genuine, 1 not, with the reason.
"""

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from api.core.errors import Refused
from api.core.webhooks import signing
from api.core.webhooks.signing import ID, SIGNATURE, TIMESTAMP, Verdict

NOT_GOOD = 1

commands = typer.Typer(help="Sign webhooks, and check the signatures of others.", no_args_is_help=True)
out = Console(soft_wrap=True, highlight=False, markup=False)
Secret = Annotated[list[str], typer.Option(help="whsec_…; several times for several secrets")]
MessageId = Annotated[str, typer.Option("--id", help="webhook-id")]
Timestamp = Annotated[str, typer.Option(help="webhook-timestamp, seconds since 1970")]


def register(root: typer.Typer) -> None:
    root.add_typer(commands, name="webhooks")


@commands.command()
def sign(secret: Secret, message_id: MessageId, timestamp: Timestamp) -> None:
    """Print the webhook-signature of the body on stdin."""
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise Refused("The timestamp is not a number of seconds since 1970.", fix="Ask `date +%s` for one.")
    out.print(signing.sign(secret, message_id, timestamp, sys.stdin.buffer.read()))


@commands.command()
def verify(
    secret: Secret,
    message_id: MessageId,
    timestamp: Timestamp,
    signature: Annotated[str, typer.Option(help="webhook-signature")],
    now: Annotated[
        int | None, typer.Option(help="Seconds since 1970, not the clock", min=0, max=2**35)
    ] = None,
) -> None:
    """Say whether the signature vouches for the body on stdin."""
    at = datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)
    sent = {ID: message_id, TIMESTAMP: timestamp, SIGNATURE: signature}
    try:
        verdict = signing.verify(secret, sent, sys.stdin.buffer.read(), at)
    except Refused as refused:
        out.print(str(refused))
        raise typer.Exit(NOT_GOOD) from None
    out.print(verdict.value)
    if verdict is not Verdict.GENUINE:
        raise typer.Exit(NOT_GOOD)
