"""Which beginnings of conversations a server holds in its prefix cache, as far as the router can tell.

In: the chain of a conversation, a hash for each piece of it that stands for all that came before, too. Out: how many
pieces from the start on a server is thought to hold. What was used least recently is forgotten first, as the server
does it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence

Chain = Sequence[Hashable]


class Prefixes:
    """What one server is thought to hold. A piece is never held without those before it."""

    def __init__(self, most: int = 20_000) -> None:
        """`most` pieces are remembered."""
        self.most = most
        self._held: OrderedDict[Hashable, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def match(self, chain: Chain) -> int:
        """How many pieces from the start on are held: a binary search, since none is held without those before it."""
        held = self._held
        low, high = 0, len(chain)
        while low < high:
            middle = (low + high + 1) // 2
            if chain[middle - 1] in held:
                low = middle
            else:
                high = middle - 1
        return low

    def add(self, chain: Chain) -> None:
        """The server has seen this conversation."""
        held = self._held
        for piece in reversed(chain):  # the first piece is the newest, and is forgotten last
            if piece in held:
                held.move_to_end(piece)
            else:
                held[piece] = None
        if len(held) > self.most:
            self._forget()

    def shrink(self, most: int) -> None:
        """Remember no more than that."""
        self.most = most
        self._forget()

    def clear(self) -> None:
        """The server has lost everything."""
        self._held.clear()

    def _forget(self) -> None:
        held = self._held
        while held and len(held) > self.most:
            held.popitem(last=False)
