"""What partners copy: it parses, and the signature check in it agrees with how we sign."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.core.access.models import Integration
from api.core.webhooks import signing
from api.http.pages import snippets
from api.http.pages.snippets import Snippet

NODE = Path(sys.executable).parent / "node"
BODY = '{"type":"test","name":"Zoë"}'.encode()
MADE = snippets.of("https://firstuser.example", Integration(return_urls=["https://a.b/in"], origins=[]))


def code(snippet: Snippet, language: str) -> str:
    return next(code.text for code in snippet.codes if code.language == language)


@pytest.mark.parametrize("snippet", MADE, ids=lambda snippet: snippet.key)
def test_snippets_parse(snippet: Snippet, tmp_path: Path) -> None:
    compile(code(snippet, "python"), snippet.key, "exec")
    module = tmp_path / "snippet.mjs"
    module.write_text(code(snippet, "javascript"))
    checked = subprocess.run([NODE, "--check", module], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


def test_the_signature_check_agrees_with_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    webhook = next(snippet for snippet in MADE if snippet.key == "webhook")
    old, new = signing.generate(), signing.generate()
    sent = signing.headers([new, old], "msg_1", datetime.now(UTC), BODY)
    space: dict[str, Any] = {}
    exec(code(webhook, "python"), space)  # noqa: S102  it is our own
    for secret in (old, new):
        monkeypatch.setenv("FIRSTUSER_WEBHOOK_SECRET", secret)
        assert space["verified"](sent, BODY) and not space["verified"](sent, BODY + b" ")
        assert javascript_says(webhook, tmp_path, sent, BODY) == "true"
    assert javascript_says(webhook, tmp_path, sent, BODY + b" ") == "false"


def javascript_says(snippet: Snippet, folder: Path, sent: dict[str, str], body: bytes) -> str:
    (folder / "snippet.mjs").write_text(code(snippet, "javascript"))
    call = f"verified({sent}, Buffer.from({body.decode()!r}))"
    asked = f"import {{ verified }} from './snippet.mjs'; console.log({call})"
    return subprocess.run(
        [NODE, "--input-type=module", "-e", asked], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()
