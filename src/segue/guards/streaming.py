"""Streaming: the pieces of an answer in as they come, and out what the rails allow to be shown already.

A rail declares how many characters it must see at once, its window: whatever it looks for is recognised within so many.
A piece is held until it lies further back than that, so that nothing can still complete around it; what a rail changes
is held until it can grow no more. What is shown is therefore what the rails make of the whole, from its beginning on,
at most the largest window and `SLACK` characters late. Where a rail blocks, asks, or wants something else of what was
already shown, nothing more is shown; what the whole comes to is judged at its end, by `segue.guards.judging`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from segue.base.errors import UserError
from segue.context.decisions import Allow, Ask, Block, Decision, Rewrite
from segue.context.run import RunContext
from segue.guards.judging import looked
from segue.guards.rail import Rail, Subject

SLACK = 64
"""So many characters come together before they are looked at again."""
MOST_HELD = 256 * 1024
"""Characters; an answer of which more would have to be held is shown no further."""
_SAME_AGAIN = 16
_MOST_PUT_IN = 512
"""Characters that a rail may put in the place of others and be understood at once; beyond, more is held."""
_KEPT = 2
"""Windows of what was shown that are looked at again, for what stands before a pattern and belongs to it."""


@dataclass(frozen=True, slots=True)
class _Change:
    """What rails changed of a text: where it stood, and where the new one stands."""

    start: int
    end: int
    new_start: int
    new_end: int


class StreamGuard:
    """Guards one answer while it comes.

    In: its pieces, to `feed`. Out: what may be shown; the rest at `close`. Nothing that a rail takes out is ever in it,
    however the answer was cut into pieces.
    """

    def __init__(self, rails: Iterable[Rail], ctx: RunContext[Any] | None = None, *, agent: str = "") -> None:
        """`ctx` is handed to the rails, as it is.

        Raises:
            UserError: A rail says no window: it wants the whole answer.
        """
        self._rails = [rail for rail in rails if "output" in rail.places]
        if whole := [rail.name for rail in self._rails if rail.window is None]:
            raise UserError(
                f"rail {whole[0]!r} looks at whole answers: it says no window.",
                way_out="Give it a `window`, or show the answer when it is whole.",
            )
        self.window = max([rail.window or 0 for rail in self._rails], default=0)
        """Characters that are held at least."""
        self._ctx = ctx
        self._agent = agent
        self._shown: list[str] = []
        self._before = ""
        """The end of what was shown."""
        self._held = ""
        self._look_at = self.window + SLACK
        self.stopped: Decision | None = None
        """Why nothing more is shown: a `Block` or an `Ask`; `None` as long as something may be."""

    @property
    def shown(self) -> str:
        """All that was given out."""
        return "".join(self._shown)

    @property
    def held(self) -> int:
        """How many characters wait."""
        return len(self._held)

    def wants(self, more: int) -> bool:
        """Whether so many characters more are worth a look."""
        return self.stopped is None and len(self._held) + more >= self._look_at

    async def feed(self, piece: str) -> str:
        """Take a piece; what may be shown now."""
        if self.stopped is not None:
            return ""
        self._held += piece
        if len(self._held) < self._look_at:
            return ""
        return await self._look(last=False)

    async def close(self) -> str:
        """The answer has ended; what may be shown of the rest."""
        if self.stopped is not None or not self._held:
            return ""
        return await self._look(last=True)

    async def _look(self, *, last: bool) -> str:
        text, begin = self._before + self._held, len(self._before)
        said = await self._said(text)
        if isinstance(said, Block | Ask):
            return self._stop(said)
        new = text if isinstance(said, Allow) else str(said.value)
        changes = _changes(text, new)
        if any(each.start < begin < each.end for each in changes):
            return self._stop(Block("it would change what was shown already", "streaming"))
        cut = len(text)
        if not last:
            cut = max(begin, len(text) - self.window)
            cut = next((each.start for each in changes if each.start < cut < each.end), cut)
        new_begin, new_cut = _moved(begin, changes), len(new) if last else _moved(cut, changes)
        out = new[new_begin:new_cut]
        self._held = text[cut:]
        self._before = (text[:begin] + out)[-_KEPT * max(self.window, 1) :]
        self._shown.append(out)
        self._look_at = max(self.window, len(self._held)) + SLACK
        if len(self._held) > MOST_HELD:
            self._stop(Block(f"more than {MOST_HELD} characters would have to be held", "streaming"))
        return out

    def _stop(self, said: Decision) -> str:
        self.stopped, self._held = said, ""
        return ""

    async def _said(self, text: str) -> Decision:
        """What all rails say of a text, one after the other as at the end."""
        changed = False
        subject = Subject(place="output", text=text, agent=self._agent)
        for rail in self._rails:
            verdict, subject = await looked(rail, subject, self._ctx)
            if isinstance(verdict, Block | Ask):
                return verdict
            changed = changed or isinstance(verdict, Rewrite)
        return Rewrite(subject.text) if changed else Allow()


def streams(rails: Iterable[Rail]) -> bool:
    """Whether an answer can be shown while it comes: each of them says how much it must see at once."""
    for rail in rails:  # noqa: SIM110 - three times as quick as a generator, for each generation
        if rail.window is None:
            return False
    return True


async def readable(rails: Sequence[Rail], text: str, ctx: RunContext[Any] | None) -> str:
    """What of a text may be shown to those who read along: as the rails want it, and nothing where one says no.

    Rails of whole answers are not asked here, since they may cost: nothing is shown then.
    """
    if not rails or not text:
        return text
    if not streams(rails):
        return ""
    guard = StreamGuard(rails, ctx)
    await guard.feed(text)
    await guard.close()
    return guard.shown if guard.stopped is None else ""


def _moved(at: int, changes: Sequence[_Change]) -> int:
    """Where a place of the old text, inside of no change, is in the new one; before what is put in there."""
    before = [each for each in changes if each.end <= at and each.start < at]
    return at + before[-1].new_end - before[-1].end if before else at


def _changes(old: str, new: str) -> list[_Change]:
    """Where two texts differ. After a difference they go on alike where so many characters are the same again."""
    if old == new:
        return []
    found: list[_Change] = []
    tail = _alike(old[::-1], new[::-1], 0, 0)
    start = new_start = _alike(old, new, 0, 0)
    tail = min(tail, len(old) - start, len(new) - new_start)
    while start < len(old) - tail or new_start < len(new) - tail:
        end, new_end = _again(old, new, start, new_start, tail)
        found.append(_Change(start, end, new_start, new_end))
        same = _alike(old, new, end, new_end)
        start, new_start = end + same, new_end + same
        tail = min(tail, len(old) - start, len(new) - new_start)
    return found


def _again(old: str, new: str, start: int, new_start: int, tail: int) -> tuple[int, int]:
    """Where both are alike again after they parted, as soon as possible; where nowhere, at what they end in."""
    end, new_end = len(old) - tail, len(new) - tail
    best: tuple[int, int] | None = None
    for at in range(new_start, min(new_end, new_start + _MOST_PUT_IN) + 1):
        if best is not None and at - new_start >= sum(best) - start - new_start:
            break
        anchor = new[at : at + _SAME_AGAIN]
        if len(anchor) < _SAME_AGAIN:
            break
        place = old.find(anchor, start)
        if place >= 0 and (best is None or place + at < sum(best)):
            best = place, at
    return best if best is not None and best[0] <= end and best[1] <= new_end else (end, new_end)


def _alike(one: str, other: str, at: int, other_at: int) -> int:
    """How many characters are the same from two places on."""
    low, high = 0, min(len(one) - at, len(other) - other_at)
    while low < high:
        middle = (low + high + 1) // 2
        if one.startswith(other[other_at + low : other_at + middle], at + low):
            low = middle
        else:
            high = middle - 1
    return low
