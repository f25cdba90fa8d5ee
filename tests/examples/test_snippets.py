"""What the Integrate page offers for copying is run, letter by letter, against the live service."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from api.core.clock import system_clock
from api.core.webhooks import signing
from tests.examples import snippet_drivers
from tests.examples.conftest import GROUP, NODE, Integration, accept, integrated, someone, until

pytestmark = GROUP

TOPICS = ("waitlist_start", "exchange", "heartbeat", "webhook")
BODY = '{"type":"webhook.test","data":{"name":"Zoë"}}'
PROGRAMS = {
    "python": ([sys.executable], "snippets.py", "drive.py", snippet_drivers.PYTHON),
    "javascript": ([str(NODE)], "snippets.mjs", "drive.mjs", snippet_drivers.JAVASCRIPT),
}


class CodeOnPage(HTMLParser):
    """The texts of a page's `<code id=…>`, as a browser would copy them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = dict(attrs).get("id") or "" if tag == "code" else self._inside

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[self._inside] = self.texts.get(self._inside, "") + data

    def handle_endtag(self, tag: str) -> None:
        self._inside = "" if tag == "code" else self._inside


@dataclass(frozen=True)
class Copied:
    """A program of a partner who has copied every snippet of one language into one file."""

    known: Integration
    process: "subprocess.Popen[str]"

    def call(self, name: str, *given: Any) -> Any:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps([name, *given]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


@pytest.fixture(params=list(PROGRAMS))
def copied(
    request: pytest.FixtureRequest, site: str, founder: httpx.Client, tmp_path: Path
) -> Iterator[Copied]:
    command, snippets_name, driver_name, driver = PROGRAMS[request.param]
    with integrated(site, founder, f"Snippets in {request.param}") as known:
        shown = CodeOnPage(founder.get(f"/app/integrate/{known.id}").raise_for_status().text).texts
        together = "\n".join(shown[f"{topic}-{request.param}"] for topic in TOPICS)
        (tmp_path / snippets_name).write_text(_imports_once(together))
        (tmp_path / driver_name).write_text(driver)
        secrets = {"FIRSTUSER_API_KEY": known.key, "FIRSTUSER_WEBHOOK_SECRET": known.secret}
        process = subprocess.Popen(
            [*command, driver_name],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], **secrets},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            yield Copied(known, process)
            process.terminate()


def _imports_once(text: str) -> str:
    """JavaScript refuses to import a name twice; who copies four snippets into one file writes it once."""
    names, lines = set[str](), list[str]()
    for line in text.splitlines():
        if line.startswith("import {"):
            names |= {name.strip() for name in line[line.index("{") + 1 : line.index("}")].split(",")}
        else:
            lines.append(line)
    imports = f'import {{ {", ".join(sorted(names))} }} from "node:crypto";\n' if names else ""
    return imports + "\n".join(lines) + "\n"


def test_the_copied_code_leads_someone_in_and_knows_a_webhook(copied: Copied, founder: httpx.Client) -> None:
    user_id, known = someone(), copied.known
    verifier, challenge = copied.call("new_pkce")
    visit, state = copied.call("send_to_waiting_list", user_id, challenge)
    accept(founder, user_id)
    back = urlsplit(httpx.get(visit).headers["location"])
    assert back.geturl().startswith(f"{known.url}/firstuser/callback?")
    query = {name: values[0] for name, values in parse_qs(back.query).items()}
    assert copied.call("on_return", query["code"], query["state"], state, verifier) == user_id
    copied.call("report", [user_id])
    until(lambda: known.live().get(user_id) == "live")

    good = signing.headers([signing.generate(), known.secret], "msg_1", system_clock(), BODY.encode())
    assert copied.call("verified", good, BODY) is True
    assert copied.call("verified", good, BODY + " ") is False
    for name, value in (
        ("webhook-id", "msg_2"),
        ("webhook-timestamp", "soon"),
        ("webhook-timestamp", "1"),
        ("webhook-signature", "v1,ä"),
        ("webhook-signature", ""),
    ):
        assert copied.call("verified", {**good, name: value}, BODY) is False, (name, value)
        missing = {header: sent for header, sent in good.items() if header != name}
        assert copied.call("verified", missing, BODY) is False, name
