"""Injection: how much a text looks like orders to a model, and a rail that looks. A signal, never a boundary.

Text and where it came from go in, a score from 0 to 1 comes out; 0.5 is a sensible threshold. An order is normal in the
user's own words and is none of a tool's, a page's or a mail's business, so the same text weighs differently by channel.
What stops an injected order from doing harm is the gate and the taint of what was read, not this.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Literal, get_args

from segue.base.errors import UserError
from segue.context.decisions import Allow, Ask, Block, Decision
from segue.context.run import RunContext
from segue.guards.rail import Place, Rail, Subject, checked_places, text_of_value
from segue.guards.signals import ABOUT, FAMILIES
from segue.guards.tongues import QUOTED, TONGUES, UNSEEN_MARKUP
from segue.guards.unveiling import unveil

Channel = Literal["user", "plan", "tool_result", "document", "web", "email", "memory"]
CHANNELS: tuple[str, ...] = get_args(Channel)
LONGEST = 65_536
"""Characters of a text that are looked at, from its beginning and from its end."""
_OF_PLACE = {"input": "user", "plan": "plan", "output": "document", "tool_call": "plan", "tool_result": "tool_result"}
_TONGUE, _TAGGED, _DECODED, _UNSHOWN, _VEILED = 0.62, 0.45, 0.3, 0.3, 0.25


def score(text: str, channel: str = "tool_result") -> float:
    """How much the text looks like an injected order, from 0 to 1.

    `channel` is one of `CHANNELS`: `user` for the user's own words, `plan` for what a planner wrote, and for data
    `tool_result`, `document`, `web`, `email`, `memory`. A channel of any other name is data too.
    """
    return _weighed(_found(text, channel))


def signals(text: str, channel: str = "tool_result") -> list[str]:
    """The names of the families that were found, in order."""
    return list(_found(text, channel))


def _found(text: str, channel: str) -> dict[str, float]:
    if len(text) > 2 * LONGEST:
        text = f"{text[:LONGEST]}\n{text[-LONGEST:]}"
    seen = unveil(text)
    body = seen.text
    own = channel == "user"
    if len(body) > 40 and ABOUT.fits(body):
        body = QUOTED.sub(" ", body)
    found = _families(body, own)
    if seen.decoded.strip():
        inner = _families(seen.decoded, own)
        if inner:
            found |= inner
            found["tagged" if seen.tagged else "decoded"] = _TAGGED if seen.tagged else _DECODED
        elif seen.tagged:
            found["tagged"] = _TAGGED
    if seen.veiled >= 4 and found:
        found["veiled"] = _VEILED
    if not own:
        for match in UNSEEN_MARKUP.finditer(seen.text):
            if _families(match["comment"] or match["styled"] or match["note"] or "", own=False):
                found["unshown"] = _UNSHOWN
                break
    return found


def _families(text: str, own: bool) -> dict[str, float]:
    found = {}
    for family in FAMILIES:
        weight = family.user if own else family.data
        if weight and family.fits(text):
            found[family.name] = weight
    if any(any(cue in text for cue in cues) and pattern.search(text) for cues, pattern in TONGUES):
        found["tongue"] = _TONGUE
    return found


def _weighed(found: dict[str, float]) -> float:
    """As if each family were independent of the others."""
    return round(1 - math.prod(1 - weight for weight in found.values()), 3)


class InjectionSignals(Rail):
    """A rail that scores what comes in: it observes, asks a person, or blocks.

    `observe` allows, and its reason with the score and the families stands in the trace. Where a tool's result is
    asked about, it is withheld, since its effect is done.

    Raises:
        UserError: The threshold, the action or a place is unusable.
    """

    name = "injection_signals"
    window = 4096

    def __init__(
        self,
        *,
        threshold: float = 0.5,
        action: Literal["observe", "ask", "block"] = "observe",
        places: Iterable[Place] = ("input", "tool_result"),
    ) -> None:
        number = isinstance(threshold, int | float) and not isinstance(threshold, bool)
        if not (number and 0 < threshold <= 1):
            raise UserError(f"rail {self.name!r}: threshold is above 0 and up to 1, not {threshold!r}")
        if action not in ("observe", "ask", "block"):
            raise UserError(f"rail {self.name!r}: action is observe, ask or block, not {action!r}")
        self.places = checked_places(places, self.name)
        self._threshold, self._action = threshold, action

    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Decision:
        """Score the text of the subject by where it stands."""
        text = subject.text if subject.value is None else text_of_value(subject.value)
        found = _found(text, _OF_PLACE[subject.place])
        reached = _weighed(found)
        if reached < self._threshold:
            return Allow()
        reason = f"looks like orders to a model: {reached:.2f} ({', '.join(found)})"
        if self._action == "observe":
            return Allow(reason, self.name)
        return Ask(reason, self.name) if self._action == "ask" else Block(reason, self.name)
