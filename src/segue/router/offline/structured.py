"""Answers in a given schema: JSON text filled from the conversation alone.

Goes in: an output schema, the conversation, and the text that would have been the answer. Comes out: JSON text. A
field for the answer takes that text; other fields take what results and the request hold under their names. A
required field that nothing holds is null where the schema allows null, an empty list where it allows one, and else
left out, so that the gap is seen.
"""

from __future__ import annotations

import json
import re
from typing import Any

from segue.router.offline.check import fits
from segue.router.offline.fill import fill
from segue.router.offline.history import Conversation, Literal
from segue.router.offline.mentions import as_number
from segue.router.offline.plan import make_plan, plan_arguments, plan_shape
from segue.router.offline.recall import Known, from_results, is_missing
from segue.router.offline.schema import Leaf, Schema, Tool, leaves_of, resolve
from segue.router.offline.words import word_set

_ANSWER_WORDS = word_set("answer reply response output result summary text message content report explanation")
_SOURCE_WORDS = word_set("citation citations source sources reference references")
_CITATION = re.compile(r"\[[^\[\]\s]+:\d+(?:-\d+)?\]")


def in_schema(output_schema: Schema, talk: Conversation, text: str) -> str:
    """The answer as JSON text in the schema, as nearly as it can be without inventing a value."""
    schema = _unwrapped(output_schema)
    root = resolve(schema, schema)
    shape = plan_shape(schema, talk.system)
    if shape is not None:
        return _dump(plan_arguments(shape, schema, make_plan(shape, talk), talk.request))
    if isinstance(root.get("properties"), dict):
        return _dump(_object(schema, talk, text))
    if root.get("type") == "string" and fits(text, root):
        return _dump(text)
    wrapped: Schema = {"type": "object", "properties": {"value": schema}, "required": ["value"], **_definitions(schema)}
    return _dump(_object(wrapped, talk, text).get("value"))


def _unwrapped(schema: Schema) -> Schema:
    """The schema itself, also where it comes in OpenAI's `response_format` shape."""
    for key in ("json_schema", "schema"):
        inner = schema.get(key)
        if isinstance(inner, dict) and "properties" not in schema:
            schema = inner
    return schema


def _definitions(schema: Schema) -> Schema:
    return {key: schema[key] for key in ("$defs", "definitions") if key in schema}


def _object(schema: Schema, talk: Conversation, text: str) -> dict[str, Any]:
    tool = Tool("", "", schema, leaves_of(schema))
    filled = fill(tool, talk.request, Known(talk, rest=""))
    done = [call for call in talk.calls if call.result is not None and not call.failed]
    answered = False
    for leaf in tool.leaves:
        found = _field(leaf, tool, talk, text, answered=answered)
        if found is not None:
            filled.values[leaf.path] = found
            answered |= found is text
            continue
        value = from_results(leaf, tool, done)
        if not is_missing(value):
            filled.values[leaf.path] = value
        elif leaf.path not in filled.values and leaf.required and leaf.kind == "array" and fits([], leaf.schema):
            filled.values[leaf.path] = []
    order = [leaf.path for leaf in tool.leaves]
    filled.values = {path: filled.values[path] for path in order if path in filled.values}
    return filled.arguments


def _field(leaf: Leaf, tool: Tool, talk: Conversation, text: str, *, answered: bool) -> Any:
    """The value of a field that is about the answer itself; `None` for any other field."""
    if leaf.kind == "array" and leaf.raw_words & _SOURCE_WORDS and not leaf.schema.get("item_leaves"):
        held = "\n".join(call.result or "" for call in talk.calls)
        cited = list(dict.fromkeys(_CITATION.findall(held)))
        bare = [one.strip("[]") for one in cited]
        return next((found for found in (cited, bare) if found and _all_fit(found, leaf)), None)
    if answered or leaf.kind != "string" or leaf.schema.get("enum") or not leaf.raw_words & _ANSWER_WORDS:
        return None
    return text if fits(text, leaf.schema) else None


def _all_fit(values: list[str], leaf: Leaf) -> bool:
    return fits(values, leaf.schema) and all(fits(value, leaf.schema["items"]) for value in values)


def _dump(value: Any) -> str:
    return json.dumps(_numbers(value), ensure_ascii=False)


def _numbers(value: Any) -> Any:
    if isinstance(value, Literal):
        number = as_number(value)
        return str(value) if number is None else number
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    return [_numbers(item) for item in value] if isinstance(value, list) else value
