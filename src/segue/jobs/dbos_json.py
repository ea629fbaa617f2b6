"""What DBOS stores, as JSON: plain data in and out; an exception as its class and its words.

DBOS pickles by itself; whoever can write to the queue's database could then run code in each worker.
"""

from __future__ import annotations

from typing import Any

import orjson
from dbos import Serializer

_ERROR = "__error__"


class StoredError(Exception):
    """What a segment raised, as it was read back: its class, its words, and its id where it has one."""

    def __init__(self, kind: str, words: str, error_id: str = "") -> None:
        super().__init__(kind, words)
        self.error_id = error_id


class JsonSerializer(Serializer):
    """DBOS's serialiser port."""

    def serialize(self, data: Any) -> str:
        """As JSON."""
        if isinstance(data, BaseException):
            data = {_ERROR: [type(data).__name__, str(data), getattr(data, "error_id", "")]}
        return orjson.dumps(data).decode()

    def deserialize(self, serialized_data: str) -> Any:
        """From JSON."""
        data = orjson.loads(serialized_data)
        if isinstance(data, dict) and _ERROR in data:
            return StoredError(*data[_ERROR])
        return data

    def name(self) -> str:
        """As it stands beside each row."""
        return "segue_json"
