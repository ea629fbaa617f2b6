"""The gate: the judge of tool calls, and the boundary against what others write into what an agent reads.

`Gate` stands alone: tools in, a session for each run, a verdict for each call. `authorize` is the gate as a run of
Segue asks it.
"""

from segue.guards.gate.gates import Gate, Judged, Strictness, explain
from segue.guards.gate.pins import Pin
from segue.guards.gate.running import authorize, gate
from segue.guards.gate.session import Plan, Session

__all__ = ["Gate", "Judged", "Pin", "Plan", "Session", "Strictness", "authorize", "explain", "gate"]
