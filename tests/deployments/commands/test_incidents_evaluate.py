"""`firstuser incidents evaluate`: series in a file, verdicts out; another notation is refused."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from api.core.errors import Refused
from api.core.incidents import cases
from deployments.commands.incidents import app

GOOD = {
    "cases": [
        {"name": "bad", "series": [[[0, 100], 2], [[9, 10], 14]], "first_trip": 14, "expected": {"2": "OK"}},
        {"name": "quiet", "series": [[None, 1], [[0, 0], 1]]},
        {"name": "nothing", "series": []},
    ]
}


def run(tmp_path: Path, document: Any, *words: str) -> Any:
    file = tmp_path / "series.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return CliRunner().invoke(app, ["evaluate", str(file), *words])


def test_every_minute_has_its_verdict(tmp_path: Path) -> None:
    done = run(tmp_path, GOOD, "--json")
    bad, quiet, nothing = json.loads(done.stdout)
    assert done.exit_code == 0 and set(bad) == {"name", "first_trip", "verdicts"}
    assert bad["first_trip"] == 14 and len(bad["verdicts"]) == 16
    assert bad["verdicts"][3] == "PENDING" and bad["verdicts"][13:] == ["TRIP"] * 3
    assert quiet == {"name": "quiet", "first_trip": None, "verdicts": ["NO_DATA", "NO_DATA"]}
    assert nothing == {"name": "nothing", "first_trip": None, "verdicts": []}


def test_what_the_file_expects_is_checked_when_asked(tmp_path: Path) -> None:
    assert run(tmp_path, GOOD, "--check").exit_code == 0
    wrong = {"cases": [GOOD["cases"][0] | {"first_trip": 15, "expected": {"4": "OK"}}]}
    done = run(tmp_path, wrong, "--check")
    assert done.exit_code == 1 and "first trip: 14 instead of 15" in done.stderr
    assert "minute 4: PENDING instead of OK" in done.stderr
    assert run(tmp_path, wrong).exit_code == 0


WRONG: list[tuple[Any, str]] = [
    ("{", "no JSON"),
    ("[" * 100_000, "nested too deeply"),
    ([], "no list `cases`"),
    ({"cases": {}}, "no list `cases`"),
    ({"cases": [1]}, "cases[0] is no object"),
    ({"cases": [{"series": []}]}, "no name"),
    ({"cases": [{"name": "a"}]}, "no list `series`"),
    ({"cases": [{"name": "a", "series": [[[1, 2]]]}]}, "series[0] is not [bucket, minutes]"),
    ({"cases": [{"name": "a", "series": [[[1, 2], 0]]}]}, "whole number from 1 on, but 0"),
    ({"cases": [{"name": "a", "series": [[[1, 2], True]]}]}, "whole number from 1 on, but true"),
    ({"cases": [{"name": "a", "series": [[[1, 2], 10**12]]}]}, "at most 527040 minutes"),
    ({"cases": [{"name": "a", "series": [[[2, 1], 1]]}]}, "2 failed of only 1 attempted"),
    ({"cases": [{"name": "a", "series": [[[1.5, 2], 1]]}]}, "whole numbers or null: [1.5, 2]"),
    ({"cases": [{"name": "a", "series": [[[-1, 2], 1]]}]}, "whole numbers or null"),
    ({"cases": [{"name": "a", "series": [], "expected": {"1": "OK"}}]}, "no minute 1; the series has 0"),
    ({"cases": [{"name": "a", "series": [[None, 1]], "expected": {"1": "FINE"}}]}, "is none of"),
    ({"cases": [{"name": "a", "series": [], "first_trip": 0}]}, "first_trip is neither"),
]


@pytest.mark.parametrize(("document", "message"), WRONG)
def test_a_file_that_says_something_else_is_refused(tmp_path: Path, document: Any, message: str) -> None:
    done = run(tmp_path, document, "--json")
    told = " ".join(done.stderr.split())
    assert (done.exit_code, done.stdout) == (2, "") and message in told and "Write {" in told


def test_a_file_that_is_not_there_and_one_that_is_no_text(tmp_path: Path) -> None:
    assert CliRunner().invoke(app, ["evaluate", str(tmp_path / "no")]).exit_code == 2
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in CliRunner().invoke(app, ["evaluate", str(tmp_path / "binary")]).stderr


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("cases"),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["cases", "name", "series", "x"]), inner),
    max_leaves=12,
)


@given(_JSON)
def test_whatever_the_file_holds_is_read_or_refused(document: Any) -> None:
    try:
        cases.read(json.dumps(document))
    except Refused as error:
        assert error.message and error.fix
