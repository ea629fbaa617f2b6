"""Recall: a value that the clause does not hold but points at, looked up in the conversation.

Goes in: a parameter and the conversation. Comes out: the one value that an earlier result, an earlier call, another
part of the request or an earlier request holds for it; nothing where there is none or more than one. Only names and
kinds are compared; what a result says is never followed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from segue.router.offline.check import compile_pattern, fits
from segue.router.offline.history import Call, Conversation, Literal, load_json
from segue.router.offline.mentions import as_number
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.text import identifier_words, stem
from segue.router.offline.values import candidates, shape
from segue.router.offline.view import View, view_of
from segue.router.offline.words import ID_WORDS, REFERENCE

MISSING = object()
_SEVERAL = object()
_TYPED = ("email", "url", "uuid", "ip", "pattern", "date", "datetime")


@dataclass(frozen=True)
class Known:
    """What a clause may draw upon beside its own words."""

    conversation: Conversation
    rest: str = ""
    """The rest of the request: a shared subject, a sentence before, the other parts."""
    used_answers: set[tuple[int, int, int]] = field(default_factory=set)
    """Pieces of answers that a parameter took: which answer, from, to."""


def refers(view: View) -> bool:
    """Whether a clause points at something said or found before."""
    return any(word.lower in REFERENCE for word in view.words)


def recall(leaf: Leaf, tool: Tool, view: View, known: Known) -> tuple[Any, bool]:
    """The value that the conversation holds, or `MISSING`; and whether it was found outside the request."""
    talk = known.conversation
    pointed = refers(view) or any(word.stem in leaf.own for word in view.words)
    now = [call for call in talk.calls if call.result is not None and not call.failed]
    found = from_results(leaf, tool, now)
    if found is MISSING and pointed:
        found = from_results(leaf, tool, [c for c in talk.earlier_calls if c.result is not None and not c.failed])
    if found is MISSING and refers(view):
        found = _from_arguments(leaf, now)
    if (found is MISSING or found is _SEVERAL) and known.rest:
        told = from_text(leaf, tool, known.rest, talk)
        if told is not MISSING:
            return told, False
    if found is _SEVERAL:
        return MISSING, False
    if found is MISSING and refers(view):
        found = _from_arguments(leaf, [*talk.earlier_calls, *talk.calls])
    if found is MISSING and refers(view):
        for text in reversed(talk.earlier_texts[-6:]):
            found = from_text(leaf, tool, text, talk)
            if found is not MISSING:
                break
    if found is MISSING and refers(view) and now and leaf.raw_words & {"message", "body", "text", "content", "note"}:
        found = now[-1].result if fits(now[-1].result, leaf.schema) else MISSING
    return found, True


def is_missing(value: Any) -> bool:
    """Whether nothing was found, or several values of which none is meant by itself."""
    return value is MISSING or value is _SEVERAL


def from_results(leaf: Leaf, tool: Tool, calls: Sequence[Call]) -> Any:
    """The one value that the newest result with any holds for a parameter; several different ones are none."""
    if leaf.wants_code:
        return MISSING
    for call in reversed(calls):
        found = _distinct([v for raw in _in_result(leaf, tool, call) if (v := _as_wanted(raw, leaf)) is not MISSING])
        if len(found) == 1:
            return found[0]
        if found:
            return _SEVERAL
    return MISSING


def _in_result(leaf: Leaf, tool: Tool, call: Call) -> Iterator[Any]:
    text = call.result or ""
    data = load_json(text) if text.lstrip()[:1] in ("{", "[") else None
    pairs = list(_pairs(data, identifier_words(call.name)))
    named = [value for around, key, value in pairs if _names(leaf, tool, around, key)]
    if named:
        yield from named
        return
    kind = shape(leaf) if leaf.kind in ("string", "any") and not leaf.schema.get("enum") else ""
    if kind == "pattern":
        yield from _patterned(leaf, text)
    elif kind in ("email", "url", "uuid", "ip"):
        yield from (m.text for m in view_of(text[:4000]).mentions if m.kind == kind)


def _pairs(data: Any, around: list[str], depth: int = 0) -> Iterator[tuple[list[str], str, Any]]:
    """Every key with a plain value: the words around it, the key, the value."""
    if depth > 6:
        return
    if isinstance(data, dict):
        for key, value in data.items():
            if isinstance(value, dict | list):
                yield from _pairs(value, identifier_words(str(key)) or around, depth + 1)
            elif value is not None:
                yield around, str(key), value
    elif isinstance(data, list):
        for item in data[:200]:
            yield from _pairs(item, around, depth + 1)


def _names(leaf: Leaf, tool: Tool, around: list[str], key: str) -> bool:
    words = identifier_words(key)
    told = frozenset(stem(word) for word in words)
    if told == leaf.words:
        return not (told <= {"id"} or told == {"name"}) or bool(set(map(stem, around)) & tool.name_stems)
    if not leaf.is_id and "id" not in words:
        return False
    of = frozenset(stem(word) for word in words if word not in ID_WORDS)
    if of:
        return of == leaf.own and (bool(set(words) & ID_WORDS) or leaf.is_id)
    return bool(leaf.own & {stem(word) for word in around}) and leaf.is_id


def _patterned(leaf: Leaf, text: str) -> Iterator[str]:
    pattern = compile_pattern(str(leaf.schema.get("pattern")))
    for piece in re.findall(r"[^\s,;!?()\[\]{}\"'“”:=]{1,200}", text[:20_000]) if pattern else ():
        found = pattern.search(piece.rstrip(".")) if pattern else None
        if found and found.group() == piece.rstrip("."):
            yield found.group()


def _as_wanted(value: Any, leaf: Leaf) -> Any:
    if isinstance(value, Literal):
        value = as_number(value) if leaf.kind in ("number", "any") else str(value)
    if leaf.kind == "string" and isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    elif leaf.kind == "integer" and isinstance(value, str) and re.fullmatch(r"\d{1,18}", value):
        value = int(value)
    return value if value is not None and fits(value, leaf.schema) else MISSING


def _distinct(values: Sequence[Any]) -> list[Any]:
    return list({json.dumps(value, default=str): value for value in values}.values())


def from_text(leaf: Leaf, tool: Tool, text: str, talk: Conversation) -> Any:
    """The one value that another text holds for a parameter by its kind or by a clear cue."""
    if leaf.is_free_text or leaf.kind in ("array", "object", "boolean") or leaf.wants_code:
        return MISSING
    view = view_of(text, talk.today)
    typed = leaf.kind in ("string", "any") and not leaf.schema.get("enum") and shape(leaf) in _TYPED
    floor = 2.0 if typed or leaf.raw_words & {"path", "file", "filename", "filepath"} else 3.0
    found = [c for c in candidates(leaf, view, tool) if c.score >= floor]
    top = _distinct([c.value for c in found if c.score > found[0].score - 0.6])
    return top[0] if len(top) == 1 else MISSING


def _from_arguments(leaf: Leaf, calls: Sequence[Call]) -> Any:
    for call in reversed(calls):
        value = call.arguments.get(leaf.name)
        if value is not None and not isinstance(value, dict | list) and not (leaf.words <= {"id", "name"}):
            wanted = _as_wanted(value, leaf)
            if wanted is not MISSING:
                return wanted
    return MISSING
