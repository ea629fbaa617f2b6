"""Answers: what a person replied to a question of ours, as the values that the question asked for.

Goes in: a parameter, its tool, and the questions with their answers. Comes out: the value that the newest fitting
answer holds. The questions are written by `ask`; this module reads the same lines back.
"""

from __future__ import annotations

import re
from typing import Any

from segue.router.offline.check import fits
from segue.router.offline.cues import Candidate
from segue.router.offline.mentions import as_number
from segue.router.offline.recall import MISSING, Known
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.text import MAX_CHARS
from segue.router.offline.values import candidates
from segue.router.offline.view import view_of

NEEDS = " still needs: "
"""Stands in a question between the tool's name and what it lacks; items are separated by semicolons."""

_LEAD = re.compile(
    r"^\s*(?:it'?s|it is|that'?s|they are|the \w+ is|please use|use|make it|take|my \w+ is|sure,?|ok,?|yes,?)\s+", re.I
)
_YES = re.compile(r"\s*(?:yes|yep|yeah|true|sure|ok(?:ay)?|please do|do it|go ahead|correct|y)\b", re.I)
_NO = re.compile(r"\s*(?:no|nope|false|don't|do not|never ?mind|n)\b", re.I)


def asked_labels(question: str, tool_name: str) -> list[str]:
    """The parameters, in words, that a question of ours asks for on behalf of one tool."""
    for line in question.splitlines():
        head, mark, tail = line.partition(NEEDS)
        if mark and re.search(rf"(?<![\w-]){re.escape(tool_name)}(?![\w-])", head):
            return [re.sub(r" \(.*", "", item).strip() for item in tail.split("; ")]
    return []


def from_answers(leaf: Leaf, tool: Tool, known: Known) -> Any:
    """The value that an answer gives to a parameter, or `MISSING`."""
    answers = known.conversation.answers
    for number in range(len(answers) - 1, -1, -1):
        question, answer = answers[number]
        labels = asked_labels(question, tool.name)
        if leaf.label in labels:
            found = _from_one(leaf, tool, known, number, answer[:MAX_CHARS], alone=len(labels) == 1)
            if found is not None:
                known.used_answers.add((number, found.start, found.end))
                return found.value
    return MISSING


def _from_one(leaf: Leaf, tool: Tool, known: Known, number: int, answer: str, *, alone: bool) -> Candidate | None:
    if leaf.wants_code:
        return None
    if leaf.kind == "boolean":
        return _yes_or_no(answer)
    if leaf.kind == "array":
        return _listed(leaf, answer)
    view = view_of(answer, known.conversation.today)
    taken = [(start, end) for n, start, end in known.used_answers if n == number]
    floor = 0.9 if leaf.is_free_text else 0.2
    offered = candidates(leaf, view, Tool("", "", {}, tool.leaves))
    plain = leaf.kind in ("string", "any") and not leaf.schema.get("enum")
    if plain and alone and not (offered and offered[0].score >= 2.0):
        return _whole(leaf, answer)
    for c in offered:
        if c.score >= floor and all(c.end <= s or c.start >= e for s, e in taken):
            return c
    if leaf.kind in ("integer", "number"):
        return _bare_number(leaf, answer, taken)
    return _segment(leaf, answer, taken) if plain else None


def _yes_or_no(answer: str) -> Candidate | None:
    if _YES.match(answer):
        return Candidate(True, 0, 0, 1.0)
    return Candidate(False, 0, 0, 1.0) if _NO.match(answer) else None


def _whole(leaf: Leaf, answer: str) -> Candidate | None:
    lead = _LEAD.match(answer)
    start = lead.end() if lead else 0
    value = answer[start:].strip()
    tries = [value, value.rstrip(".!"), value.strip("\"'“”`"), value.rstrip(".!").lstrip("#")]
    order = tries if leaf.is_free_text else tries[::-1]
    fitting = next((text for text in order if text and fits(text, leaf.schema) and not _is_vague(leaf, text)), None)
    return None if fitting is None else Candidate(fitting, start, len(answer), 1.0)


def _is_vague(leaf: Leaf, text: str) -> bool:
    """Whether a text names a day or time that a dated parameter cannot take as it stands."""
    from segue.router.offline.values import shape

    return shape(leaf) in ("date", "datetime", "time", "email", "url", "uuid", "ip", "pattern")


def _bare_number(leaf: Leaf, answer: str, taken: list[tuple[int, int]]) -> Candidate | None:
    for m in re.finditer(r"-?\d[\d,]*(?:\.\d+)?", answer):
        value = as_number(m.group())
        if value is not None and fits(value, leaf.schema) and all(m.end() <= s or m.start() >= e for s, e in taken):
            return Candidate(value, m.start(), m.end(), 0.5)
    return None


def _segment(leaf: Leaf, answer: str, taken: list[tuple[int, int]]) -> Candidate | None:
    """The first piece between commas, semicolons and line ends that nothing took."""
    for m in re.finditer(r"[^,;\n]+", answer):
        text = m.group().strip()
        start = m.start() + m.group().find(text)
        end = start + len(text)
        free = all(end <= s or start >= e for s, e in taken)
        if text and free and fits(text, leaf.schema) and not _is_vague(leaf, text):
            return Candidate(text, start, end, 0.5)
    return None


def _listed(leaf: Leaf, answer: str) -> Candidate | None:
    items = leaf.schema.get("items", {})
    if items.get("type", "string") != "string" or leaf.schema.get("item_leaves"):
        return None
    found = [piece.strip(" .\"'") for piece in re.split(r",\s*(?:and\s+)?|;|\n|\s+and\s+", answer)]
    values = [piece for piece in found if piece and fits(piece, items)]
    return Candidate(values, 0, len(answer), 1.0) if values and fits(values, leaf.schema) else None
