"""Known ids: which message ids a list holds, without reading all of a long list each time it grows by one.

In: a list of messages. Out: the set of their ids. The set of a list that was asked for before, or that grew out of such
a list by `grown`, is kept; it is only taken for a list whose every item is the very same object.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from operator import is_
from typing import Any, NamedTuple

SHORT = 64
"""Up to this many messages a set is made afresh."""
LISTS = 64
"""Lists whose sets are kept: of the threads that grew last."""


class _Kept(NamedTuple):
    messages: Sequence[Mapping[str, Any]]
    ids: set[Any]


class KnownIds:
    """Keeps the sets of ids of the lists that grew last. Safe from any thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, messages: Sequence[Mapping[str, Any]]) -> set[Any]:
        """The ids of these messages, to be added to and handed to `grown`; it is the caller's alone."""
        if len(messages) > SHORT:
            with self._lock:
                kept = self._kept.pop(id(messages[-1]), None)
            if kept is not None and _same(kept.messages, messages):
                return kept.ids
        return {message.get("id") for message in messages}

    def grown(self, messages: Sequence[Mapping[str, Any]], ids: set[Any]) -> None:
        """Keep the ids of a list, which must not be changed any more."""
        if len(messages) <= SHORT:
            return
        with self._lock:
            self._kept[id(messages[-1])] = _Kept(messages, ids)
            if len(self._kept) > LISTS:
                self._kept.popitem(last=False)


def _same(one: Sequence[Any], other: Sequence[Any]) -> bool:
    return one is other or (len(one) == len(other) and all(map(is_, one, other)))
