"""A day on which everything goes wrong, on a scratch stack whose incident clock runs faster than the wall's.

    a deploy whose database role may not use access codes   R1 → onboarding paused, rolled back, seen to help
    two partners' endpoints die                             R3 → retries paused, nothing claimed any more
    Postgres is stopped                                     R2 → judged once it is back, the owner called

Everything is real but the pace: the API answers 500 because PostgreSQL refuses, the hosting provider deploys
the release before, the dispatcher gets no connection. Three days of retries are skipped: deliveries are at
their last attempt.
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
from psycopg import sql

from api.core.ids import new_id
from api.providers.hosting.local import LocalHosting
from api.providers.hosting.supervisor import Supervisor
from api.settings import Settings, load
from deployments.local.layout import write_private
from deployments.local.seed import partner_keys_file
from deployments.stage import Stage

RATE = 10
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
        self.say(f"The stack; a minute of the incident watch takes {60 / RATE:g} s")
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
            self._bad_deploy()
            self._dead_endpoints(partners.ids[:2])
            self._no_database()
            self._resume()
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        return self.proofs

    def _watch(self, stop: threading.Event) -> None:
        """A second evaluator beside Prefect's minutely one."""
        while not stop.wait(1.5):
            self.stage.firstuser("incidents", "watch", quiet=True)

    def _bad_deploy(self) -> None:
        self._minutes(7)
        self.say("A deploy: its database role may not use access codes; every exchange answers 500")
        url = self._role_without_codes()
        hosting = LocalHosting.from_settings(self._settings())
        bad = hosting.deploy("production", "2.0", {"DATABASE_URL": url})
        found = self._until("R1", "", 40, lambda one: _states(one) <= {"observed"})
        actions = {action["kind"] for action in found["actions"]} if found else set[str]()
        self._prove("R1 trips after its hold", _held(found), _said(found))
        self._prove(
            "the cause is the deploy, which is rolled back", "roll back" in actions, str(sorted(actions))
        )
        served = hosting.served("production")
        self._prove(
            "the release before is live and green",
            served.healthy and served.deploy_id != bad,
            served.deploy_id,
        )
        self._prove(
            "every effect was observed", bool(found) and _states(found) == {"observed"}, str(_states(found))
        )
        self._minutes(12)
        helped = self._incident(found)
        self._prove(
            "ten minutes later it is said to have helped",
            helped.get("helped") is True,
            str(helped.get("helped")),
        )

    def _dead_endpoints(self, partners: list[str]) -> None:
        self.say("Two partners' endpoints die; six deliveries are at their last attempt")
        hosts = ("127.0.0.1", "localhost")
        with psycopg.connect(self.stage.admin_url) as production:
            for partner, host in zip(partners, hosts, strict=True):
                for statement in _LAST_ATTEMPTS:
                    production.execute(statement, {"id": partner, "url": f"http://{host}:{DEAD_PORT}/"})
        found = self._until("R3", "", 40, lambda one: _states(one) == {"observed"})
        actions = {action["kind"] for action in found["actions"]} if found else set[str]()
        self._prove("R3 trips: two integrations, two hosts", bool(found), _said(found))
        self._prove(
            "retries are paused, and nothing is claimed any more",
            "pause webhook retries" in actions and _states(found) == {"observed"},
            str(_states(found)),
        )

    def _no_database(self) -> None:
        self.say("Postgres is stopped for three minutes of the watch's")
        supervisor = Supervisor(self.stage.state.root)
        supervisor.start("watcher")
        self._minutes(2)
        supervisor.stop("postgres")
        sleep(200 / RATE)
        supervisor.start("postgres")
        found = self._until("R2", "", 90, lambda one: _states(one) == {"observed"})
        self._prove("R2 is judged once the database is back", bool(found), _said(found))
        self._prove(
            "the incident owner was called, and a channel took it",
            bool(found)
            and "page incident owner" in {a["kind"] for a in found["actions"]}
            and _states(found) == {"observed"},
            str(_states(found)),
        )

    def _resume(self) -> None:
        told = {one["rule"] for one in self._alerts()}
        self._prove(
            "the incidents' alerts arrived",
            "incident_tripped" in told
            and all(one["receipt"] for one in self._alerts() if one["rule"] == "incident_tripped"),
            str(sorted(told)),
        )
        self.say("Fifteen clean minutes; then a person resumes")
        self._minutes(17)
        proposed = [one["id"] for one in self._incidents() if one["proposed_at"]]
        self._prove(
            "resuming is proposed, and nothing resumed by itself",
            bool(proposed) and all(one["resolved_at"] is None for one in self._incidents()),
            str(proposed),
        )
        for one in self._incidents():
            self.stage.firstuser(
                "incidents", "resume", one["id"], "--by", "Chaos", "--reason", "the day is over", quiet=True
            )
        left = [one["rule"] for one in self._alerts() if one["rule"].startswith("incident_tripped")]
        self._prove(
            "a person's word resolves incidents and their alerts",
            not left and all(one["resolved_at"] for one in self._incidents()),
            str(left),
        )
        flags = json.loads(self.stage.must("flags", "list", "--json"))["flags"]
        tripped = [one["key"] for one in flags if one["changed_by"] == "incident watch"]
        self._prove("what was switched is switched back", not tripped, str(tripped))
        ledger = self.stage.firstuser("evidence", "verify", quiet=True)
        self._prove(
            "the evidence ledger verifies",
            ledger.returncode == 0,
            ledger.stdout.strip().splitlines()[-1] if ledger.stdout else "",
        )

    def _minutes(self, number: float) -> None:
        sleep(number * 60 / RATE)

    def _until(
        self, rule: str, scope: str, minutes: float, done: Callable[[dict[str, Any]], bool]
    ) -> dict[str, Any]:
        """The incident once it is as wanted, or as it is when time is up; {} without one."""
        deadline, found = monotonic() + minutes * 60 / RATE, dict[str, Any]()
        while monotonic() < deadline:
            found = next(
                (one for one in self._incidents() if (one["rule"], one["scope"]) == (rule, scope)), {}
            )
            if found and done(found):
                return found
            sleep(1)
        return found

    def _incidents(self) -> list[dict[str, Any]]:
        answer = self.stage.firstuser("incidents", "list", "--json", quiet=True)
        return json.loads(answer.stdout)["incidents"] if answer.returncode == 0 else []

    def _incident(self, found: dict[str, Any]) -> dict[str, Any]:
        return next((one for one in self._incidents() if found and one["id"] == found["id"]), {})

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
        own = self._settings().platform.database_url.get_secret_value()
        return own.replace("firstuser_app@", f"{BROKEN_ROLE}@")

    def _settings(self) -> Settings:
        return load(self.stage.state.env_file("production"))

    def _prove(self, claim: str, true: bool, seen: str) -> None:
        self.proofs.append(Proof(claim, true, seen))
        self.say(f"  {'✓' if true else '✗'} {claim}: {seen}")


class _Partners:
    """Two partners that exchange access codes, at an even pace, whatever the answer is."""

    def __init__(self, stage: Stage, base_url: str) -> None:
        settings = load(stage.state.env_file("production"))
        known: dict[str, str] = json.loads(partner_keys_file(settings).read_text())
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


def _held(found: dict[str, Any]) -> bool:
    """Ten minutes of breach, by the watch's clock."""
    if not found:
        return False
    since, tripped = (datetime.fromisoformat(found[key]) for key in ("since", "tripped_at"))
    return tripped - since >= timedelta(minutes=10)


def _said(found: dict[str, Any]) -> str:
    if not found:
        return "no incident"
    since, tripped = found["since"][11:16], found["tripped_at"][11:16]
    return f"{found['id']}, first bad {since}, trip {tripped}, {found['cause']}"
