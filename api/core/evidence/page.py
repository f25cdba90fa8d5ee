"""An export as one page that needs nothing else: what was found first, then every record. Prints well."""

import html
import json
from collections.abc import Collection, Sequence

from api.core.evidence.chain import Record, iso
from api.core.evidence.export import Export
from api.core.evidence.report import LedgerReport
from api.core.evidence.verification import StreamReport

Place = tuple[str, int]


def page(export: Export, report: LedgerReport, data: str) -> str:
    """`data`: the element that holds the export itself."""
    wrong = {(fault.stream, fault.seq) for fault in report.every_fault()}
    shown = "".join(_records(stream, records, wrong) for stream, records in export.streams.items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Evidence</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><main>\n<h1>Evidence ledger</h1>\n"
        f"<p class=lead>As of {_moment(export.as_of)}, for whoever has to rely on it.</p>\n"
        f"{_verdict(export, report)}{_check(export, report)}{_streams(report)}{shown}</main>\n{data}\n"
        "</body></html>\n"
    )


def _verdict(export: Export, report: LedgerReport) -> str:
    records = sum(stream.records for stream in report.streams)
    counted = f"{records} records in {len(report.streams)} streams"
    if report.whole:
        said = f"{counted}, each chained to the one before it."
        return f"<section class=good><h2>✓ Verified</h2><p>{said}</section>\n"
    found = sum(stream.found for stream in report.streams) + len(report.faults)
    named = "".join(
        f"<li>{_linked(export, fault.stream, fault.seq, str(fault))}" for fault in report.every_fault()
    )
    return (
        f"<section class=bad><h2>✗ Not verified: {found} {'fault' if found == 1 else 'faults'}</h2>"
        f"<p>{counted}. What is wrong, record by record:<ul>{named}</ul>"
        "<p><b>Next step:</b> change nothing, keep this file, and do what the runbook "
        "<code>deployments/runbooks/evidence.md</code> says.</section>\n"
    )


def _linked(export: Export, stream: str, seq: int, said: str) -> str:
    known = any(record.seq == seq for record in export.streams.get(stream, ()))
    return f'<a href="#{_anchor(stream, seq)}">{_text(said)}</a>' if known else _text(said)


def _check(export: Export, report: LedgerReport) -> str:
    signed = f"<code>{_text(export.key_id)}</code>" if export.key_id else "<b>nobody</b>"
    first = f"<code>{_text(report.first_key)}</code>" if report.first_key else "<b>no key</b>"
    return (
        "<h2>Check it yourself</h2>\n<ol><li>The above was found when this file was written. Find it anew, "
        "with no network: <code>firstuser evidence verify FILE</code>. It recomputes every hash and "
        "signature, and holds every letter of this page against the records."
        "<li>Ask for the public key by another way, and add <code>--key KEY</code>: a forger can sign, too."
        "<li>With an earlier export: <code>--against EARLIER</code> shows that nothing was taken away since."
        f"</ol>\n<p>Signed by {signed}; the chain of keys begins with {first}.</p>\n"
    )


def _streams(report: LedgerReport) -> str:
    rows = "".join(_stream(one) for one in report.streams)
    head = "".join(
        f'<th scope="col">{name}' for name in ("stream", "records", "unsigned", "verified", "ends with")
    )
    return (
        f"<h2>Streams</h2>\n<table class=streams><thead><tr>{head}</thead>\n<tbody>{rows}</tbody></table>\n"
    )


def _stream(one: StreamReport) -> str:
    verdict = "✓" if one.whole else f"<b class=wrong>✗ {one.found}</b>"
    end = f"<code>{_text(one.head.hash)}</code>" if one.head else "–"
    name = f'<a href="#{_text(one.stream)}">{_text(one.stream)}</a>'
    return f"<tr><td>{name}<td>{one.records}<td>{one.unsigned}<td>{verdict}<td>{end}\n"


def _records(stream: str, records: Sequence[Record], wrong: Collection[Place]) -> str:
    rows = "".join(_record(record, (stream, record.seq) in wrong) for record in records)
    head = "".join(f'<th scope="col">{name}' for name in ("record", "recorded at", "what", "id and hash"))
    return (
        f'<h2 id="{_text(stream)}">{_text(stream)}</h2>\n'
        f"<table class=records><thead><tr>{head}</thead>\n<tbody>{rows}</tbody></table>\n"
    )


def _record(record: Record, wrong: bool) -> str:
    mark = " class=wrong" if wrong else ""
    body = json.dumps(record.body, indent=1, ensure_ascii=False)
    return (
        f'<tr id="{_anchor(record.stream, record.seq)}"{mark}><td>{"✗ " if wrong else ""}{record.seq}'
        f"<td>{_moment(iso(record.recorded_at))}<td><b>{_text(record.kind)}</b><pre>{_text(body)}</pre>"
        f"<td><code>{_text(record.id)}<br>{_text(record.hash)}</code>\n"
    )


def _anchor(stream: str, seq: int) -> str:
    return f"{_text(stream)}-{seq}"


def _moment(said: str) -> str:
    """To the second, with the whole of it in the attribute."""
    if not said:
        return "its beginning"
    return f'<time datetime="{_text(said)}">{_text(said[:19].replace("T", " "))} UTC</time>'


def _text(value: str) -> str:
    return html.escape(value)


_STYLE = (
    ":root{color-scheme:light dark;--line:#8884;--good:#1a7f37;--bad:#cf222e}"
    "@media(prefers-color-scheme:dark){:root{--good:#3fb950;--bad:#ff7b72}}"
    "body{font:15px/1.5 system-ui,sans-serif;margin:0}main{margin:2rem auto;max-width:72rem;padding:0 1rem}"
    "h1{margin:0}h2{margin:2rem 0 .5rem}.lead{margin:.2rem 0 1.5rem;opacity:.75}"
    "section{border:1px solid;border-left-width:.5rem;border-radius:.4rem;padding:.8rem 1.2rem}"
    "section h2{margin:0}section p{margin:.3rem 0}"
    ".good{border-color:var(--good)}.bad{border-color:var(--bad)}"
    ".good h2{color:var(--good)}.bad h2,b.wrong{color:var(--bad)}a{color:inherit}li{margin:.2rem 0}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid var(--line);padding:.4rem .6rem;"
    "text-align:left;vertical-align:top}thead th{border-bottom-width:2px}.records td:nth-child(-n+2)"
    "{white-space:nowrap}.records td:last-child{width:34%}tr.wrong,tr:target{outline:2px solid var(--bad)}"
    "pre{margin:.2rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85em}"
    "code{overflow-wrap:anywhere;word-break:break-word;font-size:.85em}time{font-variant-numeric:tabular-nums}"
    "@media(max-width:40rem){.records thead{display:none}.records td{display:block;border:0;"
    "padding:.1rem .6rem}.records tr{display:block;border-bottom:1px solid var(--line);padding:.5rem 0}"
    ".records td:last-child{width:auto}.streams :is(td,th):last-child{display:none}}"
    "@media print{@page{margin:1.5cm}:root{color-scheme:light}body{font-size:9.5pt}"
    "main{max-width:none;margin:0;padding:0}thead{display:table-header-group}tr,section{break-inside:avoid}h2{break-after:avoid}}"
)
