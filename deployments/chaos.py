"""A day on which everything goes wrong, on a scratch stack whose incident clock runs faster than the wall's.

    a deploy whose database role may not use access codes   R1 → onboarding paused, rolled back, seen to help
    two partners' endpoints die                             R3 → retries paused, nothing claimed any more
    Postgres is stopped                                     R2 → judged once it is back, the owner called

Everything is real but the pace: the API answers 500 because PostgreSQL refuses, the hosting provider deploys
the release before, the dispatcher gets no connection. One clock is faster, that of the incident watch: it
dates the API's minute buckets and the watcher's probes, and by it holds, cool-downs and clean minutes are
counted (`api.core.incidents.pace`). Requests, deploys, alerts and evidence go by the wall's. Three days of
retries are skipped: deliveries are at their last attempt. While R1's action waits for its verification, ten
minutes after it, the endpoints die.
"""

import hashlib
import json
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic, sleep
from typing import Any

import httpx
import psycopg
from dotenv import dotenv_values
from psycopg import sql
from rich.markup import escape

from api.core.ids import new_id
from api.db.address import with_login
from api.providers.hosting.supervisor import Supervisor
from deployments.local.layout import write_private
from deployments.stage import Stage

RATE = 15
"""Minutes of the watch's in four seconds. A probe's hole may last 30 s of them: two of the wall's."""

_LAST_ATTEMPTS = (
    "update integrations set webhook_url = %(url)s where id = %(id)s",
    "delete from webhook_deliveries as d using webhook_endpoints as e"
    " where e.id = d.endpoint_id and e.integration_id = %(id)s",
    "update webhook_endpoints set failures = 0, failing_since = null, not_before = null"
    " where integration_id = %(id)s",
    "with m as (insert into webhook_messages (integration_id, type, body)"
    " select %(id)s, 'webhook.test', '{}'::bytea from generate_series(1, 3) returning id)"
    " insert into webhook_deliveries (message_id, endpoint_id, attempts, next_attempt_at)"
    " select m.id, e.id, 9, now() from m"
    " join webhook_endpoints as e on e.integration_id = %(id)s and e.registered",
)
"""What waited for the endpoint before is set aside: the six are to be the first that its new address gets."""

_SCHEMAS = "public, ops, webhook_days"
_RIGHTS = (
    "grant connect on database firstuser to {role}",
    f"grant usage on schema {_SCHEMAS} to {{role}}",
    f"grant select, insert, update, delete on all tables in schema {_SCHEMAS} to {{role}}",
    f"grant usage, select on all sequences in schema {_SCHEMAS} to {{role}}",
    "revoke update on access_codes from {role}",
)
"""All that the API may do, but one thing."""

PER_SECOND = 6.0
GOOD_MINUTES = 4
PATIENCE_S = 120
BROKEN_ROLE = "firstuser_release_2"
DEAD_PORT = 9
_EXCHANGE = "/api/integration/v1/access/exchange"
Say = Callable[[str], None]


def settings() -> dict[str, str]:
    """Of the stack that the day is lived through on. Its clock runs faster from now on."""
    return {
        "FIRSTUSER_INCIDENT_MODE": "auto",
        "FIRSTUSER_INCIDENT_CLOCK_RATE": str(RATE),
        "FIRSTUSER_INCIDENT_CLOCK_ORIGIN": datetime.now(UTC).isoformat(),
        "FIRSTUSER_WATCHER_INTERVAL_SECONDS": "0.5",
    }


@dataclass(frozen=True, slots=True)
class Proof:
    """One thing that has to be true, and what was seen."""

    claim: str
    true: bool
    seen: str


@dataclass(slots=True)
class Day:
    """What happens goes through `say`; what is claimed is collected in `proofs`."""

    stage: Stage
    say: Say
    proofs: list[Proof] = field(default_factory=list[Proof])
    base_url: str = ""

    def live_through(self) -> list[Proof]:
        self.say(f"[bold]1  The stack[/]; the clock of the incident watch runs {RATE} times as fast:")
        self.say(f"   a minute of its buckets, holds and cool-downs takes {60 / RATE:g} s")
        self.base_url = json.loads(self.stage.must("up", "--json"))["addresses"]["api"]
        # at this pace the restart of a deploy would look like an outage: R2 has its turn later
        Supervisor(self.stage.state.root).stop("watcher")
        partners = _Partners(self.stage, self.base_url)
        stop = threading.Event()
        threads = [
            threading.Thread(target=partners.exchange, args=(stop,)),
            threading.Thread(target=self._watch, args=(stop,)),
        ]
        for thread in threads:
            thread.start()
        try:
            bad = self._bad_deploy()
            self._dead_endpoints(partners.ids[:2])
            self._helped(bad)
            self._no_database()
            self._resume()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        return self.proofs

    def _watch(self, stop: threading.Event) -> None:
        """A second evaluator beside Prefect's minutely one."""
        while not stop.wait(1):
            self.stage.firstuser("incidents", "watch", quiet=True)

    def _bad_deploy(self) -> dict[str, Any]:
        self._minutes(GOOD_MINUTES)
        self.say("[bold]2  A deploy[/] whose database role may not use access codes: exchanges answer 500")
        change = f"DATABASE_URL={self._role_without_codes()}"
        asked = ("release", "deploy", "production", "2.0", "--set", change, "--by", "Chaos")
        made = self.stage.must(*asked, "--timeout", str(2 * PATIENCE_S), "--json")
        bad = json.loads(made)["deploy"]
        found = self._until("R1", 40, lambda one: _states(one) == {"observed"})
        self._prove("R1 trips after ten minutes of breach", _held(found), _said(found))
        kinds = _kinds(found)
        self._prove("its cause is the deploy: rolled back", "roll back" in kinds, ", ".join(sorted(kinds)))
        served = self._served()
        good = served["status"] == "ok" and served["deploy_id"] != bad and served["release"] != "2.0"
        self._prove("the release before is live and green", good, f"{served['release']} instead of 2.0")
        self._prove("every effect was observed", _states(found) == {"observed"}, _effects(found))
        return found

    def _dead_endpoints(self, partners: list[str]) -> None:
        self.say("[bold]3  Two partners' endpoints die[/]; six deliveries are at their last attempt")
        hosts = ("127.0.0.1", "localhost")
        with psycopg.connect(self.stage.admin_url) as production:
            for partner, host in zip(partners, hosts, strict=True):
                for statement in _LAST_ATTEMPTS:
                    production.execute(statement, {"id": partner, "url": f"http://{host}:{DEAD_PORT}/"})
        found = self._until("R3", 40, lambda one: _states(one) == {"observed"})
        self._prove("R3 trips: two integrations, two hosts", bool(found), _said(found))
        paused = "pause webhook retries" in _kinds(found) and _states(found) == {"observed"}
        self._prove("retries are paused, nothing is claimed any more", paused, _effects(found))

    def _helped(self, bad: dict[str, Any]) -> None:
        """R1's action is looked at again ten minutes after it."""
        found = self._until("R1", 15, lambda one: one["helped"] is not None)
        helped, said = bool(bad) and found.get("helped") is True, _last(found, "verification")
        self._prove("ten minutes later the rollback is said to have helped", helped, said)

    def _no_database(self) -> None:
        self.say("[bold]4  Postgres is stopped[/] for three minutes of the watch's")
        supervisor = Supervisor(self.stage.state.root)
        supervisor.start("watcher")
        self._minutes(2)
        supervisor.stop("postgres")
        sleep(190 / RATE)
        supervisor.start("postgres")
        found = self._until("R2", 90, lambda one: bool(one["actions"]))
        self._prove("R2 trips, judged once the database is back", bool(found), _said(found))

    def _resume(self) -> None:
        self.say(f"[bold]5  Fifteen clean minutes[/] ({15 * 60 / RATE:g} s); then a person resumes")
        self._minutes(15)
        found = self._until("R2", 15, lambda one: _states(one) == {"observed"} and bool(one["proposed_at"]))
        called = "page incident owner" in _kinds(found) and _states(found) == {"observed"}
        self._prove("the incident owner is called, a channel took it", called, _effects(found))
        alerts = self._alerts()
        arrived = [one["receipt"] for one in alerts if one["rule"] == "incident_tripped"]
        told = ", ".join(sorted({one["rule"] for one in alerts}))
        self._prove("the incidents' alerts arrived", bool(arrived) and all(arrived), told)
        waiting = self._all_proposed()
        self._prove(
            "resuming is proposed; nothing resumed by itself", bool(waiting), f"{len(waiting)} incidents"
        )
        for one in waiting:
            words = ("--by", "Chaos", "--reason", "the day is over")
            self.stage.firstuser("incidents", "resume", one["id"], *words, quiet=True)
        self._resumed()

    def _all_proposed(self) -> list[dict[str, Any]]:
        """Every incident, once each waits for a person; else []."""
        deadline = monotonic() + PATIENCE_S
        while monotonic() < deadline:
            found = self._incidents()
            if found and all(one["proposed_at"] and not one["resolved_at"] for one in found):
                return found
            sleep(0.5)
        return []

    def _resumed(self) -> None:
        found = self._incidents()
        left = [one["rule"] for one in self._alerts() if one["rule"].startswith("incident_tripped")]
        over = not left and all(one["resolved_by"] == "Chaos" for one in found)
        self._prove("a person's word resolves incidents and their alerts", over, f"{len(left)} alerts open")
        flags = json.loads(self.stage.must("flags", "list", "--json"))["flags"]
        kept = [one["key"] for one in flags if one["changed_by"] == "incident watch"]
        self._prove("what was switched is switched back", not kept, ", ".join(kept) or "no switch is left")
        ledger = self.stage.firstuser("evidence", "verify", quiet=True)
        streams = ", ".join(line.lstrip("✓✗ ") for line in ledger.stdout.strip().splitlines())
        self._prove("the evidence ledger verifies", ledger.returncode == 0, streams)
        bad = next((one["id"] for one in found if (one["rule"], one["scope"]) == ("R1", "")), "")
        file = self.stage.state.root / "postmortem.md"
        self.stage.firstuser("incidents", "export", bad, "--file", str(file), quiet=True)
        self._prove("its postmortem is drafted", file.exists(), str(file))

    def _minutes(self, number: float) -> None:
        sleep(number * 60 / RATE)

    def _until(self, rule: str, minutes: float, done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The whole service's incident once it is as wanted, or as it is when time is up; {} without one.

        However long, two minutes of the wall's are waited for: a busy machine is no finding."""
        deadline, found = monotonic() + max(minutes * 60 / RATE, PATIENCE_S), dict[str, Any]()
        while monotonic() < deadline:
            found = next((one for one in self._incidents() if (one["rule"], one["scope"]) == (rule, "")), {})
            if found and done(found):
                return found
            sleep(0.5)
        return found

    def _incidents(self) -> list[dict[str, Any]]:
        answer = self.stage.firstuser("incidents", "list", "--json", quiet=True)
        return json.loads(answer.stdout)["incidents"] if answer.returncode == 0 else []

    def _served(self) -> dict[str, Any]:
        try:
            answer = httpx.get(f"{self.base_url}/api/readyz?verbose", timeout=5, trust_env=False)
            return answer.json()
        except (httpx.HTTPError, ValueError) as error:
            return {"status": type(error).__name__, "deploy_id": "", "release": ""}

    def _alerts(self) -> list[dict[str, Any]]:
        answer = self.stage.firstuser("alerts", "list", "--json", quiet=True)
        return json.loads(answer.stdout)["alerts"] if answer.returncode == 0 else []

    def _role_without_codes(self) -> str:
        password, role = secrets.token_urlsafe(24), sql.Identifier(BROKEN_ROLE)
        with psycopg.connect(self.stage.admin_url, autocommit=True) as production:
            production.execute(
                sql.SQL("create role {} login password {}").format(role, sql.Literal(password))
            )
            for statement in _RIGHTS:
                production.execute(sql.SQL(statement).format(role=role))
        passwords = self.stage.state.passwords
        write_private(passwords, f"{passwords.read_text().rstrip()}\n*:*:*:{BROKEN_ROLE}:{password}\n")
        own = str(dotenv_values(self.stage.state.env_file("production"))["DATABASE_URL"])
        return with_login(own, BROKEN_ROLE, "")

    def _prove(self, claim: str, true: bool, seen: str) -> None:
        self.proofs.append(Proof(claim, true, seen))
        self.say(f"   {'[green]✓[/]' if true else '[red]✗[/]'} {claim}  [dim]{escape(seen)}[/]")


class _Partners:
    """Two partners that exchange access codes, at an even pace, whatever the answer is."""

    def __init__(self, stage: Stage, base_url: str) -> None:
        known: dict[str, str] = json.loads((stage.state.secrets / "partner_keys.json").read_text())
        self._keys, self._base_url = dict(list(known.items())[:2]), base_url
        self.ids = list(self._keys)
        self._admin_url = stage.admin_url

    def exchange(self, stop: threading.Event) -> None:
        codes: list[tuple[str, str]] = []
        with httpx.Client(base_url=self._base_url, timeout=5, trust_env=False) as http:
            while not stop.wait(1 / PER_SECOND):
                try:
                    codes = codes or self._more()
                    partner, code = codes.pop()
                    bearer = {"Authorization": f"Bearer {self._keys[partner]}"}
                    http.post(_EXCHANGE, json={"code": code}, headers=bearer)
                except (httpx.HTTPError, psycopg.Error):
                    continue  # the API restarts, or the database is away: that is the day

    def _more(self) -> list[tuple[str, str]]:
        made: list[tuple[str, str]] = []
        with psycopg.connect(self._admin_url, autocommit=True) as production:
            for _ in range(30):
                for partner in self.ids:
                    code, entry = secrets.token_urlsafe(32), new_id("wle")
                    production.execute(
                        "insert into entries (id, space_id, integration_id, external_user_id, ordinal, rank,"
                        " referral_code, status) select %(e)s, space_id, id, %(e)s, 0, 0, %(e)s, 'accepted'"
                        " from integrations where id = %(i)s",
                        {"e": entry, "i": partner},
                    )
                    production.execute(
                        "insert into access_codes (code_sha256, entry_id, integration_id, expires_at)"
                        " values (%s, %s, %s, %s)",
                        (
                            hashlib.sha256(code.encode()).digest(),
                            entry,
                            partner,
                            datetime.now(UTC) + timedelta(minutes=30),
                        ),
                    )
                    made.append((partner, code))
        return made


def _states(found: dict[str, Any]) -> set[str]:
    return {action["state"] for action in found.get("actions", [])}


def _kinds(found: dict[str, Any]) -> set[str]:
    return {action["kind"] for action in found.get("actions", [])}


def _held(found: dict[str, Any]) -> bool:
    """Ten minutes of breach, by the watch's clock."""
    if not found:
        return False
    since, tripped = (datetime.fromisoformat(found[key]) for key in ("since", "tripped_at"))
    return tripped - since >= timedelta(minutes=10)


def _said(found: dict[str, Any]) -> str:
    if not found:
        return "no incident"
    since, tripped = (datetime.fromisoformat(found[key]) for key in ("since", "tripped_at"))
    minutes = (tripped - since) / timedelta(minutes=1)
    first, then = f"{since:%H:%M:%S}", f"{tripped:%H:%M:%S}, {minutes:.0f} min later"
    return f"first bad {first}, trip {then} on the watch's clock; it looks like {found['cause']}"


def _effects(found: dict[str, Any]) -> str:
    """What was seen of what was done, in the words of the incident's timeline."""
    said = [one["said"] for one in found.get("timeline", []) if one["kind"] == "effect"]
    return "".join(f"\n       {one}" for one in said) or "nothing"


def _last(found: dict[str, Any], kind: str) -> str:
    said = [one["said"] for one in found.get("timeline", []) if one["kind"] == kind]
    return said[-1] if said else "nothing was said"
