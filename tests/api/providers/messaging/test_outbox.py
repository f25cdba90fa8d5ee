"""The local outbox."""

import stat
from datetime import timedelta
from pathlib import Path

from api.core.ports import OutgoingMessage
from api.providers.messaging.outbox import Outbox
from tests.product import NOW


def message(to: str, body: str) -> OutgoingMessage:
    return OutgoingMessage("sms", to, "Code", body)


def test_the_newest_message_to_a_person_since_a_moment(tmp_path: Path) -> None:
    moments = iter(NOW + timedelta(seconds=second) for second in range(3))
    outbox = Outbox(tmp_path / "outbox", lambda: next(moments))
    for to, body in (("+1", "first"), ("+1", "second"), ("+2", "third")):
        outbox.send(message(to, body))
    newest = outbox.latest("+1", NOW)
    assert newest is not None and (newest.body, newest.at) == ("second", NOW + timedelta(seconds=1))
    assert outbox.latest("+1", NOW + timedelta(seconds=2)) is None
    assert outbox.latest("+3") is None
    assert [one.body for one in outbox.messages(2)] == ["third", "second"]


def test_messages_are_private_and_no_half_written_one_is_seen(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")
    outbox.send(message("+1", "secret"))
    (file,) = (tmp_path / "outbox").glob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    (tmp_path / "outbox" / ".msg_x.new").write_text("{")
    assert len(outbox.messages()) == 1


def test_an_outbox_that_does_not_exist_yet_is_empty(tmp_path: Path) -> None:
    assert Outbox(tmp_path / "none").messages() == []
