"""What tests speak through: a scripted model, and fakes of what a run is lent.

Nothing here is used by a run that was not started by a test.
"""

from segue.testing.clock import FakeClock
from segue.testing.scripted import ScriptedModel, call, calls

__all__ = ["FakeClock", "ScriptedModel", "call", "calls"]
