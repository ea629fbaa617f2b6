"""Which JSON schemas Anthropic's structured output can keep to, how they must be put, and what stands in otherwise.

Every object is closed, nothing is recursive, and numbers, lengths and patterns cannot be bounded: such bounds go into
the description, where the model reads them. Whoever asked checks the answer by the whole schema.
Other schemas become a tool that the model must call: its input is the answer.
See https://platform.claude.com/docs/en/build-with-claude/structured-outputs#json-schema-limitations.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_KNOWN = frozenset(
    {
        "$defs", "$ref", "additionalProperties", "allOf", "anyOf", "const", "default", "definitions", "description",
        "enum", "format", "items", "properties", "required", "title", "type",
    }
)  # fmt: skip
_TABLES = ("properties", "$defs", "definitions")
_LISTS = ("anyOf", "allOf")
_FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")


_WRAPPED = "value"


@dataclass(frozen=True)
class AnswerTool:
    """A tool whose input is an answer by a schema."""

    name: str
    schema: Mapping[str, Any]
    is_wrapped: bool
    """Whether the answer is no object, and stands inside of one because the input of a tool must be."""

    @classmethod
    def of(cls, name: str, schema: Mapping[str, Any]) -> AnswerTool:
        """The tool for a schema."""
        name = re.sub(r"[^a-zA-Z0-9_-]", "_", name)[:64] or "answer"
        if schema.get("type") == "object":
            return cls(name, schema, is_wrapped=False)
        inner = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
        wrapped = {"type": "object", "properties": {_WRAPPED: inner}, "required": [_WRAPPED]}
        defs = {key: schema[key] for key in ("$defs", "definitions") if key in schema}  # references begin at the root
        return cls(name, {**wrapped, **defs}, is_wrapped=True)

    def answer(self, text: str) -> str:
        """The answer out of the tool's input; the input itself where it is no such thing."""
        if not self.is_wrapped:
            return text
        try:
            return orjson.dumps(orjson.loads(text)[_WRAPPED]).decode()
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return text


def can_be_kept(schema: Mapping[str, Any]) -> bool:
    """Whether the schema is of an object, and says nothing that would be lost: no open objects, no recursion."""
    if schema.get("type") != "object":
        return False
    defs = {**schema.get("definitions", {}), **schema.get("$defs", {})}
    return _is_closed(schema, defs, ())


def kept_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The schema as the API takes it."""
    out: dict[str, Any] = {}
    told: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _TABLES and isinstance(value, Mapping):
            out[key] = {name: kept_schema(each) for name, each in value.items()}
        elif key in (*_LISTS, "oneOf") and isinstance(value, list):
            out["allOf" if key == "allOf" else "anyOf"] = [kept_schema(each) for each in value]
        elif key == "items" and isinstance(value, Mapping):
            out[key] = kept_schema(value)
        elif (key in _KNOWN and (key != "format" or value in _FORMATS)) or (key == "minItems" and value in (0, 1)):
            out[key] = value
        elif key not in ("$schema", "discriminator"):
            told[key] = value
    if out.get("type") == "object" or "properties" in out:
        out["additionalProperties"] = False
    if told:
        said = orjson.dumps(told, default=str).decode()
        out["description"] = f"{out['description']} {said}" if out.get("description") else said
    return out


def _is_closed(schema: Any, defs: Mapping[str, Any], within: tuple[str, ...]) -> bool:
    if not isinstance(schema, Mapping):
        return schema is not True
    if reference := schema.get("$ref"):
        name = str(reference).rpartition("/")[2]
        return name in defs and name not in within and _is_closed(defs[name], defs, (*within, name))
    if not any(key in schema for key in ("type", "enum", "const", "properties", "anyOf", "oneOf", "allOf")):
        return False  # anything at all
    is_object = schema.get("type") == "object" or "properties" in schema
    if is_object and not (schema.get("properties") and schema.get("additionalProperties", False) is False):
        return False
    parts = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    for key in (*_LISTS, "oneOf"):
        parts.extend(schema.get(key, ()))
    return all(_is_closed(part, defs, within) for part in parts)
