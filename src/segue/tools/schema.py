"""A tool's schema: a function in, a pydantic model of its arguments and their JSON schema out.

The description and each argument's description come from the docstring (Google style), the types from the
signature. A first parameter typed `RunContext[…]`, or an untyped one called `ctx`, is not the model's to fill.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.errors import PydanticUserError
from pydantic.json_schema import GenerateJsonSchema

from segue.base.errors import UserError
from segue.context.run import RunContext


@dataclass(frozen=True)
class Signature:
    """What is known of a function that became a tool."""

    description: str
    arguments: type[BaseModel]
    parameters: dict[str, Any]
    """JSON schema of the arguments, without titles."""
    takes_ctx: bool


class _Untitled(GenerateJsonSchema):
    """JSON schema without titles: they repeat the names, and a model pays for each token."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def read_signature(fn: Callable[..., Any], *, name: str) -> Signature:
    """Read a function.

    Raises:
        UserError: It has no docstring, takes `*args` or `**kwargs`, or a type that has no JSON schema.
    """
    from docstring_parser import DocstringStyle, parse

    parsed = parse(inspect.getdoc(fn) or "", style=DocstringStyle.GOOGLE)
    described = {param.arg_name: " ".join((param.description or "").split()) for param in parsed.params}
    description = "\n\n".join(part for part in (parsed.short_description, parsed.long_description) if part)
    parameters = list(inspect.signature(fn).parameters.values())
    hints = _hints(fn, name)
    takes_ctx = bool(parameters) and _is_ctx(parameters[0], hints)
    fields: dict[str, Any] = {}
    for parameter in parameters[1:] if takes_ctx else parameters:
        fields[parameter.name] = _field(parameter, hints, described, name)
    model = _model(name, fields)
    return Signature(description, model, _schema(model, name), takes_ctx)


def _hints(fn: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(fn, include_extras=True)
    except NameError as error:
        raise UserError(
            f"tool {name!r}: the type {error.name!r} in its signature is not known where the function is defined.",
            way_out="Import it at module level, not only under TYPE_CHECKING.",
        ) from None


def _is_ctx(parameter: inspect.Parameter, hints: dict[str, Any]) -> bool:
    hint = hints.get(parameter.name)
    origin = typing.get_origin(hint) or hint
    return origin is RunContext or (hint is None and parameter.name == "ctx")


def _field(
    parameter: inspect.Parameter, hints: dict[str, Any], described: dict[str, str], tool_name: str
) -> tuple[Any, Any]:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise UserError(f"tool {tool_name!r} takes {parameter}; a model needs each argument named and typed")
    default = ... if parameter.default is parameter.empty else parameter.default
    return hints.get(parameter.name, Any), Field(default, description=described.get(parameter.name))


def _model(name: str, fields: dict[str, Any]) -> type[BaseModel]:
    try:
        return create_model(
            f"{name}_arguments", __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=False), **fields
        )
    except PydanticUserError as error:
        raise UserError(f"tool {name!r}: {error.message}") from None


def _schema(model: type[BaseModel], name: str) -> dict[str, Any]:
    try:
        schema = model.model_json_schema(schema_generator=_Untitled)
    except PydanticUserError as error:
        raise UserError(f"tool {name!r} has an argument without a JSON schema: {error.message}") from None
    return without_titles(schema)


def without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without the titles of models."""
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in ("properties", "$defs") and isinstance(value, dict):
            out[key] = {name: without_titles(item) for name, item in value.items()}
        elif isinstance(value, dict):
            out[key] = without_titles(value)
        elif isinstance(value, list):
            out[key] = [without_titles(item) if isinstance(item, dict) else item for item in value]
        else:
            out[key] = value
    return out
