"""AWS's query protocol from the server's side, after botocore's own model of RDS: forms in, XML out.

A parameter or a member that the model does not know is an error.
"""

from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import botocore.session
from botocore.model import ListShape, Shape, StructureShape

SPACE = "http://rds.amazonaws.com/doc/2014-10-31/"
_MODEL = botocore.session.get_session().get_service_model("rds")


def read(form: bytes) -> tuple[str, dict[str, Any]]:
    """The action and its parameters."""
    flat = dict(parse_qsl(form.decode(), keep_blank_values=True))
    action = flat.pop("Action")
    flat.pop("Version")
    shape = _MODEL.operation_model(action).input_shape
    assert isinstance(shape, StructureShape)
    found = _structure(shape, "", flat)
    assert not flat, f"{action} knows no {sorted(flat)}"
    return action, found


def _structure(shape: StructureShape, prefix: str, flat: dict[str, str]) -> dict[str, Any]:
    found = {name: _value(member, f"{prefix}{name}", flat) for name, member in shape.members.items()}
    return {name: value for name, value in found.items() if value is not None}


def _value(shape: Shape, key: str, flat: dict[str, str]) -> Any:
    if isinstance(shape, StructureShape):
        nested = any(name.startswith(f"{key}.") for name in flat)
        return _structure(shape, f"{key}.", flat) if nested else None
    if isinstance(shape, ListShape):
        item = shape.member.serialization.get("name", "member")
        items: list[Any] = []
        while (value := _value(shape.member, f"{key}.{item}.{len(items) + 1}", flat)) is not None:
            items.append(value)
        return items or None
    text = flat.pop(key, None)
    if text is None:
        return None
    match shape.type_name:
        case "boolean":
            return text == "true"
        case "integer":
            return int(text)
        case "timestamp":
            return datetime.fromisoformat(text)
        case _:
            return text


def written(action: str, result: dict[str, Any]) -> bytes:
    shape = _MODEL.operation_model(action).output_shape
    inner = _xml(shape, result) if shape else ""
    named = f"<{action}Result>{inner}</{action}Result>"
    tail = "<ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata>"
    return f'<{action}Response xmlns="{SPACE}">{named}{tail}</{action}Response>'.encode()


def error(code: str, message: str) -> bytes:
    said = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
    inner = f"<Error>{said}</Error><RequestId>req-1</RequestId>"
    return f'<ErrorResponse xmlns="{SPACE}">{inner}</ErrorResponse>'.encode()


def _xml(shape: Shape, value: Any) -> str:
    if isinstance(shape, StructureShape):
        unknown = set(value) - set(shape.members)
        assert not unknown, f"{shape.name} has no {unknown}"
        return "".join(
            f"<{name}>{_xml(shape.members[name], member)}</{name}>"
            for name, member in value.items()
            if member is not None
        )
    if isinstance(shape, ListShape):
        item = shape.member.serialization.get("name", "member")
        return "".join(f"<{item}>{_xml(shape.member, each)}</{item}>" for each in value)
    if isinstance(value, bool):
        return str(value).lower()
    return escape(value.isoformat() if isinstance(value, datetime) else str(value))
