"""The KV memory of a server: blocks that running requests need, and those that it still holds from earlier ones.

In: the chain of a conversation (see `segue.router.placing.prefixes`), a block of memory for each of its pieces. Out:
how many of them were there already. What nobody needs is kept until the room is wanted, and what was used least
recently goes first, the ends of conversations before their beginnings.
"""

from __future__ import annotations

from collections.abc import Sequence

PIECE_TOKENS = 128
"""Tokens of a piece, as the router has them; vLLM's own blocks are smaller."""


class Memory:
    """So many blocks."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.answers = 0
        """Blocks that are set aside for answers that are being written."""
        self._needed: dict[int, int] = {}
        self._kept: dict[int, None] = {}

    @property
    def usage(self) -> float:
        """How much of it requests need that run, 0 to 1."""
        return min(1.0, (len(self._needed) + self.answers) / self.blocks)

    def match(self, chain: Sequence[int]) -> int:
        """How many pieces from the start on are there."""
        needed, kept = self._needed, self._kept
        low, high = 0, len(chain)
        while low < high:
            middle = (low + high + 1) // 2
            piece = chain[middle - 1]
            if piece in needed or piece in kept:
                low = middle
            else:
                high = middle - 1
        return low

    def hold(self, chain: Sequence[int], answer: int, *, alone: bool) -> int | None:
        """Take the blocks of a request and of its answer; how many pieces were there, `None` where there is no room.

        A request that runs `alone` is let in however large it is.
        """
        needed, kept = self._needed, self._kept
        found = self.match(chain)
        only_kept = sum(1 for piece in chain[:found] if piece in kept)
        wanted = len(needed) + self.answers + only_kept + len(chain) - found + answer
        if wanted > self.blocks and not alone:
            return None
        for piece in chain:
            kept.pop(piece, None)
            needed[piece] = needed.get(piece, 0) + 1
        self.answers += answer
        self._make_room()
        return found

    def release(self, chain: Sequence[int], answer: int, *, whole: Sequence[int] | None = None) -> None:
        """The request needs them no more; `whole` is its chain with the answer, which is kept, too."""
        needed, kept = self._needed, self._kept
        self.answers -= answer
        for piece in reversed(whole[len(chain) :] if whole is not None else ()):
            if piece not in needed:
                kept.pop(piece, None)
                kept[piece] = None
        for piece in reversed(chain):
            others = needed.get(piece, 1) - 1
            if others > 0:
                needed[piece] = others
            else:
                needed.pop(piece, None)
                kept.pop(piece, None)
                kept[piece] = None
        self._make_room()

    def clear(self) -> None:
        """The server was started anew."""
        self.answers = 0
        self._needed.clear()
        self._kept.clear()

    def _make_room(self) -> None:
        kept = self._kept
        over = len(self._needed) + self.answers + len(kept) - self.blocks
        while over > 0 and kept:
            del kept[next(iter(kept))]
            over -= 1
