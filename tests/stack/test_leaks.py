"""No secret of the stack is anywhere but in its place: databases, logs, artifacts, files, processes.

A drill, a re-encryption and a founder's rotations come first, so that there is something to find."""

import base64
import json
import re
import stat
import subprocess
import sys
import time
from dataclasses import dataclass

import httpx
import pytest

from api.db.address import login_of
from tests.stack.conftest import StackUnderTest
from tests.stack.drills import archive_up_to_now, query, signed_in
from tests.stack.leaks import SETTLED_S, Leak, forms, leaks, secret_files, secrets_of, watching

pytestmark = [pytest.mark.stack, pytest.mark.xdist_group("stack"), pytest.mark.timeout(600)]

PLANTED = "pLanted-9vK2xQ7mTz4Rb8Yw-s3cret"


@dataclass(frozen=True)
class Used:
    """`secrets`: all that are on file, and those that were handed out once. `seen`: see `watching`."""

    secrets: dict[str, str]
    seen: set[str]


@pytest.fixture(scope="module")
def used(stack: StackUnderTest) -> Used:
    with watching(stack) as seen:
        return Used(use(stack), seen)


def use(stack: StackUnderTest) -> dict[str, str]:
    before = secrets_of(stack)
    archive_up_to_now(stack)
    old_login = login_of(stack.settings().platform.database_url.get_secret_value())[1]
    leaked = ("DATABASE_URL", "--incident", "--reason", "a leak that is looked for", "--yes")
    assert [one["state"] for one in stack.json("rotate", "run", *leaked)["rotations"]] == ["done"]
    words = ("--checks", "canary,login,integration_setup", "--json")  # from a backup of before the rotation
    drilled = json.loads(stack.firstuser("drill", *words, check=False).stdout)
    assert {"login": "pass"}.items() <= {one["name"]: one["status"] for one in drilled["checks"]}.items()
    stack.firstuser("reencrypt", "--json")
    with signed_in(stack) as founder:
        owned = integrations(stack)
        handed_out = rotations(founder, owned[0])
        handed_out |= rotated(stack, owned[0])
        cookies = {f"cookie {name}": value for name, value in founder.cookies.items() if len(value) > 16}
    refuse(stack, handed_out)
    ended = {"login before": old_login} if old_login else {}
    return before | secrets_of(stack) | handed_out | cookies | ended


def integrations(stack: StackUnderTest) -> list[str]:
    owned = "select i.id from integrations i join spaces s on s.id = i.space_id where s.slug = 'firstuser'"
    return [row[0] for row in query(stack, f"{owned} order by i.created_at")]


def rotations(founder: httpx.Client, integration_id: str) -> dict[str, str]:
    base = f"/api/founder/v1/integrations/{integration_id}"
    found: dict[str, str] = {}
    for what in ("keys", "secrets"):
        asked = {"grace_seconds": 0, "force": True}
        answer = founder.post(
            f"{base}/{what}/rotate", json=asked, headers={"Idempotency-Key": f"leaks-{what}"}
        )
        assert answer.status_code == 201, answer.text
        said = answer.json()
        found[f"rotated {what}"] = said["key" if what == "keys" else "secret"]
    return found


def rotated(stack: StackUnderTest, integration_id: str) -> dict[str, str]:
    """By the command, as a flow's run does it too: shown once, on its own terminal."""
    words = ("rotate", "run", f"api_key:{integration_id}", "--grace", "0", "--force", "--show", "--yes")
    shown = stack.firstuser(*words, check=False).stdout
    return {f"rotated by command {at}": key for at, key in enumerate(re.findall(r"fu_live_\S+", shown))}


def refuse(stack: StackUnderTest, handed_out: dict[str, str]) -> None:
    """Wrong ways with a secret, each of which ends in an error or a log line."""
    url = stack.ports.url("api")
    for value in [*handed_out.values(), *secrets_of(stack).values()][:12]:
        bearer = {"Authorization": f"Bearer {value}x"}
        for path in ("/api/integration/v1/heartbeat", "/api/integration/v1/waitlist/start"):
            httpx.post(f"{url}{path}", headers=bearer, json={"users": [{"n": value}]}, trust_env=False)
        httpx.post(f"{url}/auth/otp/verify", json={"code": value}, headers={"Origin": url}, trust_env=False)
        httpx.get(f"{url}/app", cookies={"session": value}, trust_env=False)


def test_there_is_enough_to_look_for(used: Used) -> None:
    names = " ".join(used.secrets)
    for part in (
        "SESSION_SECRET",
        "FIRSTUSER_DATA_KEY",
        "pgpass",
        "prefect login",
        "partner_keys",
        "rotated keys",
        "production:DATABASE_URL",
    ):
        assert part in names
    assert len(used.secrets) >= 15
    assert any("flow_run" in one or "flow-run" in one for one in used.seen)


def test_no_secret_is_anywhere_but_in_its_place(stack: StackUnderTest, used: Used) -> None:
    assert leaks(stack, used.secrets, used.seen) == []


def test_the_places_of_secrets_are_for_their_owner_only(stack: StackUnderTest) -> None:
    for place in secret_files(stack):
        inside = [place, *place.rglob("*")]
        assert [path for path in inside if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


def test_what_is_planted_is_found_wherever_it_lies(stack: StackUnderTest) -> None:
    """The negative control: each place, each form."""
    planted = forms(PLANTED)
    log = stack.state.logs / "planted.log"
    log.write_bytes(b"noise " + base64.b64encode(b"xy" + PLANTED.encode()) + b" noise")
    query(stack, "create table planted (said bytea, told jsonb)")
    query(
        stack, "insert into planted values (%s, jsonb_build_object('k', %s::text))", PLANTED.encode(), PLANTED
    )
    command = [sys.executable, "-c", "import time; time.sleep(60)", PLANTED]
    process = subprocess.Popen(command, env=stack.environment | {"PLANTED": planted["hex"].decode()})
    time.sleep(SETTLED_S)
    try:
        found = leaks(stack, {"planted": PLANTED})
    finally:
        process.kill()
        process.wait()
        log.unlink()
        query(stack, "drop table planted")
    places = {leak.where.partition(" of ")[0]: set[str]() for leak in found}
    for leak in found:
        places[leak.where.partition(" of ")[0]].add(leak.form.partition("+")[0])
    assert "base64" in places[str(log)]
    assert {"plain", "hex"} <= places["firstuser.public.planted"]
    assert "plain" in places["command lines"]
    assert "hex" in places["environment"]
    assert all(isinstance(leak, Leak) and PLANTED not in str(leak) for leak in found)
