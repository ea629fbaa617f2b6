"""Guards: rails, which look at what goes in and out, and the judgement over them.

A subject goes in, a judgement comes out. Where rails stand is decided in `segue.graphs`; what the gate says of tool
calls is its own affair.
"""

from segue.guards.judging import Judgement, Said, judge
from segue.guards.rail import Place, Rail, Subject, TextRail, rail

__all__ = ["Judgement", "Place", "Rail", "Said", "Subject", "TextRail", "judge", "rail"]
