"""Imports: a module's name in, the module out, imported without collections of garbage in between.

An import of LangGraph makes hundreds of thousands of objects, all of which stay. Collections in the midst of it walk
over them again and again, find nothing, and take a fifth of its time.
"""

from __future__ import annotations

import gc
import importlib
import sys
from types import ModuleType


def load(module: str) -> ModuleType:
    """The module, which is imported if it was not yet; what is there then counts as old for the garbage collector.

    Where the program has switched collections off, or has frozen what there was, nothing of that is changed.
    """
    if module in sys.modules or not gc.isenabled():
        return importlib.import_module(module)
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        if not gc.get_freeze_count():
            gc.freeze()  # and back at once, which puts everything among the old without a walk over it
            gc.unfreeze()
        gc.enable()
