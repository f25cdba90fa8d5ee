"""What we sign, the library of npm accepts on the raw bytes; what it refuses, our verifier refuses, too."""

import base64
import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.core.webhooks import signing
from api.core.webhooks.signing import ID, SIGNATURE, TIMESTAMP, Verdict

NODE = Path(__file__).parent / "node"
BIN = Path(sys.executable).parent
SECRETS = [signing.generate(), signing.generate(), signing.generate()]


@pytest.fixture(scope="session")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npm") / "node"
    shutil.copytree(NODE, folder, ignore=shutil.ignore_patterns("node_modules"))
    command = [str(BIN / "npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    return folder / "verify.mjs"


def npm_says(verifier: Path, asked: list[tuple[str, dict[str, str], bytes]]) -> list[str]:
    lines = [
        json.dumps({"secret": secret, "headers": headers, "body": base64.b64encode(body).decode()})
        for secret, headers, body in asked
    ]
    done = subprocess.run(
        [str(BIN / "node"), str(verifier)],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.split()


@pytest.mark.parametrize("body", [b'{"a":1}', '{"name":"Zoë ☃ 日本"}'.encode(), b""])
def test_it_accepts_ours_with_each_secret(verifier: Path, body: bytes) -> None:
    sent = signing.headers(SECRETS, "msg_1", datetime.now(UTC), body)
    asked = [(secret, sent, body) for secret in SECRETS]
    assert npm_says(verifier, asked) == ["genuine"] * len(SECRETS)
    assert npm_says(verifier, [(signing.generate(), sent, body), (SECRETS[0], sent, body + b" ")]) == [
        "refused",
        "refused",
    ]


def test_both_agree_on_what_strangers_send(verifier: Path) -> None:
    body, now = b'{"test":1}', datetime.now(UTC)
    good = signing.headers(SECRETS[:1], "msg_1", now, body)
    signature = good[SIGNATURE]
    old = signing.headers(SECRETS[:1], "msg_1", now - timedelta(seconds=330), body)
    new = signing.headers(SECRETS[:1], "msg_1", now + timedelta(seconds=330), body)
    corpus = {
        "good": (good, True),
        "good one in third place": ({**good, SIGNATURE: f"v1,AAAA v1,BBBB {signature}"}, True),
        "bad base64 first": ({**good, SIGNATURE: f"v1,!!! {signature}"}, True),
        "another version first": ({**good, SIGNATURE: f"v2,AAAA {signature}"}, True),
        "double spaces": ({**good, SIGNATURE: f"v1,AAAA  {signature}"}, True),
        "no id": ({name: value for name, value in good.items() if name != ID}, False),
        "no timestamp": ({name: value for name, value in good.items() if name != TIMESTAMP}, False),
        "no signature": ({name: value for name, value in good.items() if name != SIGNATURE}, False),
        "a timestamp that is none": ({**good, TIMESTAMP: "soon"}, False),
        "too old": (old, False),
        "too new": (new, False),
        "truncated": ({**good, SIGNATURE: signature[:-3]}, False),
        "empty": ({**good, SIGNATURE: "v1,"}, False),
        "v2 only": ({**good, SIGNATURE: signature.replace("v1", "v2")}, False),
        "another id": ({**good, ID: "msg_2"}, False),
    }
    theirs = npm_says(verifier, [(SECRETS[0], headers, body) for headers, _ in corpus.values()])
    for (name, (headers, genuine)), said in zip(corpus.items(), theirs, strict=True):
        ours = signing.verify(SECRETS[:1], headers, body, now) is Verdict.GENUINE
        assert (ours, said == "genuine") == (genuine, genuine), name
