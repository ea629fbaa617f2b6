"""A tool's schema: a function in, a pydantic model of its arguments and their JSON schema out.

The description and each argument's description come from the docstring (Google style), the types from the
signature. A first parameter typed `RunContext[…]`, or an untyped one called `ctx`, is not the model's to fill, and
neither is the `self` of a method.
"""

from __future__ import annotations

import functools
import inspect
import json
import typing
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import to_jsonable_python

from segue.base.errors import UserError
from segue.context.run import RunContext

_STAND_IN = "argument__"
"""Begins the field of an argument whose own name pydantic keeps for itself, such as `copy` or `_id`."""


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
        UserError: It takes `*args`, `**kwargs` or positional-only arguments, a context that is not first, or a type
            that has no JSON schema.
    """
    from docstring_parser import DocstringStyle, parse

    parsed = parse(inspect.getdoc(_plain(fn)) or "", style=DocstringStyle.GOOGLE)
    described = {param.arg_name: " ".join((param.description or "").split()) for param in parsed.params}
    description = "\n\n".join(part for part in (parsed.short_description, parsed.long_description) if part)
    hints = _hints(fn, name)
    parameters = list(inspect.signature(fn).parameters.values())
    if parameters and _is_self(fn, parameters[0]):
        del parameters[0]
    takes_ctx = bool(parameters) and _is_ctx(parameters[0], hints)
    fields: dict[str, Any] = {}
    for parameter in parameters[1:] if takes_ctx else parameters:
        fields[_field_name(parameter.name)] = _field(parameter, hints, described, name)
    model = _model(name, fields)
    return Signature(description, model, _schema(model, name), takes_ctx)


def argument_values(held: BaseModel) -> dict[str, Any]:
    """The validated arguments by the names that the function has for them."""
    return {name: getattr(held, field) for name, field in _names_of(type(held))}


@functools.lru_cache(maxsize=1_000)
def _names_of(kind: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """What the function calls each field of its arguments, and what the model calls it."""
    return tuple((field.removeprefix(_STAND_IN), field) for field in kind.model_fields)


def _plain(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function that holds docstring and types: inside a partial, or behind a callable object."""
    while isinstance(fn, functools.partial):
        fn = fn.func
    return fn if inspect.isroutine(fn) else type(fn).__call__


def _hints(fn: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(_plain(fn), include_extras=True)
    except NameError as error:
        raise UserError(
            f"tool {name!r}: the type {error.name!r} in its signature is not known where the function is defined.",
            way_out="Import it at module level, not only under TYPE_CHECKING.",
        ) from None


def _is_self(fn: Callable[..., Any], parameter: inspect.Parameter) -> bool:
    """Whether this is the object of a method whose class is still being made."""
    owner = getattr(fn, "__qualname__", "").rpartition(".")[0]
    return parameter.name == "self" and bool(owner) and not owner.endswith("<locals>")


def _is_ctx(parameter: inspect.Parameter, hints: dict[str, Any]) -> bool:
    hint = hints.get(parameter.name)
    return _is_context_type(hint) or (hint is None and parameter.name == "ctx")


def is_context(fn: Callable[..., Any], parameter: inspect.Parameter) -> bool:
    """Whether a parameter of a function is the run context: by its type, or untyped by its name."""
    try:
        hints = typing.get_type_hints(_plain(fn), include_extras=True)
    except NameError:
        hints = {}
    return _is_ctx(parameter, hints)


def _is_context_type(hint: Any) -> bool:
    return (typing.get_origin(hint) or hint) is RunContext


def _field_name(name: str) -> str:
    kept = name.startswith(("_", "model_")) or hasattr(BaseModel, name)
    return f"{_STAND_IN}{name}" if kept else name


def _field(
    parameter: inspect.Parameter, hints: dict[str, Any], described: dict[str, str], tool_name: str
) -> tuple[Any, Any]:
    name, hint = parameter.name, hints.get(parameter.name, Any)
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
        only = "positional-only " if parameter.kind is parameter.POSITIONAL_ONLY else ""
        raise UserError(f"tool {tool_name!r} takes {only}{parameter}; a model needs each argument named and typed")
    if _is_context_type(hint):
        raise UserError(f"tool {tool_name!r}: the run context {name!r} is its first parameter, or none")
    more = {"alias": name} if _field_name(name) != name else {}
    if name in described and not _says_itself(hint):
        more["description"] = described[name]
    if isinstance(parameter.default, FieldInfo):
        return Annotated[hint, Field(**more)], parameter.default  # type: ignore[call-overload]
    default = ... if parameter.default is parameter.empty else parameter.default
    return hint, Field(default, **more)  # type: ignore[call-overload]


def _says_itself(hint: Any) -> bool:
    """Whether the type is annotated with a description of its own."""
    return any(isinstance(each, FieldInfo) and each.description for each in getattr(hint, "__metadata__", ()))


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


def canonical(value: Any) -> str:
    """A validated argument as JSON text that is the same for values that are equal."""
    return json.dumps(to_jsonable_python(_ordered(value), bytes_mode="base64", fallback=repr), sort_keys=True)


def _ordered(value: Any) -> Any:
    if isinstance(value, Decimal) and value.is_finite():
        return format(value.normalize() + 0, "f")
    if isinstance(value, BaseModel):
        return _ordered(value.model_dump())
    if isinstance(value, dict):
        return {name: _ordered(item) for name, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(canonical, value))
    return [_ordered(item) for item in value] if isinstance(value, list | tuple) else value


def without_titles(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without the titles of models."""
    out: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in ("default", "const", "enum", "examples"):
            out[key] = value
        elif key in ("properties", "$defs") and isinstance(value, dict):
            out[key] = {name: without_titles(item) for name, item in value.items()}
        elif isinstance(value, dict):
            out[key] = without_titles(value)
        elif isinstance(value, list):
            out[key] = [without_titles(item) if isinstance(item, dict) else item for item in value]
        else:
            out[key] = value
    return out
