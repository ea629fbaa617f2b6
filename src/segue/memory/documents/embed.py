"""Embedding: texts in, unit vectors out.

`Embedder` is the port. The default hashes words and pieces of words into 384 numbers: it needs no model and no
download and gives the same vector everywhere; it finds spellings and inflections, not synonyms.
"""

from __future__ import annotations

import asyncio
import math
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from segue.memory.documents.words import STOP_WORDS, words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_PIECE_WEIGHT = 0.35
_STOP_WEIGHT = 0.1


class Embedder(Protocol):
    """Turns texts into vectors of one length."""

    @property
    def name(self) -> str:
        """Names the model and its length; a change makes an index embed everything anew."""
        ...

    @property
    def dims(self) -> int:
        """The length of each vector."""
        ...

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text, each of length 1, or all zeros where the text says nothing."""
        ...


class HashingEmbedder:
    """The embedder that needs nothing: hashed words and their pieces of three and four letters."""

    def __init__(self, dims: int = 384) -> None:
        self.dims = dims
        self.name = f"hashing-1/{dims}"

    async def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row a text; computed in a thread."""
        return await asyncio.to_thread(self.vectors, texts)

    def vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The same, at once."""
        import numpy as np

        out = np.zeros((len(texts), self.dims), dtype=np.float32)
        for row, text in zip(out, texts, strict=True):
            for word, count in Counter(words(text)).items():
                weight = (1.0 + math.log(count)) * (_STOP_WEIGHT if word in STOP_WORDS else 1.0)
                for place, value in _features(word, self.dims):
                    row[place] += weight * value
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        np.divide(out, lengths, out=out, where=lengths > 0)
        return out


@lru_cache(maxsize=50_000)
def _features(word: str, dims: int) -> tuple[tuple[int, float], ...]:
    """Where a word and its pieces fall, each with a sign that lets collisions cancel out."""
    framed = f"<{word}>"
    pieces = {framed[at : at + size] for size in (3, 4) for at in range(len(framed) - size + 1)} - {framed}
    share = _PIECE_WEIGHT / math.sqrt(len(pieces)) * 2 if pieces else 0.0
    weighted = [(f"w:{word}", 1.0), *((f"p:{piece}", share) for piece in sorted(pieces))]
    return tuple(_place(key, dims, value) for key, value in weighted)


def _place(key: str, dims: int, value: float) -> tuple[int, float]:
    hashed = zlib.crc32(key.encode("utf-8", "ignore"))
    return (hashed >> 1) % dims, value if hashed & 1 else -value
