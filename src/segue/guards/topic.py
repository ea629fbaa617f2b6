"""Topic: text in, and out comes whether it has to do with what an agent is for.

By words: stems in common with a list, or with example questions. It understands nothing: a question on the topic in
other words is off it, and one that only names the words is on it. So it keeps the merely lost away, not an attacker;
list many words, and let a model judge where that is not enough.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from segue.base.errors import UserError
from segue.context.decisions import Allow, Ask, Block, Decision
from segue.context.run import RunContext
from segue.guards.rail import Place, Rail, Subject, checked_places

SHORT = 3
"""Up to so many words that say something, text is let through: a yes, a thank you, a name."""
_WORD = re.compile(r"[^\W\d_]{3,}")
_ENDINGS = (
    "ations",
    "ation",
    "ments",
    "ment",
    "ings",
    "ing",
    "ies",
    "ied",
    "ers",
    "er",
    "ed",
    "es",
    "en",
    "ly",
    "s",
    "e",
    "y",
)
_EMPTY = frozenset(
    """
    about after all also and any are because been but can could did does for from get give had has have her him his
    how into its let like may might more most need not now our out please she should some tell than thank thanks that
    the their them then there these they this those want was were what when where which who why will with would you
    your yes und oder der die das ist ein eine einen mit von für ich sie wir ihr nicht auf den dem des was wie wer
    wann bitte danke
    """.split()  # noqa: SIM905
)


def on_topic(
    words: Iterable[str] = (),
    *,
    examples: Iterable[str] = (),
    at_least: float | None = None,
    action: Literal["block", "ask"] = "block",
    places: Iterable[Place] = ("input",),
) -> Rail:
    """Text that shares words with the topic; other text is blocked, or a person is asked.

    With `words`, the share of its words that are of the topic must reach `at_least` (0.05 unless told); with
    `examples`, its likeness to the nearest one (cosine of weighted stems, 0.2 unless told); with both, one of the two.

    Raises:
        UserError: There are neither words nor examples, or `at_least` is not above 0 and up to 1.
    """
    topic = frozenset(stems(" ".join([words] if isinstance(words, str) else words), keep=True))
    seen = [Counter(stems(each)) for each in ([examples] if isinstance(examples, str) else examples)]
    if not topic and not any(seen):
        raise UserError("on_topic needs words or examples of the topic; it was given neither")
    if at_least is not None and not 0 < at_least <= 1:
        raise UserError(f"on_topic: at_least is above 0 and up to 1, not {at_least!r}")
    return _Topic(topic, [each for each in seen if each], at_least, action, places)


def stems(text: str, *, keep: bool = False) -> list[str]:
    """The words of a text without their endings, and without those that say nothing unless these are kept."""
    found = [word for word in _WORD.findall(text.casefold()) if keep or word not in _EMPTY]
    return [_stem(word) for word in found]


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


class _Topic(Rail):
    name = "on_topic"

    def __init__(
        self,
        topic: frozenset[str],
        examples: list[Counter[str]],
        at_least: float | None,
        action: str,
        places: Iterable[Place],
    ) -> None:
        self.places = checked_places(places, self.name)
        self._topic, self._ask = topic, action == "ask"
        self._share, self._likeness = at_least or 0.05, at_least or 0.2
        documents = Counter(stem for example in examples for stem in example)
        self._weight = {stem: math.log(1 + len(examples) / count) for stem, count in documents.items()}
        self._examples = [self._weighted(example) for example in examples]

    async def check(self, subject: Subject, ctx: RunContext[Any]) -> Decision:
        said = stems(subject.text)
        if len(said) <= SHORT:
            return Allow()
        share = sum(stem in self._topic for stem in said) / len(said)
        likeness = max((self._like(Counter(said), each) for each in self._examples), default=0.0)
        if (self._topic and share >= self._share) or (self._examples and likeness >= self._likeness):
            return Allow()
        reason = f"off the topic: {share:.2f} of its words are of it" if self._topic else "off the topic"
        reason += f", likeness to an example {likeness:.2f}" if self._examples else ""
        return Ask(reason, self.name) if self._ask else Block(reason, self.name)

    def _like(self, said: Counter[str], example: Mapping[str, float]) -> float:
        mine = self._weighted(said)
        return sum(weight * example.get(stem, 0.0) for stem, weight in mine.items())

    def _weighted(self, counts: Counter[str]) -> dict[str, float]:
        """Of length 1; a stem that no example has weighs as one that a single example has."""
        rare = max(self._weight.values(), default=1.0)
        weights = {stem: count * self._weight.get(stem, rare) for stem, count in counts.items()}
        size = math.sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        return {stem: weight / size for stem, weight in weights.items()}
