"""Secrets and personal data: text in, the text without them out, or a block, or a question to a person.

What counts as either is decided in `segue.tracing.detectors`, the same for what is said and for what is traced.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Literal

from segue.base.errors import UserError, names
from segue.context.decisions import Ask, Block, Decision, Rewrite
from segue.guards.rail import Place, Rail, checked_places, makes_rail
from segue.guards.texts import ALLOW, TextRail
from segue.tracing.detectors import PII_KINDS, Finding, find_pii, find_secrets

Action = Literal["rewrite", "block", "ask"]
PASSES = 4
"""What is left out may join what stood around it into something new; then it is looked at again."""

_MASK = re.compile(r"\[[a-z_]{2,12}\]")


@makes_rail
def no_secrets(
    *,
    action: Action = "rewrite",
    places: Iterable[Place] = ("input", "plan", "output", "tool_call", "tool_result"),
) -> Rail:
    """Put `[secret]` where a key, a token or a password stands, or block, or ask.

    Raises:
        UserError: The action or a place is unknown.
    """
    return _Private("no_secrets", "secret", find_secrets, lambda finding: "[secret]", action, places)


@makes_rail
def no_pii(
    *,
    kinds: Iterable[str] = PII_KINDS,
    action: Action = "rewrite",
    places: Iterable[Place] = ("output",),
) -> Rail:
    """Put `[email]`, `[phone]`, `[national_id]`, … where one stands, or block, or ask; the kinds are `PII_KINDS`.

    It stands at the output unless told: an agent must be able to look up an address that it was asked about. Names of
    people are found behind a clear word only, such as `Patient:` or `Mr`: the rest takes a model.

    Raises:
        UserError: A kind, the action or a place is unknown.
    """
    wanted = frozenset([kinds] if isinstance(kinds, str) else kinds)
    if not wanted or not wanted <= set(PII_KINDS):
        raise UserError(
            f"no_pii knows the kinds {', '.join(PII_KINDS)}, not {names(wanted - set(PII_KINDS)) if wanted else 'none'}"
        )

    def find(text: str) -> list[Finding]:
        found = find_pii(text)
        return [finding for finding in found if finding.kind in wanted] if found else found

    return _Private("no_pii", "personal data", find, lambda finding: f"[{finding.kind}]", action, places)


class _Private(TextRail):
    window = 512

    def __init__(
        self,
        name: str,
        what: str,
        find: Callable[[str], list[Finding]],
        mask: Callable[[Finding], str],
        action: str,
        places: Iterable[Place],
    ) -> None:
        if action not in ("rewrite", "block", "ask"):
            raise UserError(f"rail {name!r}: action is rewrite, block or ask, not {action!r}")
        self.name, self.places = name, checked_places(places, name)
        self._whole_field = what == "secret"  # a password may end in what would end a sentence
        self._what, self._find, self._mask, self._action = what, find, mask, action

    def look(self, text: str, before: str = "") -> Decision:
        find = self._find
        if not find(text) and (not before or not find(before + text)):
            return ALLOW  # as nearly always
        found = self._found(text, before)
        if not found:
            return ALLOW
        reason = f"{self._what} ({_counted(found)})"
        if self._action == "block":
            return Block(reason, self.name)
        if self._action == "ask":
            return Ask(reason, self.name)
        for _ in range(PASSES):
            text = self._masked(text, found)
            found = self._found(text, before)
            if not found:
                return Rewrite(text, f"{reason} taken out", self.name)
        return Block(f"{reason} that cannot be taken out", self.name)

    def _found(self, text: str, before: str) -> list[Finding]:
        """What is found, also by the name of its field. A mask is nothing, also where a password may stand."""
        found = self._find(text)
        if not before and not found:
            return found
        if before and not found:
            found = self._find(before + text)
            if not found:
                return found
            size = len(before)
            behind = (each._replace(start=each.start - size, end=each.end - size) for each in found)
            found = [each._replace(start=max(each.start, 0)) for each in behind if each.end > 0]
            if found and self._whole_field:
                found = [Finding(found[0].kind, 0, len(text))]
        return [each for each in found if not _MASK.fullmatch(text, each.start, each.end)]

    def _masked(self, text: str, found: list[Finding]) -> str:
        parts, at = [], 0
        for finding in found:
            parts += [text[at : finding.start], self._mask(finding)]
            at = finding.end
        return "".join([*parts, text[at:]])


def _counted(found: list[Finding]) -> str:
    counts = Counter(finding.kind for finding in found)
    return ", ".join(f"{count} {kind}" if count > 1 else kind for kind, count in sorted(counts.items()))
