"""The gate: the judge of tool calls, and the boundary against what others write into what an agent reads.

`Gate` stands alone: tools in, a session for each run, a verdict for each call. `authorize` is the gate as a run of
Segue asks it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from segue.guards.gate.running import authorize, authorizer, gate

if TYPE_CHECKING:
    from segue.guards.gate.gates import Gate, Judged, Strictness, explain
    from segue.guards.gate.pins import Pin
    from segue.guards.gate.session import Plan, Session

_LAZY = {
    "Gate": "gates",
    "Judged": "gates",
    "Pin": "pins",
    "Plan": "session",
    "Session": "session",
    "Strictness": "gates",
    "explain": "gates",
}
"""The module of each name that is loaded when it is asked for."""

__all__ = [
    "Gate",
    "Judged",
    "Pin",
    "Plan",
    "Session",
    "Strictness",
    "authorize",
    "authorizer",
    "explain",
    "gate",
]


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"segue.guards.gate.{_LAZY[name]}"), name)
