"""What a node, a tool or a rail is given: the run context, the ports that it carries, and the events of a run."""

from segue.context.decisions import Allow, Answer, Approve, Ask, Block, Decision, Edit, Reject, Response, Rewrite
from segue.context.events import Event
from segue.context.questions import NotAnswered
from segue.context.run import RunContext, Services

__all__ = [
    "Allow",
    "Answer",
    "Approve",
    "Ask",
    "Block",
    "Decision",
    "Edit",
    "Event",
    "NotAnswered",
    "Reject",
    "Response",
    "Rewrite",
    "RunContext",
    "Services",
]
