"""Imports: a module's name in, the module out, imported without collections of garbage in between.

An import of LangGraph makes hundreds of thousands of objects, all of which stay. Collections in the midst of it walk
over them again and again, find nothing, and take a fifth of its time. It imports HTTPX, too, which has a command-line
tool of its own and imports that with all of rich and click: 50 ms for what no program but `httpx` uses. That is
imported when it is called.
"""

from __future__ import annotations

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

_TOOL = "httpx._main"


def load(module: str) -> ModuleType:
    """The module, which is imported if it was not yet; what is there then counts as old for the garbage collector.

    Where the program has switched collections off, or has frozen what there was, nothing of that is changed.
    """
    if module in sys.modules:
        return importlib.import_module(module)
    with _without_httpx_tool():
        return _uncollected(module) if gc.isenabled() else importlib.import_module(module)


@contextmanager
def _without_httpx_tool() -> Iterator[None]:
    """Where HTTPX is imported inside, its `main` imports its command-line tool when it is called."""
    if "httpx" in sys.modules or _TOOL in sys.modules:
        yield
        return
    instead = ModuleType(_TOOL)
    instead.__dict__["main"] = _httpx_tool
    sys.modules[_TOOL] = instead
    try:
        yield
    finally:
        if sys.modules.get(_TOOL) is instead:
            del sys.modules[_TOOL]


def _httpx_tool() -> Any:
    """`httpx.main`."""
    return importlib.import_module(_TOOL).main()


def _uncollected(module: str) -> ModuleType:
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        if not gc.get_freeze_count():
            gc.freeze()  # and back at once, which puts everything among the old without a walk over it
            gc.unfreeze()
        gc.enable()
