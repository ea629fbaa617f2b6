"""Reconciling: what a tool's own way to find out whether a call of it took effect must look like.

`reconcile(ctx, **arguments)` is given the arguments of the call that was begun: all of them, or those that it names.
It returns what the call would have returned, or `None` where it did not take effect; it raises where it cannot say.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from segue.base.errors import UserError, names
from segue.tools.schema import is_context


def takes_ctx(fn: Callable[..., Any]) -> bool:
    """Whether its first parameter is the run context."""
    parameters = list(inspect.signature(fn).parameters.values())
    return bool(parameters) and is_context(fn, parameters[0])


def named(fn: Callable[..., Any], arguments: dict[str, Any]) -> dict[str, Any]:
    """Those of the arguments that the function takes."""
    parameters = inspect.signature(fn).parameters.values()
    if any(each.kind is each.VAR_KEYWORD for each in parameters):
        return arguments
    return {each.name: arguments[each.name] for each in parameters if each.name in arguments}


def check_reconcile(name: str, parameters: Mapping[str, Any], fn: Any) -> None:
    """Whether it can be called with the arguments of the tool.

    Raises:
        UserError: It is no function, or wants what the tool has not.
    """
    if fn is None:
        return
    if not callable(fn) or isinstance(fn, type):
        raise UserError(f"tool {name!r}: reconcile={fn!r}; it is a function of (ctx, **arguments)")
    wanted = list(inspect.signature(fn).parameters.values())
    if wanted and wanted[0].name == "self":
        del wanted[0]
    if wanted and is_context(fn, wanted[0]):
        del wanted[0]
    held = parameters.get("properties", {})
    for each in wanted:
        if each.kind in (each.VAR_KEYWORD, each.VAR_POSITIONAL):
            continue
        if each.kind is each.POSITIONAL_ONLY:
            raise UserError(f"tool {name!r}: reconcile takes {each.name!r} by position; arguments are given by name")
        if each.name not in held and each.default is each.empty:
            raise UserError(
                f"tool {name!r}: reconcile takes {each.name!r}; the arguments are {names(held)}.",
                way_out="Name arguments of the tool, with the run context before them as ctx if you need it.",
            )
