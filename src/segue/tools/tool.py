"""Tool: one thing that an agent may do, with what it does to the world said up front.

`@tool` makes one of a function; `Tool.from_langchain` of a LangChain tool. How a call of it runs - validation,
approval, deadline - is in `segue.tools.execution`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from pydantic import BaseModel, ValidationError

from segue.base.errors import UserError
from segue.base.ids import derived_id
from segue.context.run import RunContext
from segue.tools.declaration import Declaration
from segue.tools.reconciling import check_reconcile
from segue.tools.schema import argument_values, canonical, read_signature, without_titles

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

Effect = Literal["read", "write", "irreversible"]
Reach = Literal["own", "out", "account"]
Approval = bool | Callable[..., bool]
ReturnT = TypeVar("ReturnT")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One registered tool. Calling it calls the function itself, with nothing of Segue around it."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON schema of the arguments, as the model reads it."""
    fn: Callable[..., Any]
    takes_ctx: bool = False
    arguments: type[BaseModel] | None = None
    """Validates and converts the arguments; `None` hands them to `fn` as they are."""
    effect: Effect = "write"
    """What it does to the world. `read` may repeat; `write` and `irreversible` happen once."""
    reach: Reach = "own"
    """Where it lands: in the user's own data, outside, or on an account."""
    timeout_s: float = 60.0
    approval: Approval = False
    """Whether a person is asked first: always, never, or a predicate over the arguments."""
    approval_expires_s: float | None = None
    """Seconds that a person has for the approval; `None` for what the workspace says. Past them it is rejected."""
    idempotency_key: tuple[str, ...] = ()
    """Arguments that make two calls the same effect."""
    scopes: frozenset[str] = frozenset()
    """What the principal must hold, all of them."""
    retry_safe: bool = False
    """The outside honours the idempotency key, so an unrecorded call may be sent again."""
    reconcile: Callable[..., Any] | None = None
    """`(ctx, **arguments)`, async or not: finds out whether a call took effect. What the call would have returned, or
    `None` where it did not; raises where it cannot say. `ctx` may be left out, and arguments that it does not need."""
    trusted: bool = False
    """Whether its results are the system's own data, not text that anybody could have written."""
    delegates: bool = False
    """Whether it is another agent, which may wait for a person in the middle of its work; what ran before it is in a
    checkpoint then, so that it is not run again."""

    declare: Declaration | None = None
    """What it says of itself to the gate: what its results are, which arguments decide where something lands. What
    is not said is derived from names, types and descriptions."""

    of: Any = None
    """The toolset that it is a tool of, where that can be asked for more than calls."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function as it is."""
        return self.fn(*args, **kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Tool:
        if instance is None:
            return self
        bound = replace(self, fn=self.fn.__get__(instance, owner))
        if self.reconcile is None or next(iter(inspect.signature(self.reconcile).parameters), "") != "self":
            return bound
        return replace(bound, reconcile=self.reconcile.__get__(instance, owner))

    @cached_property
    def is_async(self) -> bool:
        """Whether the function is awaited; a sync one runs in a thread."""
        return inspect.iscoroutinefunction(self.fn) or inspect.iscoroutinefunction(getattr(self.fn, "__call__", None))  # noqa: B004

    def schema(self) -> dict[str, Any]:
        """As it goes to a model, in OpenAI's shape."""
        function = {"name": self.name, "description": self.description, "parameters": self.parameters}
        return {"type": "function", "function": function}

    def validate(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """The arguments with their Python types.

        Raises:
            ValidationError: They do not fit the schema.
        """
        if self.arguments is None:
            return arguments
        return argument_values(self.arguments.model_validate(arguments))

    def needs_approval(self, arguments: dict[str, Any]) -> bool:
        """Whether a person is asked before these validated arguments run.

        Raises:
            UserError: The predicate raised. The message names the tool.
        """
        if isinstance(self.approval, bool):
            return self.approval
        try:
            return bool(self._predicate(self.approval, arguments))
        except Exception as error:
            raise UserError(
                f"tool {self.name!r}: its approval predicate raised {type(error).__name__}: {error}"
            ) from error

    def _predicate(self, approval: Callable[..., bool], arguments: dict[str, Any]) -> bool:
        parameters = inspect.signature(approval).parameters
        if any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
            return approval(**arguments)
        if len(parameters) == 1 and not set(parameters) & set(self.parameters.get("properties", {})):
            return approval(arguments)
        return approval(**{key: arguments[key] for key in parameters if key in arguments})

    def key_for(
        self, run_id: str, call_id: str, arguments: dict[str, Any], *, tenant: str = "", branch: str = ""
    ) -> str:
        """The idempotency key of a call, within its tenant and its fork: by the named arguments, else by the call.

        Values that are equal as JSON make the same key, and so do amounts such as 1.5 and 1.50.
        """
        parts = [tenant, self.name, *([branch] if branch else [])]
        if self.idempotency_key:
            return derived_id(
                "key", *parts, *(f"{name}={canonical(arguments.get(name))}" for name in self.idempotency_key)
            )
        return derived_id("key", *parts, run_id, call_id)

    @classmethod
    def from_langchain(cls, theirs: BaseTool, **overrides: Any) -> Tool:
        """A LangChain tool, unchanged inside. It counts as `write`, since nothing says that it only reads."""
        schema: Any = theirs.tool_call_schema
        parameters: dict[str, Any] = schema if isinstance(schema, dict) else schema.model_json_schema()

        async def call(**arguments: Any) -> Any:
            return await theirs.ainvoke(arguments)

        parameters = without_titles(parameters)
        parameters.pop("description", None)
        options = normal_options(theirs.name, parameters, overrides)
        return cls(name=theirs.name, description=theirs.description, parameters=parameters, fn=call, **options)


@overload
def tool(fn: Callable[..., Any], /, **options: Any) -> Tool: ...


@overload
def tool(
    *,
    effect: Effect = "write",
    reach: Reach = "own",
    timeout_s: float = 60.0,
    approval: Approval = False,
    approval_expires_s: float | None = None,
    idempotency_key: str | Sequence[str] = (),
    scopes: Sequence[str] = (),
    retry_safe: bool = False,
    reconcile: Callable[..., Any] | None = None,
    trusted: bool = False,
    declare: Declaration | Mapping[str, Any] | None = None,
    name: str | None = None,
    description: str | None = None,
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(fn: Callable[..., Any] | None = None, /, **options: Any) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a tool of a function; its docstring is what the model reads.

    A bare `@tool` counts as `write`: it is run once, without asking. Say `effect="read"` where it only reads.

    Args:
        fn: A sync or async function; its first parameter may be a `RunContext`. A sync one runs in a thread.
        options: The fields of `Tool`: effect, reach, timeout_s, approval, approval_expires_s, idempotency_key,
            scopes, retry_safe, reconcile, trusted, declare, name, description.

    Raises:
        UserError: The function or an option does not make a tool; the message says why.
    """
    if fn is None:
        return lambda function: _build(function, **options)
    return _build(fn, **options)


def _build(fn: Callable[..., Any], /, **options: Any) -> Tool:
    if isinstance(fn, Tool):
        return replace(fn, **normal_options(fn.name, fn.parameters, options))
    if not callable(fn) or isinstance(fn, type):
        what = f"the class {fn.__name__}" if isinstance(fn, type) else type(fn).__name__
        raise UserError(f"@tool is for functions, not for {what}")
    name = options.pop("name", None) or getattr(fn, "__name__", type(fn).__name__)
    check_name(name)
    signature = read_signature(fn, name=name)
    description = options.pop("description", None) or signature.description
    if not description:
        raise UserError(
            f"tool {name!r} has no docstring.", way_out="Write one: it is what the model chooses the tool by."
        )
    return Tool(
        name=name,
        description=description,
        parameters=signature.parameters,
        fn=fn,
        takes_ctx=signature.takes_ctx,
        arguments=signature.arguments,
        **normal_options(name, signature.parameters, options),
    )


def check_name(name: str) -> None:
    """Look at a tool's name.

    Raises:
        UserError: No model server would take it.
    """
    if not _NAME.fullmatch(name):
        raise UserError(
            f"{name!r} is no name for a tool: letters, digits, _ and -, at most 64, not starting with a digit"
        )


def normal_options(name: str, parameters: Mapping[str, Any], options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a tool that an author gave, checked and in the form that a tool keeps.

    Raises:
        UserError: One is unknown or unusable; the message names the tool and the option.
    """
    known = set(Tool.__dataclass_fields__) - {"fn", "parameters", "arguments", "takes_ctx"}
    unknown = set(options) - known
    if unknown:
        raise UserError(f"tool {name!r}: no option {sorted(unknown)[0]!r}; there are {', '.join(sorted(known))}")
    out = dict(options)
    if out.get("declare") is not None:
        out["declare"] = declared = Declaration.of(out["declare"], name, parameters)
        for option in ("effect", "reach"):
            said = getattr(declared, option)
            if said is not None and out.setdefault(option, said) != said:
                raise UserError(f"tool {name!r}: {option}={out[option]!r}, but it is declared as {said!r}")
    if "idempotency_key" in out:
        keys = (out["idempotency_key"],) if isinstance(out["idempotency_key"], str) else tuple(out["idempotency_key"])
        missing = [key for key in keys if key not in parameters.get("properties", {})]
        if missing:
            held = ", ".join(parameters.get("properties", {})) or "none"
            raise UserError(f"tool {name!r}: idempotency_key names {missing[0]!r}; its arguments are {held}")
        out["idempotency_key"] = keys
    if "scopes" in out:
        out["scopes"] = frozenset(out["scopes"])
    for option, choices in (("effect", ("read", "write", "irreversible")), ("reach", ("own", "out", "account"))):
        if option in out and out[option] not in choices:
            raise UserError(f"tool {name!r}: {option}={out[option]!r}; it is one of {', '.join(choices)}")
    if not out.get("timeout_s", 1) > 0:
        raise UserError(f"tool {name!r}: timeout_s={out['timeout_s']!r}; a deadline is above 0 seconds")
    expires_s = out.get("approval_expires_s")
    if expires_s is not None and not expires_s > 0:
        raise UserError(f"tool {name!r}: approval_expires_s={expires_s!r}; give seconds above 0, or None for no end")
    _check_approval(name, parameters, out.get("approval", False))
    check_reconcile(name, parameters, out.get("reconcile"))
    return out


def _check_approval(name: str, parameters: Mapping[str, Any], approval: Any) -> None:
    if isinstance(approval, bool):
        return
    if not callable(approval):
        raise UserError(f"tool {name!r}: approval={approval!r}; it is True, False or a predicate over the arguments")
    held = parameters.get("properties", {})
    wanted = inspect.signature(approval).parameters
    needed = [each.name for each in wanted.values() if each.default is each.empty and each.kind is not each.VAR_KEYWORD]
    strange = [each for each in needed if each not in held]
    if strange and len(wanted) > 1:
        raise UserError(
            f"tool {name!r}: approval takes {strange[0]!r}; the arguments are {', '.join(held) or 'none'}.",
            way_out="Name arguments of the tool, or take one parameter: the dict of all of them.",
        )


__all__ = ["Approval", "Effect", "Reach", "RunContext", "Tool", "ValidationError", "tool"]
