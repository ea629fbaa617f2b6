"""Functions of nodes, read without being run: what they take out of the state, and whether they can ask a person.

What is said here is proof or nothing: `None` and an empty answer mean that the code does not tell.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
import types
from collections.abc import Iterator
from typing import Any

from langgraph.types import interrupt

from segue.graphs.sight import codes, held_by, mentions

_ASKS = frozenset({"interrupt", "ask"})
_RUNS = frozenset({"ainvoke", "invoke", "astream", "stream", "astream_events", "ainvoke_agent"})
_GOES = frozenset({"Command", "Goto", "Send", "because"})


def function_of(node: Any) -> Any:
    """The Python function that a compiled node, or a runnable, calls; `None` where it is something else."""
    at: Any = getattr(node, "bound", node)
    for _ in range(8):
        at = inspect.unwrap(at) if inspect.isroutine(at) else at
        if isinstance(at, types.FunctionType):
            return at
        if isinstance(at, types.MethodType):
            return at.__func__
        if isinstance(at, functools.partial) and at.args:
            return None  # its first argument is not the state
        # LangGraph keeps a sync function as `func`, beside an `afunc` of its own that runs it in a thread.
        at = next((held for name in ("inner", "func", "afunc") if (held := getattr(at, name, None)) is not None), None)
        if at is None:
            return None
    return None


def surely_read(function: Any) -> frozenset[str]:
    """The keys that the function takes out of its first argument by `state["key"]`, whatever way it goes."""
    found = _definition(function)
    if found is None or not (arguments := [*found.args.posonlyargs, *found.args.args]):
        return frozenset()
    return frozenset(_reads(found.body, arguments[0].arg))


def asks(function: Any) -> bool | None:
    """Whether the function can ask a person; `None` where its code does not tell, such as where it calls a graph."""
    found = mentions(function, _ASKS, frozenset({id(interrupt)}), strict=True)
    return found if found is not False or runs_graphs(function) is False else None


def runs_graphs(function: Any) -> bool | None:
    """Whether the function can call a graph; `None` where its code does not tell. A chat model is none."""
    found = mentions(function, _RUNS)
    return False if found and _calls_models_only(function) else found


def goes_by_itself(function: Any) -> bool:
    """Whether the function may say where to go next, so that the edges do not tell."""
    return mentions(function, _GOES) is not False


def _calls_models_only(function: Any) -> bool:
    """Whether all that it can see of what can be invoked are chat models, and there is one."""
    from langchain_core.language_models import BaseLanguageModel

    held = [each for code in codes(function.__code__) for each in held_by(function, code)]
    invoked = [each for each in held if hasattr(each, "invoke") or hasattr(each, "ainvoke")]
    models = [each for each in invoked if isinstance(getattr(each, "bound", each), BaseLanguageModel)]
    return bool(invoked) and len(models) == len(invoked)


def _definition(function: Any) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    first = tree.body[0] if tree.body else None
    return first if isinstance(first, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _reads(body: list[ast.stmt], state: str) -> Iterator[str]:
    """Reads in statements that always run: up to the first branch that may leave, or a change of the state."""
    for statement in body:
        if isinstance(statement, ast.Return | ast.Expr | ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Raise):
            if any(isinstance(each, ast.Name) and each.id == state for each in _targets(statement)):
                return
            yield from _in_expression(statement, state)
            if isinstance(statement, ast.Return | ast.Raise):
                return
        elif not isinstance(statement, ast.Pass | ast.FunctionDef | ast.AsyncFunctionDef | ast.Import | ast.ImportFrom):
            return


def _targets(statement: ast.stmt) -> Iterator[ast.AST]:
    """What is assigned to, down to the names in it."""
    held: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        held = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        held = [statement.target]
    for target in held:
        yield from ast.walk(target)


def _in_expression(part: ast.AST, state: str) -> Iterator[str]:
    """Reads in what is always worked out: not in one side of a condition, not in another function."""
    if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name) and part.value.id == state:
        if isinstance(part.slice, ast.Constant) and isinstance(part.slice.value, str):
            yield part.slice.value
        return
    held = list(ast.iter_child_nodes(part))
    if isinstance(part, ast.IfExp):
        held = [part.test]
    elif isinstance(part, ast.BoolOp):
        held = [part.values[0]]
    elif isinstance(part, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return
    for each in held:
        yield from _in_expression(each, state)
