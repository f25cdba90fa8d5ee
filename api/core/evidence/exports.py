"""The whole ledger as one file that verifies without us: JSON, CSV or HTML, the same content in each.

A manifest says where every stream ends, and is signed like the records; so a file whose end was cut off, or
from which a stream was taken, is found out. The same ledger gives the same file, byte for byte.
"""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.core.errors import Refused
from api.core.evidence import first_page, page
from api.core.evidence.chain import Record, canonical, iso
from api.core.evidence.export import FORMAT, MANIFEST, Export, make
from api.core.evidence.judging import judge

__all__ = ["COLUMNS", "FORMAT", "FORMS", "MANIFEST", "Export", "make", "read", "render", "renderings"]
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


_EXPORT = TypeAdapter(Export)
# Wrong shapes of outside text come to light where they are taken apart.
_UNREADABLE = (ValidationError, ValueError, KeyError, TypeError, AttributeError, csv.Error, RecursionError)


def render(export: Export, form: str) -> str:
    """`form`: json, csv or html."""
    return _FORMS[form][0](export)


def renderings(export: Export, form: str) -> Iterator[str]:
    """As it is written now, and as earlier releases wrote it: what auditors keep verifies for good."""
    yield render(export, form)
    if form == "html":
        yield _to_first_html(export)


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
    return page.page(export, judge(export), _data(export))


def _to_first_html(export: Export) -> str:
    return first_page.page(export, _data(export))


def _data(export: Export) -> str:
    data = json.dumps(_document(export), ensure_ascii=False).replace("<", "\\u003c")
    return f"{_OPENS}{data}{_CLOSES}"


def _from_html(text: str) -> Export:
    _, opened, rest = text.partition(_OPENS)
    data, closed, _ = rest.partition(_CLOSES)
    if not opened or not closed:
        raise ValueError("the data is missing")
    return _from_json(data)


_FORMS: Mapping[str, tuple[Callable[[Export], str], Callable[[str], Export]]] = {
    "json": (_to_json, _from_json),
    "csv": (_to_csv, _from_csv),
    "html": (_to_html, _from_html),
}
FORMS = tuple(_FORMS)
