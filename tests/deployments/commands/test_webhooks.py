"""`firstuser webhooks`: the published vector both ways, on raw bytes."""

import pytest
from typer.testing import CliRunner

from api.core.errors import Refused
from deployments.commands.webhooks import commands

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
GOOD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
AT = "1614265330"
MESSAGE = ["--id", "msg_p5jXN8AQM9LWM0D4loKWxJek", "--timestamp", AT]
runner = CliRunner()


def run(command: str, body: bytes, *options: str) -> tuple[int, str]:
    done = runner.invoke(commands, [command, *MESSAGE, *options], input=body)
    return done.exit_code, done.stdout.strip()


def test_sign_prints_the_signature_of_the_raw_bytes() -> None:
    assert run("sign", BODY, "--secret", SECRET) == (0, GOOD)
    code, other = run("sign", b"\xff\xfe", "--secret", SECRET)
    assert code == 0 and other.startswith("v1,") and other != GOOD


@pytest.mark.parametrize(
    ("body", "options", "code", "reason"),
    [
        (BODY, ["--signature", GOOD, "--now", AT], 0, "genuine"),
        (BODY, ["--signature", f"v1,AAAA {GOOD}", "--now", AT], 0, "genuine"),
        (BODY + b"\n", ["--signature", GOOD, "--now", AT], 1, "no v1 signature matches"),
        (BODY, ["--signature", GOOD], 1, "more than 5 minutes ago"),
        (BODY, ["--signature", "v2,x", "--now", AT], 1, "holds no v1 signature"),
        (BODY, ["--signature", GOOD, "--now", "0"], 1, "more than 5 minutes ahead"),
        (b"", ["--signature", GOOD, "--now", AT], 1, "no v1 signature matches"),
        (BODY, ["--signature", "", "--now", AT], 1, "is missing"),
        (BODY, ["--signature", "v1,", "--now", AT], 1, "no v1 signature matches"),
        (BODY, ["--signature", "v1,\udcff\udcfe", "--now", AT], 1, "no v1 signature matches"),
        (BODY, ["--signature", GOOD, "--now", AT, "--timestamp", "soon"], 1, "not a number of seconds"),
        (BODY, ["--signature", GOOD, "--now", AT, "--timestamp", "9" * 30], 1, "not a number of seconds"),
        (BODY, ["--signature", GOOD, "--now", AT, "--secret", "whsec_!!"], 1, "secret is not base64"),
    ],
)
def test_verify_says_why_not(body: bytes, options: list[str], code: int, reason: str) -> None:
    exit_code, said = run("verify", body, "--secret", SECRET, *options)
    assert exit_code == code and reason in said


@pytest.mark.parametrize("wrong", [["--secret", "whsec_!!!"], ["--secret", SECRET, "--timestamp", "soon"]])
def test_nothing_is_signed_that_nobody_could_accept(wrong: list[str]) -> None:
    done = runner.invoke(commands, ["sign", *MESSAGE, *wrong], input=BODY)
    assert isinstance(done.exception, Refused) and done.exception.fix and done.stdout == ""
