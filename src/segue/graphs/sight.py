"""What a function can call, as far as its code tells: names in, whether one of them is mentioned on the way out.

Followed are functions, methods of objects and classes that the code names, containers of functions, and imports inside
of functions. What is called by other ways - a parameter, a value of the state - leads out of sight.
"""

from __future__ import annotations

import ast
import dis
import inspect
import sys
import textwrap
import types
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

_MOST = 200
"""Functions that are followed, and values of a container that are looked at."""
_MADE = ("__init__", "__post_init__", "__enter__", "__aenter__", "__call__")


def mentions(
    function: Any, names: frozenset[str], objects: frozenset[int] = frozenset(), *, strict: bool = False
) -> bool | None:
    """Whether the function, or one that it can call, mentions one of these; `None` where a call leads out of sight.

    Args:
        function: A Python function; anything else tells nothing.
        names: Names of globals and attributes.
        objects: Ids of objects.
        strict: Whether a call of what only runs know, such as a parameter, leads out of sight too.
    """
    if not isinstance(function, types.FunctionType):
        return None
    certain = True
    seen: set[tuple[int, int]] = set()
    left: list[tuple[types.FunctionType, Any]] = [(function, None)]
    while left:
        at, owner = left.pop()
        if (id(at), id(owner)) in seen:
            continue
        seen.add((id(at), id(owner)))
        if len(seen) > _MOST:
            return None
        for code in codes(at.__code__):
            if names & {*code.co_names, *code.co_freevars}:
                return True
            found = [*held_by(at, code), *_attributes(owner, code)]
            known: set[str] = set()
            for held in found:
                if id(held) in objects:
                    return True
                left += _followed(held, code, known)
                certain = certain and not _out_of_sight(held)
            if strict and not _theirs(at) and not _all_known(code, owner, known):
                certain = False
    return False if certain else None


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code and that of functions inside of it."""
    yield code
    for held in code.co_consts:
        if isinstance(held, types.CodeType):
            yield from codes(held)


def held_by(function: types.FunctionType, code: types.CodeType) -> Iterator[Any]:
    """What the names in the code stand for: globals, what modules of that name hold, the closure, and defaults."""
    globals_ = function.__globals__
    modules = [sys.modules.get(name) for name in _imported(code)]
    for name in code.co_names:
        if name in globals_:
            yield from _opened(globals_[name])
            modules.append(globals_[name])
    for module in modules:
        if isinstance(module, types.ModuleType):
            yield from (vars(module)[each] for each in code.co_names if each in vars(module))
    for cell in function.__closure__ or ():
        try:
            yield from _opened(cell.cell_contents)
        except ValueError:
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()


def _opened(held: Any) -> Iterator[Any]:
    """The value, and the functions in it where it is a container."""
    yield held
    if isinstance(held, dict | list | tuple | set | frozenset):
        values = list(held.values() if isinstance(held, dict) else held)[:_MOST]
        yield from (each for each in values if callable(each))


@lru_cache(maxsize=512)
def _imported(code: types.CodeType) -> tuple[str, ...]:
    """The modules that the code imports itself."""
    return tuple(each.argval for each in dis.get_instructions(code) if each.opname == "IMPORT_NAME")


def _followed(held: Any, code: types.CodeType, known: set[str]) -> Iterator[tuple[types.FunctionType, Any]]:
    """The functions that the code can call of this value, each with whose method it is; `known` gets their names."""
    owner = None
    if isinstance(held, types.MethodType):
        held, owner = held.__func__, type(held.__self__)
    if isinstance(held, types.FunctionType):
        known.add(held.__name__)
        inner = inspect.unwrap(held)
        if isinstance(inner, types.FunctionType):
            yield inner, owner
        return
    if isinstance(held, types.ModuleType):
        known.update(each for each in code.co_names if each in vars(held))
        return
    kind = held if isinstance(held, type) else type(held)
    known.update(each for each in code.co_names if hasattr(kind, each))
    if not _theirs(kind):
        asked = (*code.co_names, *_MADE) if isinstance(held, type) else code.co_names
        yield from ((each, kind) for each in _methods(kind, asked))


def _attributes(owner: Any, code: types.CodeType) -> Iterator[Any]:
    """The methods of its own class that a method names."""
    if owner is not None and not _theirs(owner):
        yield from _methods(owner, code.co_names)


def _methods(kind: type, names: tuple[str, ...]) -> Iterator[types.FunctionType]:
    for name in names:
        held = inspect.getattr_static(kind, name, None)
        held = held.fget if isinstance(held, property) else getattr(held, "__func__", held)
        held = inspect.unwrap(held) if callable(held) else held
        if isinstance(held, types.FunctionType) and not _theirs(held):
            yield held


def _theirs(held: Any) -> bool:
    """Whether it comes with Python or out of an installed package, which asks no people."""
    module = getattr(held, "__module__", None) or ""
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return module.partition(".")[0] in sys.stdlib_module_names - {"__main__"} or "site-packages" in file


def _out_of_sight(held: Any) -> bool:
    """Whether what it does when it is called cannot be read: an object of somebody's class."""
    seen = type | types.BuiltinFunctionType | types.ModuleType | types.FunctionType | types.MethodType
    return callable(held) and not isinstance(held, seen)


def _all_known(code: types.CodeType, owner: Any, known: set[str]) -> bool:
    """Whether each call in the code is of a name that stands for something, or of a method of Python's own values."""
    return all(
        called in known or called in _OWN or (owner is not None and hasattr(owner, called))
        for called in _called(code)
    ) and all(module in sys.modules for module in _imported(code))  # fmt: skip


@lru_cache(maxsize=512)
def _called(code: types.CodeType) -> frozenset[str]:
    """The methods that the code calls, and what it calls that is no global: of that, `()` where it has no name."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(code)))
    except (OSError, TypeError, SyntaxError):
        return frozenset()
    made = {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}
    made |= {each.id for part in ast.walk(tree) if isinstance(part, ast.Assign) and isinstance(part.value, ast.Lambda)
             for each in part.targets if isinstance(each, ast.Name)}  # fmt: skip
    made |= {name for part in ast.walk(tree) if isinstance(part, ast.Import | ast.ImportFrom)
             for name in ((each.asname or each.name) for each in part.names)}  # fmt: skip
    found = set()
    for each in ast.walk(tree):
        if isinstance(each, ast.Call):
            of = each.func
            if isinstance(of, ast.Attribute):
                found.add(of.attr)
            elif not isinstance(of, ast.Name) or (of.id in code.co_varnames and of.id not in made):
                found.add("()")
    return frozenset(found)


_VALUES: tuple[Any, ...] = (str, bytes, int, float, list, dict, set, frozenset, tuple)
_OWN = frozenset(name for kind in _VALUES for name in dir(kind))
