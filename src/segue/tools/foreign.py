"""Foreign tools: a function schema and a function in, a tool out.

For tools that are described elsewhere - an OpenAI function schema, a bare JSON schema - and run by a plain function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from segue.base.errors import UserError
from segue.tools.declaration import Declaration
from segue.tools.deriving import derive
from segue.tools.tool import Tool, check_name, normal_options


def tool_from_schema(
    schema: Mapping[str, Any],
    function: Callable[..., Any] | None = None,
    *,
    declare: Declaration | Mapping[str, Any] | None = None,
    **options: Any,
) -> Tool:
    """A tool out of its schema.

    Args:
        schema: `{"type": "function", "function": {…}}` as OpenAI has it, its inner part, or a JSON schema of the
            arguments that has a name (or title) and a description.
        function: Sync or async; takes the arguments by name. `None` for a tool that is only judged.
        declare: What the tool says of itself to the gate, as a dict or a `Declaration`; what it leaves out is derived
            from names, types and descriptions, and so is the effect where nothing says it.
        options: The fields of `Tool`: effect, reach, timeout_s, approval, scopes and the rest.

    Raises:
        UserError: The schema, the declaration or an option does not make a tool; the message says why.
    """
    name, description, parameters = _read(schema)
    check_name(name)
    if function is None:
        function = _missing(name)
    if not callable(function):
        raise UserError(f"tool {name!r}: a function is called with the arguments, not {type(function).__name__}")
    options = normal_options(name, parameters, {**options, "declare": declare})
    said: Declaration | None = options.get("declare")
    derived = derive(name, description, parameters, declared=said, effect=options.get("effect")).declaration
    options.setdefault("effect", derived.effect)
    options.setdefault("reach", derived.reach)
    made = Tool(name=name, description=description, parameters=dict(parameters), fn=function, **options)
    return replace(made, declare=said)


def _read(schema: Mapping[str, Any]) -> tuple[str, str, Mapping[str, Any]]:
    if not isinstance(schema, Mapping):
        raise UserError(f"a tool's schema is a dict, not {type(schema).__name__}")
    inner = schema.get("function") if isinstance(schema.get("function"), Mapping) else schema
    assert inner is not None
    name, description = inner.get("name") or inner.get("title"), inner.get("description") or ""
    if not isinstance(name, str) or not isinstance(description, str):
        raise UserError(
            f"a tool's schema has a name and a description as text; this one has {name!r} and {description!r}"
        )
    held = inner.get("parameters", inner.get("input_schema", inner.get("inputSchema")))
    if held is None and ("properties" in inner or inner.get("type") == "object"):
        held = {key: each for key, each in inner.items() if key not in ("name", "title", "description", "strict")}
    held = {"type": "object", "properties": {}} if held is None else held
    if not isinstance(held, Mapping) or not isinstance(held.get("properties", {}), Mapping):
        raise UserError(f"tool {name!r}: its parameters are a JSON schema of an object, not {held!r}")
    return name, description, held


def _missing(name: str) -> Callable[..., Any]:
    def call(**arguments: Any) -> Any:
        raise UserError(f"tool {name!r} was made without a function; it can only be judged")

    return call
