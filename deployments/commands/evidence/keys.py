"""`firstuser evidence key | keys | rotate-key | retire-key`: the chain of keys that vouches for the rest.

A rotation can be killed at any line and started again: the next key waits in FIRSTUSER_EVIDENCE_KEY_PENDING
until the ledger knows it.
"""

import base64
import secrets
from typing import Annotated

import typer

from api import evidence_keys
from api.core.clock import system_clock
from api.core.errors import NotFound, Refused
from api.core.evidence import keyring, service
from api.core.evidence.chain import iso
from api.core.evidence.signing import SigningKey
from api.core.evidence.trust import INTRODUCED, RETIRED, STREAM
from api.providers.secret_stores.local import EnvFile
from api.settings import EvidenceSettings, named_file
from deployments.commands.evidence.shared import AsJson, app, out
from deployments.local.stack import open_service
from deployments.printing import print_json, table
from flows import wiring

KEY, PENDING = "FIRSTUSER_EVIDENCE_KEY", "FIRSTUSER_EVIDENCE_KEY_PENDING"


@app.command()
def key(as_json: AsJson = False) -> None:
    """The public half of the key that signs now, as PEM: give it to whoever verifies exports."""
    open_service()
    public = _current().public
    if as_json:
        print_json({"key_id": public.id, "public_key": public.raw.hex(), "pem": public.pem})
    else:
        out.print(public.pem.strip())


@app.command("keys")
def list_keys(as_json: AsJson = False) -> None:
    """Every key that the ledger knows, in the order in which they came."""
    open_service()
    with wiring.transaction() as session:
        found = service.records(session, STREAM)
    retired = {
        str(record.body["key_id"]): iso(record.recorded_at) for record in found if record.kind == RETIRED
    }
    known = [
        {
            "key_id": str(record.body["key_id"]),
            "public_key": str(record.body["public_key"]),
            "introduced_at": iso(record.recorded_at),
            "endorsed_by": str(record.key_id),
            "retired_at": retired.get(str(record.body["key_id"]), ""),
        }
        for record in found
        if record.kind == INTRODUCED
    ]
    if as_json:
        print_json({"keys": known})
        return
    columns = ("key", "introduced (UTC)", "endorsed by", "retired (UTC)")
    rows = [
        (one["key_id"], one["introduced_at"][:19], _by(one), one["retired_at"][:19] or "–") for one in known
    ]
    out.print(table(columns, rows) if rows else "Nothing is signed yet.")


def _by(one: dict[str, str]) -> str:
    return "itself" if one["endorsed_by"] == one["key_id"] else one["endorsed_by"]


@app.command("rotate-key")
def rotate_key(
    lost: Annotated[
        bool, typer.Option("--lost", help="The current key is lost: the next one begins the chain anew.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Sign with a new key from now on, which the current one endorses. Retire that when all have the new."""
    open_service()
    file = named_file()
    if file is None:
        raise Refused("The settings come from no file.", fix="Set FIRSTUSER_ENV_FILE to the one to write.")
    store = EnvFile(file)
    pending = _pending(store, EvidenceSettings.read(file))
    with wiring.transaction() as session:
        before = evidence_keys.read(EvidenceSettings.read(file))
        if lost or before is None:
            keyring.start_anew(session, pending, system_clock())
        elif before.id != pending.id:
            keyring.endorse(session, pending, before, system_clock())
    store.set({KEY: store.get([PENDING])[PENDING], PENDING: None})
    document = {
        "key_id": pending.id,
        "public_key": pending.public.raw.hex(),
        "before": before.id if before else None,
    }
    if as_json:
        print_json(document)
        return
    out.print(f"Evidence is signed with key {pending.id}. Hand out its public half: firstuser evidence key")
    if before and not lost:
        out.print(f"When everything runs with it: firstuser evidence retire-key {before.id}")


@app.command("retire-key")
def retire_key(key_id: str, as_json: AsJson = False) -> None:
    """What this key signs from now on is a fault. What it signed before stays good."""
    open_service()
    with wiring.transaction() as session:
        fresh = keyring.retire(session, key_id, _current(), system_clock())
    if as_json:
        print_json({"key_id": key_id, "retired_now": fresh})
    else:
        out.print(f"Key {key_id} {'is retired' if fresh else 'was retired before'}.")


def _pending(store: EnvFile, settings: EvidenceSettings) -> SigningKey:
    """The next key: the one that waits, or a new one that is on disk before anything knows of it."""
    given = settings.key_pending.get_secret_value() if settings.key_pending else ""
    if not given:
        given = base64.b64encode(secrets.token_bytes(32)).decode()
        store.set({PENDING: given})
    return SigningKey.read(given)


def _current() -> SigningKey:
    found = evidence_keys.read(wiring.settings().evidence)
    if found is None:
        raise NotFound(
            "There is no evidence key.", fix=f"Set {KEY} to the output of `openssl rand -base64 32`."
        )
    return found
