"""Values as OTLP has them: plain data in, protobuf's attribute values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from segue.tracing.genai import as_json

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue


def pairs(attributes: Mapping[str, Any]) -> Iterable[KeyValue]:
    """Attributes as OTLP's pairs."""
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

    for key, value in attributes.items():
        yield KeyValue(key=plain_text(key), value=any_value(value))


def any_value(value: Any) -> AnyValue:
    """One value: text, numbers, yes or no, and lists of these as they are; anything else as JSON text."""
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue

    match value:
        case str():
            return AnyValue(string_value=plain_text(value))
        case bool():
            return AnyValue(bool_value=value)
        case int() if -(2**63) <= value < 2**63:
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case list() | tuple() if all(isinstance(each, str | bool | int | float) for each in value):
            return AnyValue(array_value=ArrayValue(values=[any_value(each) for each in value]))
        case _:
            return AnyValue(string_value=plain_text(as_json(value) or ""))


def plain_text(value: str) -> str:
    """Text that UTF-8 takes: half a surrogate pair becomes a question mark."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode(errors="replace").decode()
    return value
