"""The whole ledger as one file that verifies without us: JSON, CSV or HTML, the same content in each.

A manifest says where every stream ends, and is signed like the records; so a file whose end was cut off, or
from which a stream was taken, is found out. The same ledger gives the same file, byte for byte.
"""

import csv
import html
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.core.errors import Refused
from api.core.evidence.chain import Head, Record, canonical, iso
from api.core.evidence.signing import EXPORT, SigningKey

FORMAT = "firstuser-evidence-1"
MANIFEST = "(manifest)"
COLUMNS: Sequence[str] = (
    "stream",
    "seq",
    "id",
    "kind",
    "recorded_at",
    "body",
    "previous_hash",
    "hash",
    "key_id",
    "signature",
)
_OPENS, _CLOSES = '<script type="application/json" id="evidence">\n', "\n</script>"


@dataclass(frozen=True, slots=True)
class Export:
    """`as_of`: when the newest record was made. `key_id` and `signature` are the manifest's."""

    as_of: str
    streams: Mapping[str, Sequence[Record]]
    heads: Mapping[str, Head]
    key_id: str | None
    signature: str | None

    @property
    def manifest(self) -> dict[str, Any]:
        ends = {stream: head.to_json() for stream, head in self.heads.items()}
        return {"format": FORMAT, "as_of": self.as_of, "heads": ends}


_EXPORT = TypeAdapter(Export)
# Wrong shapes of outside text come to light where they are taken apart.
_UNREADABLE = (ValidationError, ValueError, KeyError, TypeError, AttributeError, csv.Error, RecursionError)


def make(streams: Mapping[str, Sequence[Record]], key: SigningKey | None) -> Export:
    """Of streams that are not empty."""
    newest = max((record.recorded_at for records in streams.values() for record in records), default=None)
    heads = {stream: Head(records[-1].seq, records[-1].hash) for stream, records in streams.items()}
    unsigned = Export(iso(newest) if newest else "", streams, heads, None, None)
    if key is None:
        return unsigned
    signature = key.sign(EXPORT, canonical(unsigned.manifest))
    return Export(unsigned.as_of, streams, heads, key.id, signature)


def render(export: Export, form: str) -> str:
    """`form`: json, csv or html."""
    return _FORMS[form][0](export)


def read(text: str) -> tuple[Export, str]:
    """An export and its form, by what it begins with. Raises `Refused` for what is none."""
    form = "json" if text.startswith("{") else "html" if text.startswith("<!doctype html>") else "csv"
    try:
        return _FORMS[form][1](text), form
    except _UNREADABLE:
        raise Refused(
            f"This is no export of the evidence ledger (read as {form}).",
            fix="Make one with `firstuser evidence export`.",
        ) from None


def _to_json(export: Export) -> str:
    return json.dumps(_document(export), indent=1, ensure_ascii=False) + "\n"


def _from_json(text: str) -> Export:
    document = json.loads(text)
    manifest = document.pop("manifest")
    if manifest.pop("format") != FORMAT:
        raise ValueError("another format")
    streams = {
        stream: [{**record, "stream": stream} for record in records]
        for stream, records in document.pop("streams").items()
    }
    return _EXPORT.validate_python({**manifest, **document, "streams": streams})


def _document(export: Export) -> dict[str, Any]:
    streams = {stream: [_plain(record) for record in records] for stream, records in export.streams.items()}
    signed = {"key_id": export.key_id, "signature": export.signature}
    return {"manifest": export.manifest, **signed, "streams": streams}


def _plain(record: Record) -> dict[str, Any]:
    values = {**asdict(record), "recorded_at": iso(record.recorded_at)}
    del values["stream"]
    return values


def _to_csv(export: Export) -> str:
    out = io.StringIO()
    rows: csv.DictWriter[str] = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    rows.writeheader()
    for stream, records in export.streams.items():
        for record in records:
            body = canonical(record.body).decode()
            rows.writerow({**_plain(record), "stream": stream, "body": body})
    manifest = canonical(export.manifest).decode()
    rows.writerow(
        {"stream": MANIFEST, "body": manifest, "key_id": export.key_id, "signature": export.signature}
    )
    return out.getvalue()


def _from_csv(text: str) -> Export:
    *rows, last = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    if last["stream"] != MANIFEST:
        raise ValueError("the manifest is missing")
    manifest = json.loads(last["body"])
    if manifest.pop("format") != FORMAT:
        raise ValueError("another format")
    streams: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        values = {name: value or None for name, value in row.items()}
        streams.setdefault(str(row["stream"]), []).append({**values, "body": json.loads(row["body"])})
    signed = {"key_id": last["key_id"] or None, "signature": last["signature"] or None}
    return _EXPORT.validate_python({**manifest, **signed, "streams": streams})


def _to_html(export: Export) -> str:
    ends = "".join(
        f"<tr><td>{_text(stream)}<td>{head.seq}<td><code>{_text(head.hash)}</code>"
        for stream, head in export.heads.items()
    )
    shown = "".join(_table(stream, records) for stream, records in export.streams.items())
    data = json.dumps(_document(export), ensure_ascii=False).replace("<", "\\u003c")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Evidence</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>Evidence as of {_text(export.as_of)}</h1>\n"
        "<p>Every record is chained to the one before it and signed. "
        "<code>firstuser evidence verify FILE</code> recomputes all of this file, this text included.</p>\n"
        f"<p>Signed by key <code>{_text(str(export.key_id))}</code>.</p>\n"
        f"<table><tr><th>stream<th>records<th>head{ends}</table>\n{shown}{_OPENS}{data}{_CLOSES}\n"
        "</body></html>\n"
    )


def _table(stream: str, records: Sequence[Record]) -> str:
    rows = "".join(
        f"<tr><td>{record.seq}<td>{_text(iso(record.recorded_at))}<td>{_text(record.kind)}"
        f"<td><pre>{_text(json.dumps(record.body, indent=1, ensure_ascii=False))}</pre>"
        f"<td><code>{_text(record.id)}<br>{_text(record.hash)}</code>\n"
        for record in records
    )
    head = "<tr><th>record<th>recorded at<th>kind<th>what<th>id and hash"
    return f"<h2>{_text(stream)}</h2>\n<table>{head}\n{rows}</table>\n"


def _from_html(text: str) -> Export:
    _, opened, rest = text.partition(_OPENS)
    data, closed, _ = rest.partition(_CLOSES)
    if not opened or not closed:
        raise ValueError("the data is missing")
    return _from_json(data)


def _text(value: str) -> str:
    return html.escape(value)


_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.3rem .5rem;"
    "text-align:left;vertical-align:top}pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}"
    "code{overflow-wrap:anywhere;font-size:.85em}"
)
_FORMS: Mapping[str, tuple[Callable[[Export], str], Callable[[str], Export]]] = {
    "json": (_to_json, _from_json),
    "csv": (_to_csv, _from_csv),
    "html": (_to_html, _from_html),
}
FORMS = tuple(_FORMS)
