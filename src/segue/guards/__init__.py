"""Guards: rails, which look at what goes in and out, and the judgement over them.

A subject goes in, a judgement comes out. Where rails stand is decided in `segue.graphs`; what is said of the right to
call a tool is the gate's affair.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

from segue.guards.judging import Judgement, Said, judge
from segue.guards.rail import Place, Rail, Subject, rail  # here, since it has the name of its module

if TYPE_CHECKING:
    from segue.guards.canary import new_canary, no_canaries
    from segue.guards.citations import cites_sources
    from segue.guards.hidden import no_hidden_text
    from segue.guards.injection import InjectionSignals
    from segue.guards.length import max_length
    from segue.guards.links import no_foreign_links
    from segue.guards.models import from_classifier, judged_by
    from segue.guards.observing import observe
    from segue.guards.ours import to_validator
    from segue.guards.private import no_pii, no_secrets
    from segue.guards.schema import matches_schema
    from segue.guards.streaming import StreamGuard
    from segue.guards.texts import TextRail
    from segue.guards.theirs import from_guard, from_validator
    from segue.guards.topic import on_topic

_LAZY = {
    "StreamGuard": "streaming",
    "InjectionSignals": "injection",
    "TextRail": "texts",
    "cites_sources": "citations",
    "from_classifier": "models",
    "judged_by": "models",
    "new_canary": "canary",
    "no_canaries": "canary",
    "observe": "observing",
    "from_guard": "theirs",
    "from_validator": "theirs",
    "matches_schema": "schema",
    "max_length": "length",
    "no_foreign_links": "links",
    "no_hidden_text": "hidden",
    "no_pii": "private",
    "no_secrets": "private",
    "on_topic": "topic",
    "to_validator": "ours",
}
"""The module of each name that is loaded when it is asked for. `quiet` is asked for as `segue.guards.quiet.quiet`."""

__all__ = [
    "InjectionSignals",
    "Judgement",
    "Place",
    "Rail",
    "Said",
    "StreamGuard",
    "Subject",
    "TextRail",
    "cites_sources",
    "from_classifier",
    "from_guard",
    "from_validator",
    "judge",
    "judged_by",
    "matches_schema",
    "max_length",
    "new_canary",
    "no_canaries",
    "no_foreign_links",
    "no_hidden_text",
    "no_pii",
    "no_secrets",
    "observe",
    "on_topic",
    "rail",
    "to_validator",
]

if "guardrails.settings" in sys.modules:  # imported before: silent from here on
    importlib.import_module("segue.guards.quiet").quiet()


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"segue.guards.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
