"""Ranking: what an index found by words and by likeness in, the order of the passages out.

Every index fetches candidates in its own way and has them ranked here, so that the same documents come first whatever
server holds them. By words it is BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009; k1 = 1.2,
b = 0.75, a word of the heading counts as eight) with the statistics of the scope alone: no tenant's ranking tells of
another's documents. By likeness it is the cosine. The two are joined by reciprocal rank fusion (Cormack, Clarke and
Büttcher, SIGIR 2009; k = 60). Equal places go by path and by place in the page.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Key = tuple[str, int]
"""A passage: the path of its page, and which chunk of the page it is, from 0."""

DEPTH = 50
"""How far down each of the two rankings is read."""
CANDIDATES = 200
"""How many passages with a word of the question an index hands over, those first that it holds for the best."""
NEAR = DEPTH + 14
"""How many alike ones: some more, so that those of equal likeness at the end are told apart here."""
HEADING_WEIGHT = 8
_FUSION_K = 60
_K1, _B = 1.2, 0.75


@dataclass(frozen=True)
class Worded:
    """A candidate by words."""

    key: Key
    body: str
    """The terms of its text, with a space between."""
    heading: str


@dataclass(frozen=True)
class Statistics:
    """Of one scope, whatever a filter leaves of it."""

    passages: int
    terms: int
    """Of all passages and their headings together."""
    containing: Mapping[str, int]
    """For each term of the question in how many passages it stands."""


def containing(query: Sequence[str], candidates: Sequence[Worded]) -> dict[str, int]:
    """In how many of the candidates each term stands: the statistics, where these are all that there are."""
    held = [set(each.body.split()) | set(each.heading.split()) for each in candidates]
    return {term: sum(term in each for each in held) for term in query}


def by_words(query: Sequence[str], candidates: Sequence[Worded], statistics: Statistics) -> list[Key]:
    """The best by BM25, best first."""
    mean = max(statistics.terms / max(statistics.passages, 1), 1.0)
    weights = rarity(query, statistics)
    scored = [(_bm25(query, each, weights, mean), each.key) for each in candidates]
    return [key for score, key in sorted(scored, key=lambda each: (-each[0], each[1])) if score > 0][:DEPTH]


def rarity(query: Sequence[str], statistics: Statistics) -> dict[str, float]:
    """What each term is worth: the fewer passages hold it, the more."""
    found = {}
    for term in query:
        holding = statistics.containing.get(term, 0)
        found[term] = math.log(1 + (max(statistics.passages - holding, 0) + 0.5) / (holding + 0.5))
    return found


def _bm25(query: Sequence[str], candidate: Worded, weights: Mapping[str, float], mean: float) -> float:
    body, heading = candidate.body.split(), candidate.heading.split()
    length = _K1 * (1 - _B + _B * (len(body) + len(heading)) / mean)
    score = 0.0
    for term in query:
        if count := body.count(term) + HEADING_WEIGHT * heading.count(term):
            score += weights[term] * count * (_K1 + 1) / (count + length)
    return round(score, 9)


def by_likeness(
    vector: NDArray[np.float32], keys: Sequence[Key], vectors: NDArray[np.float32], *, at_least: float
) -> list[Key]:
    """The most alike ones by cosine, most alike first; rows of `vectors` in the order of `keys`."""
    import numpy as np

    if not keys or not np.any(vector):
        return []
    alike = np.round(vectors.astype(np.float64) @ vector.astype(np.float64), 6)
    scored = sorted(zip(alike.tolist(), keys, strict=True), key=lambda each: (-each[0], each[1]))
    return [key for likeness, key in scored if likeness >= at_least][:DEPTH]


def fuse(worded: Sequence[Key], alike: Sequence[Key], *, likeness_weight: float) -> list[tuple[Key, float]]:
    """The two rankings as one, with scores, best first."""
    scores: dict[Key, float] = {}
    for ranking, weight in ((worded, 1.0), (alike, likeness_weight)):
        for place, key in enumerate(ranking, start=1):
            scores[key] = scores.get(key, 0.0) + weight / (_FUSION_K + place)
    return sorted(scores.items(), key=lambda each: (-each[1], each[0]))
