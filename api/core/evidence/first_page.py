"""An export's HTML as the first releases wrote it. Nothing here may change: it is compared byte for byte."""

import html
import json
from collections.abc import Sequence

from api.core.evidence.chain import Record, iso
from api.core.evidence.export import Export


def page(export: Export, data: str) -> str:
    ends = "".join(
        f"<tr><td>{_text(stream)}<td>{head.seq}<td><code>{_text(head.hash)}</code>"
        for stream, head in export.heads.items()
    )
    shown = "".join(_table(stream, records) for stream, records in export.streams.items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Evidence</title>'
        f"<style>{_STYLE}</style></head><body>\n<h1>Evidence as of {_text(export.as_of)}</h1>\n"
        "<p>Every record is chained to the one before it and signed. "
        "<code>firstuser evidence verify FILE</code> recomputes all of this file, this text included.</p>\n"
        f"<p>Signed by key <code>{_text(str(export.key_id))}</code>.</p>\n"
        f"<table><tr><th>stream<th>records<th>head{ends}</table>\n{shown}{data}\n"
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


def _text(value: str) -> str:
    return html.escape(value)


_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{border-bottom:1px solid #ccc;padding:.3rem .5rem;"
    "text-align:left;vertical-align:top}pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere}"
    "code{overflow-wrap:anywhere;font-size:.85em}"
)
