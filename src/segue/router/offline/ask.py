"""What is said to the person: questions for what is missing, refusals, and what this model is.

Goes in: tools, parameters, clauses. Comes out: sentences in one fixed wording; `answers` reads the questions back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from segue.router.offline.answers import NEEDS
from segue.router.offline.history import MODEL
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.text import first_sentence, words_of
from segue.router.offline.values import shape

WHAT_I_AM = (
    f"{MODEL} is a rule-based model, not a language model: it matches words with tool schemas and fills arguments."
)
WAY_OUT = "A real model can be set with OPENAI_BASE_URL or in segue.toml."

_SHAPES = {
    "email": "an e-mail address",
    "url": "a link",
    "uuid": "a UUID",
    "ip": "an IP address",
    "date": "a date with its year, best as YYYY-MM-DD",
    "datetime": "a date and a time, best as YYYY-MM-DD HH:MM",
    "time": "a time, best as HH:MM",
    "phone": "a phone number",
}
_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "array": "a list",
    "object": "an object",
}


def question_for(tool: Tool, missing: Sequence[Leaf]) -> str:
    """One line that names the tool, its purpose and every missing parameter; the asking sentence follows elsewhere."""
    wanted = "; ".join(f"{leaf.label} ({_wanted(leaf)})" for leaf in missing)
    return f"{_one_line(tool.purpose)}: {tool.name}{NEEDS}{wanted}"


def _wanted(leaf: Leaf) -> str:
    choices = leaf.schema.get("enum")
    if isinstance(choices, list) and choices:
        shown = ", ".join(str(choice) for choice in choices[:30] if choice is not None)
        return f"one of: {shown}{', …' if len(choices) > 30 else ''}"
    told = _SHAPES.get(shape(leaf)) if leaf.kind in ("string", "any") else _KINDS.get(leaf.kind)
    about = first_sentence(str(leaf.schema.get("description") or "")).replace(";", ",")
    pattern = leaf.schema.get("pattern")
    form = f"written like {pattern.replace(';', ',')}" if isinstance(pattern, str) and len(pattern) < 60 else ""
    bounds = _bounds(leaf)
    return ", ".join(piece for piece in (told, bounds, form, _one_line(about)) if piece) or "as text"


def _bounds(leaf: Leaf) -> str:
    low, high = leaf.schema.get("minimum"), leaf.schema.get("maximum")
    if low is not None and high is not None:
        return f"from {low} to {high}"
    return f"at least {low}" if low is not None else f"at most {high}" if high is not None else ""


def which(clause: str, tools: Sequence[Tool]) -> str:
    """The line for a clause that two tools fit alike."""
    shown = " or ".join(f"{tool.name} ({_one_line(tool.purpose)})" for tool in tools)
    return f"For {quote(clause)} two tools fit alike. Which is meant: {shown}"


def confirm(tool: Tool, condition: str) -> str:
    """The line for a change that hangs on a condition, which rules do not judge."""
    return f"Rules cannot judge {quote(condition)}. Should {tool.name} be called all the same"


def cannot(clause: str, tools: Sequence[Tool]) -> str:
    """The refusal of one clause, with what can be done instead."""
    return f"{refusal(clause)}\n{WHAT_I_AM}\n{what_can(tools)}\n{WAY_OUT}"


def refusal(clause: str) -> str:
    """The one-line refusal of a clause that no tool fits."""
    return (
        f"No tool here fits {quote(clause)}, so it cannot be done."
        if clause.strip()
        else "There is no request to work on."
    )


def no_code(clause: str, tool: Tool, leaf: Leaf) -> str:
    """The refusal of a clause whose only tool wants SQL or source code."""
    return (
        f"{quote(clause)} would need {tool.name}, whose {leaf.label} is SQL or source code; rules write neither. "
        "Give the text itself between backticks, or set a real model."
    )


def what_can(tools: Sequence[Tool]) -> str:
    """What the tools at hand do, one line each."""
    if not tools:
        return "No tools are given, so there is nothing that it can do here."
    return "\n".join(["It can use these tools:", *(f"- {tool.name}: {_one_line(tool.purpose)}" for tool in tools)])


def quote(clause: str) -> str:
    """A clause in quotation marks on one line, shortened openly."""
    line = _one_line(clause).rstrip(".!? ")
    return f"“{line if len(line) <= 160 else line[:157] + '…'}”"


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip() or words_of(text)
