"""Visitors of the smoke test: in a real Chromium where there is one, else over HTTP, which the result says.

Raises `Rejected` for what a visitor must not see, `TimedOut` for what does not come.
"""

import os
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

import httpx

from api.core.errors import Rejected, TimedOut
from api.providers.preflight.outside import LOOPBACK

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 15_000
_FRAME = """url => {
  const frame = document.createElement("iframe");
  frame.src = url;
  document.getElementById("place").append(frame);
}"""
_HEARD = """kind => heard.find(({ data }) => data && data.type === `waitlist.${kind}`)"""
_STATUS = re.compile(r'id="state"[^>]*data-status="(\w+)"')


@dataclass(frozen=True, slots=True)
class CameBack:
    """What the partner's page was handed. `by` is the browser, or "HTTP"."""

    code: str
    state: str
    by: str


class Visitor(Protocol):
    by: str

    def waits(self, url: str) -> str:
        """The status that the visitor's page shows."""
        ...

    def comes_back(self, url: str, return_url: str) -> CameBack:
        """Of an accepted visitor, who is sent to `return_url`."""
        ...

    def frame_status(self, page: str, url: str) -> str:
        """What the frame at `url`, inside `page`, tells it."""
        ...

    def frame_code(self, page: str, url: str) -> CameBack: ...

    def may_frame(self, page: str, url: str) -> bool:
        """Whether a page of that origin gets to show the frame at all."""
        ...


def executable() -> str | None:
    return next((path for path in map(shutil.which, NAMES) if path), None)


@contextmanager
def visiting(browser: str | None, base_url: str) -> Generator[Visitor]:
    """`browser` is the executable; None visits over HTTP."""
    if browser is None:
        with httpx.Client(timeout=10, trust_env=not local(base_url), follow_redirects=False) as client:
            yield PlainVisitor(client)
        return
    from playwright.sync_api import sync_playwright

    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium refuses root otherwise
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=FLAGS + sandbox)
        try:
            yield BrowserVisitor(opened)
        finally:
            opened.close()


class BrowserVisitor:
    def __init__(self, browser: Any) -> None:
        self._browser = browser
        self.by = f"Chromium {browser.version.split('.')[0]}"

    def waits(self, url: str) -> str:
        with self._page() as page:
            page.goto(url)
            return str(page.get_attribute("#state", "data-status"))

    def comes_back(self, url: str, return_url: str) -> CameBack:
        with self._page() as page:
            page.goto(url)
            page.wait_for_url(f"{return_url}?*", timeout=WAIT_MS)
            return _came_back(page.url, self.by)

    def frame_status(self, page: str, url: str) -> str:
        return str(self._heard(page, url, "status")["status"])

    def frame_code(self, page: str, url: str) -> CameBack:
        told = self._heard(page, url, "code")
        return CameBack(str(told["code"]), str(told["state"]), self.by)

    def may_frame(self, page: str, url: str) -> bool:
        """A blocked frame says so on the console at once; one that is shown tells its height."""
        with self._page() as opened:
            blocked: list[str] = []

            def note(said: Any) -> None:
                blocked.append(said.text)

            opened.on("console", note)
            opened.goto(page)
            opened.evaluate(_FRAME, url)
            for _ in range(WAIT_MS // 50):
                if any("frame-ancestors" in line for line in blocked):
                    return False
                if opened.evaluate(_HEARD, "height") or (len(opened.frames) > 1 and _shown(opened.frames[1])):
                    return True
                opened.wait_for_timeout(50)
        raise TimedOut("Nobody knows whether the frame was shown.", provider="product", operation="frame")

    def _heard(self, page: str, url: str, kind: str) -> dict[str, Any]:
        with self._page() as opened:
            opened.goto(page)
            opened.evaluate(_FRAME, url)
            told: Any = opened.wait_for_function(_HEARD, arg=kind, timeout=WAIT_MS).json_value()
            home = urlsplit(url)
            if told["origin"] != f"{home.scheme}://{home.netloc}":
                raise _refused(f"the frame's message came from {told['origin']}")
            found: dict[str, Any] = told["data"]
            return found

    @contextmanager
    def _page(self) -> Generator[Any]:
        """A visitor of their own each time. What Playwright raises names addresses, and those have codes."""
        from playwright.sync_api import Error
        from playwright.sync_api import TimeoutError as Late

        context = self._browser.new_context()
        try:
            yield context.new_page()
        except Late:
            said = "The browser waited in vain for what the page should do."
            raise TimedOut(said, provider="product", operation="browse") from None
        except Error as error:
            said = f"the browser could not go there ({type(error).__name__})"
            raise _refused(said) from None
        finally:
            context.close()


class PlainVisitor:
    """Without scripts: the same addresses, and what the frame's script would send is fetched as it does."""

    by = "HTTP, because no browser is installed"

    def __init__(self, client: httpx.Client) -> None:
        self._http = client

    def waits(self, url: str) -> str:
        return _status(self._get(url))

    def comes_back(self, url: str, return_url: str) -> CameBack:
        answer = self._http.get(url)
        to = answer.headers.get("location", "")
        if not answer.is_redirect or not to.startswith(f"{return_url}?"):
            raise _refused(f"the visitor was not sent back ({answer.status_code})")
        return _came_back(to, self.by)

    def frame_status(self, page: str, url: str) -> str:
        return _status(self._get(url))

    def frame_code(self, page: str, url: str) -> CameBack:
        parts = urlsplit(url)
        answer = self._http.post(f"{url}/code", headers={"Origin": f"{parts.scheme}://{parts.netloc}"})
        if answer.status_code != 200:
            raise _refused(f"the frame was refused its code ({answer.status_code})")
        said = answer.json()
        return CameBack(str(said["code"]), str(said["state"]), self.by)

    def may_frame(self, page: str, url: str) -> bool:
        policy = self._get(url).headers.get("content-security-policy", "")
        allowed = policy.rpartition("frame-ancestors ")[2].split(";")[0].split() if policy else ["*"]
        return "*" in allowed or page in allowed

    def _get(self, url: str) -> httpx.Response:
        answer = self._http.get(url)
        if answer.status_code != 200:
            raise _refused(f"the visitor's page answers {answer.status_code}")
        return answer


def _shown(frame: Any) -> bool:
    return frame.query_selector("#state") is not None


def _status(answer: httpx.Response) -> str:
    found = _STATUS.search(unescape(answer.text))
    if found is None:
        raise _refused("the visitor's page shows no status")
    return found.group(1)


def _came_back(url: str, by: str) -> CameBack:
    query = parse_qs(urlsplit(url).query)
    return CameBack(query.get("code", [""])[0], query.get("state", [""])[0], by)


def _refused(what: str) -> Rejected:
    return Rejected(f"{what[:1].upper()}{what[1:]}.", provider="product", operation="visit")


def local(url: str) -> bool:
    return urlsplit(url).hostname in LOOPBACK
