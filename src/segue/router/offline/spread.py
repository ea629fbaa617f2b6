"""Spreading: one clause that asks for the same thing of several values ("weather in Paris, Rome and Oslo").

Goes in: what a clause gives to a tool. Comes out: the arguments of every call that it asks for. Pairs of values
("two A-1 and three A-2") are left to `choose`, which reads each half as a clause.
"""

from __future__ import annotations

import re
from typing import Any

from segue.router.offline.cues import Candidate, leaf_side
from segue.router.offline.fill import Filled, Path, is_free, is_list
from segue.router.offline.recall import Known
from segue.router.offline.schema import Leaf, Tool
from segue.router.offline.text import identifier_words
from segue.router.offline.values import candidates
from segue.router.offline.view import View, view_of


def spread(filled: Filled, tool: Tool, clause: str, known: Known) -> list[dict[str, Any]]:
    """The arguments of every call that the clause asks for: one, or one for each of "Paris, Rome and Oslo".

    A clause spreads where exactly one parameter that holds a single value is followed in the text by others like it.
    """
    path, others = siblings(filled, tool, view_of(clause, known.conversation.today))
    again = [Filled(values={**filled.values, path: c.value}) for c in others]
    return [filled.arguments, *(one.arguments for one in again)]


def siblings(filled: Filled, tool: Tool, view: View) -> tuple[Path, list[Candidate]]:
    """The one parameter whose value others like it follow in the text, and those others; none where no or two do."""
    rows: list[tuple[Path, list[Candidate]]] = []
    for leaf in tool.leaves:
        if filled.places.get(leaf.path) and not is_list(leaf) and not leaf.is_free_text and not leaf_side(leaf):
            found = _others(leaf, filled, view, tool)
            if found:
                rows.append((leaf.path, found))
    return rows[0] if len(rows) == 1 else ((), [])


def _others(leaf: Leaf, filled: Filled, view: View, tool: Tool) -> list[Candidate]:
    """The values that `and` or a comma ties to the parameter's own, in order."""
    start, end = filled.places[leaf.path][0]
    if re.search(r"\bbetween\s+\S+$", view.text[:start] + "x", re.I):
        return []
    named = _is_named(view, start)
    out: list[Candidate] = []
    nouns = "|".join(re.escape(word) for word in (*identifier_words(leaf.name), *tool.name_words))
    tie = (
        rf"\s*(?:,\s*and\b|,|\band\b|&|\bas well as\b|\bplus\b)\s*(?:(?:the|in|for|of|to|{nouns}|no|number)s?\s+)*#?\s*"
    )
    for c in sorted(candidates(leaf, view, tool), key=lambda c: (c.start, -(c.end - c.start))):
        tied = c.start >= end and re.fullmatch(tie, view.text[end : c.start], re.I)
        if (
            tied
            and _is_named(view, c.start) == named
            and is_free(c, filled.spans)
            and c.value not in [o.value for o in out]
        ):
            out.append(c)
            end = c.end
    return out


def _is_named(view: View, start: int) -> bool:
    return any(m.start <= start < m.end and m.kind in ("name", "quoted") for m in view.mentions)
