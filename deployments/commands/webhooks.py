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
from deployments.printing import print_json

NOT_GOOD = 1

commands = typer.Typer(help="Sign webhooks, and check the signatures of others.", no_args_is_help=True)
out = Console(soft_wrap=True, highlight=False, markup=False)
Secret = Annotated[list[str], typer.Option(help="whsec_…; several times for several secrets")]
MessageId = Annotated[str, typer.Option("--id", help="webhook-id")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else.")]
Timestamp = Annotated[str, typer.Option(help="webhook-timestamp, seconds since 1970")]


def register(root: typer.Typer) -> None:
    root.add_typer(commands, name="webhooks")


@commands.command()
def sign(secret: Secret, message_id: MessageId, timestamp: Timestamp, as_json: AsJson = False) -> None:
    """Print the webhook-signature of the body on stdin."""
    if not (timestamp.isascii() and timestamp.isdigit()):
        raise Refused("The timestamp is not a number of seconds since 1970.", fix="Ask `date +%s` for one.")
    made = signing.sign(secret, message_id, timestamp, sys.stdin.buffer.read())
    if as_json:
        print_json({"signature": made})
    else:
        out.print(made)


@commands.command()
def verify(
    secret: Secret,
    message_id: MessageId,
    timestamp: Timestamp,
    signature: Annotated[str, typer.Option(help="webhook-signature")],
    now: Annotated[
        int | None, typer.Option(help="Seconds since 1970, not the clock", min=0, max=2**35)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say whether the signature vouches for the body on stdin."""
    at = datetime.now(UTC) if now is None else datetime.fromtimestamp(now, UTC)
    sent = {ID: message_id, TIMESTAMP: timestamp, SIGNATURE: signature}
    try:
        verdict = signing.verify(secret, sent, sys.stdin.buffer.read(), at)
    except Refused as refused:
        _tell(str(refused), "refused", as_json)
        raise typer.Exit(NOT_GOOD) from None
    _tell(verdict.value, verdict.name.lower(), as_json)
    if verdict is not Verdict.GENUINE:
        raise typer.Exit(NOT_GOOD)


def _tell(said: str, verdict: str, as_json: bool) -> None:
    if as_json:
        print_json({"verdict": verdict, "said": said})
    else:
        out.print(said)
