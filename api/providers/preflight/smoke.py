"""The smoke test: what a partner does with FirstUser, from outside, and what must be refused to others."""

import json
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlencode

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from api.core.clock import system_clock
from api.core.errors import FirstUserError, Rejected
from api.core.ids import new_id
from api.core.preflight import smoke
from api.core.preflight.records import Finding, State
from api.core.preflight.runner import Look
from api.core.preflight.smoke import Credentials, Tenant
from api.providers.preflight.browsing import CameBack, local, visiting
from api.providers.preflight.partner import Partner, Pkce, code_of, must, refuses
from api.providers.preflight.receiver import Arrived, Receiver, receiving

SEEN_S, ARRIVES_S = 5.0, 25.0
STALE_S = 600
WRONG_KEY = ("invalid_api_key", "unauthenticated")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the test runs. `browser` is an executable, None for plain HTTP; `receiver_url` and
    `receiver_port` are for a production that is not on this machine."""

    base_url: str
    browser: str | None
    receiver_url: str = ""
    receiver_port: int = 0


def run(place: Place, tenant: Tenant) -> Finding:
    """The whole test; the tenant is empty afterwards, whatever happened."""
    here = local(place.base_url)
    with receiving(place.receiver_url, place.receiver_port, local=here) as receiver:
        try:
            with _ready(place, tenant, receiver) as steps:
                found = smoke.finding(steps.looks(), system_clock)
                return replace(found, observed=f"{found.observed}; visitors by {steps.visited_by}")
        finally:
            tenant.clear()


@contextmanager
def _ready(place: Place, tenant: Tenant, receiver: Receiver) -> Generator["Steps"]:
    credentials = tenant.prepare(receiver.origin, receiver.return_url, receiver.webhook_url)
    with Partner(place.base_url, credentials.api_key) as partner:
        yield Steps(place, tenant, receiver, credentials, partner)


@dataclass(frozen=True, slots=True)
class Guest:
    """A user of the partner's on their way: who, by which entry, with which verifier."""

    name: str
    entry_id: str
    pkce: Pkce
    url: str
    state: str


class Steps:
    def __init__(
        self, place: Place, tenant: Tenant, receiver: Receiver, credentials: Credentials, partner: Partner
    ) -> None:
        self._place, self._tenant, self._receiver = place, tenant, receiver
        self._given, self._partner = credentials, partner
        self._run = new_id("smoke")
        self._guests: dict[str, Guest] = {}
        self._codes: dict[str, CameBack] = {}

    @property
    def visited_by(self) -> str:
        """The browser, or why there was none."""
        return next((one.by for one in self._codes.values()), "nobody, as far as it came")

    def looks(self) -> Mapping[str, Look]:
        steps: Mapping[str, Look] = {
            "tenant": self.tenant,
            "redirect": self.redirect,
            "embedded": self.embedded,
            "exchange": self.exchange,
            "heartbeat": self.heartbeat,
            "widget": self.widget,
            "webhook": self.webhook,
        }
        return {name: partial(_judged, step) for name, step in steps.items()}

    def tenant(self) -> Finding:
        me = must(self._partner.call("GET", "/me"))
        if me["id"] != self._given.integration_id:
            raise _wrong("the key is another integration's")
        secret = self._given.api_key[:-4] + ("aaaa" if not self._given.api_key.endswith("aaaa") else "bbbb")
        no = [refuses(self._partner.call("GET", "/me", key=secret), "a wrong key", WRONG_KEY)]
        return _fine("the API knows the tenant by its key", no)

    def redirect(self) -> Finding:
        """Off to the waiting list and back, in the visitor's own browser."""
        body = self._start_body("redirect", return_url=self._receiver.return_url)
        elsewhere = {**body[1], "return_url": "https://elsewhere.example/back"}
        no = [
            refuses(self._start(elsewhere), "an address that is not registered", ("return_url_not_allowed",))
        ]
        guest = self._begin("redirect", *body)
        with self._visitor() as visitor:
            self._expect_waiting(visitor.waits(guest.url))
            self._tenant.accept(guest.entry_id)
            back = visitor.comes_back(guest.url, self._receiver.return_url)
        return self._came_back(guest, back, no)

    def embedded(self) -> Finding:
        """The same inside the partner's own page."""
        body = self._start_body("embedded", embed_origin=self._receiver.origin)
        foreign = {**body[1], "embed_origin": "https://elsewhere.example"}
        no = [refuses(self._start(foreign), "a foreign origin", ("origin_not_allowed",))]
        guest = self._begin("embedded", *body)
        with self._visitor() as visitor:
            self._expect_waiting(visitor.frame_status(self._receiver.origin, guest.url))
            if visitor.may_frame(self._foreign_page(), guest.url):
                raise _wrong("a page of a foreign origin may frame the waiting list")
            self._tenant.accept(guest.entry_id)
            back = visitor.frame_code(self._receiver.origin, guest.url)
        return self._came_back(guest, back, [*no, "framing by a foreign origin"])

    def exchange(self) -> Finding:
        """Codes become grants: once, with the verifier that only the partner has."""
        one, other = self._guests["redirect"], self._guests["embedded"]
        wrong = replace(one, pkce=Pkce.fresh())
        no = [refuses(self._exchange(wrong, self._fresh_code(one)), "a wrong verifier", ("invalid_grant",))]
        for guest, code in ((one, self._fresh_code(one)), (other, self._codes["embedded"].code)):
            user = must(self._exchange(guest, code))["user"]
            if user["external_user_id"] != guest.name:
                raise _wrong("the grant is somebody else's")
            if guest is other:
                no.append(refuses(self._exchange(guest, code), "a replayed code", ("invalid_grant",)))
        return _fine("2 codes became grants with PKCE", no)

    def heartbeat(self) -> Finding:
        name, stranger = self._guests["redirect"].name, f"stranger-{self._run}"
        users = [{"external_user_id": name}, {"external_user_id": stranger}]
        beat = must(self._partner.call("POST", "/heartbeat", {"users": users}))
        if (beat["accepted"], beat["rejected"]) != (1, 1):
            raise _wrong(f"of a user and a stranger {beat['accepted']} accepted, {beat['rejected']} rejected")
        self._await(lambda: self._is_live(name), "the user is not among the live users")
        gone = {"users": [{"external_user_id": name, "status": "left"}]}
        must(self._partner.call("POST", "/heartbeat", gone))
        self._await(lambda: not self._is_live(name), "the user has left and is still among the live users")
        return _fine("seen among the live users, then gone", ["a user without a grant"])

    def widget(self) -> Finding:
        """Token, frame, chat load, a message each way."""
        guest, origin = self._guests["redirect"], self._receiver.origin
        foreign = "https://elsewhere.example"
        no = [refuses(self._token(guest, foreign), "a foreign origin", ("origin_not_allowed",))]
        given = must(self._token(guest, origin))
        token = str(given["token"])
        self._check_frame(str(given["frame_url"]), foreign)
        bad = token[:-6] + ("aaaaaa" if not token.endswith("aaaaaa") else "bbbbbb")
        load = self._partner.speak("POST", "/load", bad, origin)
        no.append(refuses(load, "a changed token", ("invalid_widget_token",)))
        load = self._partner.speak("POST", "/load", token, foreign)
        no.append(refuses(load, "a token on another page", ("invalid_widget_token",)))
        must(self._partner.speak("POST", "/load", token, origin))
        said = {"client_id": f"smoke-{self._run[-12:]}", "text": f"Smoke test {self._run}"}
        mine = must(self._partner.speak("POST", "/messages", token, origin, said), 201)
        self._tenant.reply(guest.entry_id, f"Heard {self._run}")
        self._await(lambda: self._is_answered(token, int(mine["seq"])), "the founder's answer did not come")
        return _fine("token, frame and chat loaded, a message each way", no)

    def webhook(self) -> Finding:
        """A test event and a real one, verified as partners are told to."""
        if self._receiver.webhook_url is None:
            said = "production cannot reach this machine: FIRSTUSER_SMOKE_RECEIVER_URL is not set"
            return Finding(State.INCONCLUSIVE, said)
        answer = self._partner.call("POST", "/webhooks/test")
        if code_of(answer) == "rate_limited":
            wait = answer.headers.get("retry-after", "some")
            return Finding(State.INCONCLUSIVE, f"too many test events in a minute; again in {wait} s")
        sent = must(answer)
        if not sent["delivered"]:
            raise _wrong(f"the test event was not delivered ({sent['failure']})")
        test = self._receiver.await_webhook(lambda one: _type(one) == "webhook.test", ARRIVES_S)
        self._verify(test)
        guest = self._begin("webhook", *self._start_body("redirect", return_url=self._receiver.return_url))
        real = self._receiver.await_webhook(lambda one: _is_about(one, guest.entry_id), ARRIVES_S)
        self._verify(real)
        return _fine("a test event and a real one arrived and verify", self._forgeries(real))

    def _verify(self, one: Arrived) -> None:
        try:
            Webhook(self._given.webhook_secret).verify(one.body, one.headers)
        except WebhookVerificationError:
            raise _wrong("the signature of a webhook does not verify") from None

    def _forgeries(self, one: Arrived) -> list[str]:
        """What must not verify. Raises `Rejected` for one that does."""
        secret = Webhook(self._given.webhook_secret)
        old = time.time() - STALE_S
        moment = system_clock().fromtimestamp(old, tz=system_clock().tzinfo)
        signed_long_ago = {
            **one.headers,
            "webhook-timestamp": str(int(old)),
            "webhook-signature": secret.sign(one.headers["webhook-id"], moment, one.body.decode()),
        }
        tried = {
            "a tampered body": (secret, one.body + b" ", one.headers),
            "a stale timestamp": (secret, one.body, signed_long_ago),
            "a wrong secret": (Webhook("whsec_" + "A" * 32), one.body, one.headers),
        }
        for what, (verifier, body, headers) in tried.items():
            try:
                verifier.verify(body, headers)
            except WebhookVerificationError:
                continue
            raise _wrong(f"{what} verifies")
        return list(tried)

    def _start_body(self, mode: str, **more: str) -> tuple[Pkce, dict[str, Any]]:
        pkce = Pkce.fresh()
        name, state = f"{mode}-{new_id('guest')}", new_id("state")
        body = {"mode": mode, "external_user_id": name, "state": state, "code_challenge": pkce.challenge}
        return pkce, body | more

    def _start(self, body: Mapping[str, Any]) -> Any:
        return self._partner.call("POST", "/waitlist/start", dict(body), once=True)

    def _begin(self, step: str, pkce: Pkce, body: Mapping[str, Any]) -> Guest:
        said = must(self._start(body), 201)
        url = said["redirect_url"] or said["embed"]["url"]
        guest = Guest(body["external_user_id"], said["entry"]["id"], pkce, str(url), body["state"])
        self._guests[step] = guest
        return guest

    def _came_back(self, guest: Guest, back: CameBack, no: list[str]) -> Finding:
        if back.state != guest.state or not back.code:
            raise _wrong("the visitor came back without the code, or with another state")
        self._codes["redirect" if guest is self._guests.get("redirect") else "embedded"] = back
        return _fine(f"waited, was accepted, came back with code and state ({back.by})", no)

    def _fresh_code(self, guest: Guest) -> str:
        """An accepted visitor who looks again gets another one."""
        answer = self._partner.page(guest.url)
        location = answer.headers.get("location", "")
        if not answer.is_redirect:
            raise _wrong(f"an accepted visitor is not sent back ({answer.status_code})")
        return location.partition("code=")[2].partition("&")[0]

    def _exchange(self, guest: Guest, code: str) -> Any:
        body: dict[str, Any] = {"code": code, "code_verifier": guest.pkce.verifier}
        if guest is not self._guests["embedded"]:
            body["return_url"] = self._receiver.return_url
        return self._partner.call("POST", "/access/exchange", body, once=True)

    def _is_live(self, name: str) -> bool:
        live = must(self._partner.call("GET", "/users/live"))
        return any(user["external_user_id"] == name for user in live["data"])

    def _token(self, guest: Guest, origin: str) -> Any:
        body = {"external_user_id": guest.name, "origin": origin}
        return self._partner.call("POST", "/widget/token", body)

    def _check_frame(self, url: str, foreign: str) -> None:
        page = self._partner.page(url)
        policy = page.headers.get("content-security-policy", "")
        if page.status_code != 200 or f"frame-ancestors {self._receiver.origin}" not in policy:
            raise _wrong(f"the widget's frame does not load for its origin ({page.status_code})")
        asked = urlencode({"integration": self._given.integration_id, "origin": foreign})
        if self._partner.page(f"/widget/frame?{asked}").status_code != 404:
            raise _wrong("the widget's frame loads for a foreign origin")

    def _is_answered(self, token: str, after: int) -> bool:
        heard = must(self._partner.speak("GET", "/messages", token, self._receiver.origin, after=after))
        return any(one["sender"] == "founder" and self._run in one["text"] for one in heard["data"])

    def _visitor(self) -> Any:
        return visiting(self._place.browser, self._place.base_url)

    def _foreign_page(self) -> str:
        """The same server by another name is another origin."""
        return self._receiver.origin.replace("127.0.0.1", "localhost")

    def _expect_waiting(self, status: str) -> None:
        if status != "waiting":
            raise _wrong(f"the visitor's page says {status or 'nothing'} instead of waiting")

    def _await(self, holds: Any, otherwise: str) -> None:
        deadline = time.monotonic() + SEEN_S
        while not holds():
            if time.monotonic() > deadline:
                raise _wrong(f"{otherwise} after {SEEN_S:.0f} s")
            time.sleep(0.1)


def _judged(step: Look) -> Finding:
    """A no of the product is a failure; what could not be asked at all stays an error."""
    try:
        return step()
    except Rejected as no:
        return Finding(State.FAIL, no.message, fix=no.fix)


def _fine(what: str, refused: list[str]) -> Finding:
    return Finding(State.PASS, f"{what}; refused: {', '.join(refused)}")


def _wrong(what: str) -> FirstUserError:
    return Rejected(f"{what[:1].upper()}{what[1:]}.", provider="product", operation="smoke")


def _document(one: Arrived) -> dict[str, Any]:
    try:
        found: Any = json.loads(one.body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _type(one: Arrived) -> str:
    return str(_document(one).get("type", ""))


def _is_about(one: Arrived, entry_id: str) -> bool:
    found = _document(one)
    created = found.get("type") == "waitlist.entry.created"
    return created and found.get("data", {}).get("entry_id") == entry_id
