"""A preflight for machines and for the file: JUnit XML, and one HTML page that needs nothing else. Pure."""

import xml.etree.ElementTree as ET  # nosec B405
from html import escape

from api.core.preflight.catalogue import GROUPS
from api.core.preflight.records import HOLDS, Part, Result, State
from api.core.preflight.report import MARKS, runbook
from api.core.preflight.service import Preflight

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.4rem;"
    "text-align:left;vertical-align:top}.bad{color:#a4161a}.but{color:#8a5a00}.good{color:#1b6e3c}"
    "td code,td:first-child+td{white-space:nowrap}p code{overflow-wrap:anywhere}small{color:#555}"
    "h1{font-size:1.6rem;line-height:1.25}"
)


def junit(run: Preflight) -> bytes:
    """A suite for each numbered check, a case for each of its checks and their parts."""
    root = ET.Element("testsuites", name=f"preflight {run.id}")
    for group, title in GROUPS.items():
        found = [result for result in run.results if result.group == group]
        cases = [case for result in found for case in _cases(result)]
        if not cases:
            continue
        suite = ET.SubElement(root, "testsuite", name=title, tests=str(len(cases)))
        for kind in ("failure", "error", "skipped"):
            counted = sum(1 for case in cases if case.find(kind) is not None)
            suite.set({"failure": "failures", "error": "errors"}.get(kind, kind), str(counted))
        suite.extend(cases)
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _cases(result: Result) -> list[ET.Element]:
    own = ET.Element("testcase", classname="preflight", name=result.name, time=f"{result.seconds:.3f}")
    _outcome(own, result.state, result.expected, result.observed, result.fix)
    parts = [_part(result.name, part) for part in result.parts]
    return [own, *parts]


def _part(check: str, part: Part) -> ET.Element:
    case = ET.Element("testcase", classname=f"preflight.{check}", name=part.name, time=f"{part.seconds:.3f}")
    _outcome(case, part.state, part.expected, part.observed, part.fix)
    return case


def _outcome(case: ET.Element, state: State, expected: str, observed: str, fix: str) -> None:
    said = f"expected {expected}; observed: {observed}. {fix}".strip()
    kinds = {State.SKIP: "skipped", State.ERROR: "error"}
    if state not in HOLDS:
        ET.SubElement(case, kinds.get(state, "failure"), message=_printable(said), type=state.value)
    elif state is not State.PASS:
        ET.SubElement(case, "system-out").text = _printable(f"{state.value}: {said}")


def _printable(text: str) -> str:
    """XML holds no control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def html(run: Preflight, runbooks: str = "") -> str:
    colour = "bad" if run.verdict is None or run.verdict.value == "no_go" else "good"
    lines = [
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>Preflight</title>",
        f"<style>{_STYLE}</style>",
        f"<h1 class='{colour}'>{escape(run.headline)}</h1>",
        f"<p><code>{run.id}</code> · release <code>{escape(run.binding.release)}</code> · configuration "
        f"<code>{run.binding.configuration}</code> · {escape(run.target.production_url)} · "
        f"{run.finished_at or run.started_at:%Y-%m-%d %H:%M} UTC</p>",
        f"<p><strong>Next step:</strong> {escape(run.next_step)}</p>",
        "<table><thead><tr><th>Check<th>Result<th>Observed<th>Expected<th>Owner</tr></thead><tbody>",
        *(_row(result, runbooks) for result in run.results),
        "</tbody></table><h2>Not checked</h2><ul>",
        *(f"<li>{escape(line)}" for line in run.not_checked),
        f"</ul><p>Evidence <code>{run.evidence_id or 'none yet'}</code></p></html>",
    ]
    return "\n".join(lines)


def _row(result: Result, runbooks: str) -> str:
    colour = "good" if result.state is State.PASS else "but" if result.holds else "bad"
    page = runbook(result.runbook, runbooks)
    link = f"<a href='{escape(page)}'>{escape(result.runbook)}</a>" if runbooks else escape(page)
    more = f"<br>{escape(result.fix)} <small>{link}</small>" if result.fix else ""
    waived = f"<br><strong>Waived: {escape(result.waived_by)}</strong>" if result.waived_by else ""
    parts = "".join(
        f"<br><small>{MARKS[part.state]} {escape(part.name)}: {escape(part.observed)}</small>"
        for part in result.parts
    )
    return (
        f"<tr><td><code>{result.name}</code><br><small>{escape(result.title)}</small>"
        f"<td class='{colour}'>{MARKS[result.state]}<td>{escape(result.observed)}{waived}{more}{parts}"
        f"<td>{escape(result.expected)}<td>{result.owner}</tr>"
    )
