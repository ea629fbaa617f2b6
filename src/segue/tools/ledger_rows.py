"""Effects as rows of a database: an effect in, the statement that writes it out; a row in, the effect out.

Arguments and what came of a call are sealed to their tenant, key and claim; the rest lies open, to be found by.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from segue.context.effects import Came, Effect
from segue.memory.database import Row, Statement
from segue.memory.sealing import Seal

FIELDS = (
    "tenant", "key", "delivery", "claim", "run_id", "thread_id", "branch", "call_id", "agent", "task_id", "tool",
    "effect", "reach", "arguments", "state", "came", "owner", "claimed_at", "recorded_at", "approved_by",
)  # fmt: skip
COLUMNS = ", ".join(FIELDS)


@dataclass(frozen=True)
class Rows:
    """Effects as rows of one database."""

    sealer: Seal

    def values(self, effect: Effect) -> tuple[Any, ...]:
        """All columns of an effect, in the order of `FIELDS`."""
        held = {name: getattr(effect, name) for name in FIELDS}
        held["arguments"] = self._sealed(effect, "arguments", effect.arguments)
        held["came"] = None if effect.came is None else self.came(effect, effect.came)
        return tuple(held.values())

    def came(self, effect: Effect, came: Came) -> bytes:
        """What came of an effect, as it lies in its row."""
        return self._sealed(effect, "came", asdict(came))

    def effect(self, row: Row) -> Effect:
        """The effect of a row; a `StoreError` where it was changed, moved, or sealed with another key."""
        held = dict(zip(FIELDS, row, strict=True))
        at = (held["tenant"], held["key"], held["claim"])
        held["arguments"] = self._opened(held["arguments"], "arguments", at)
        if held["came"] is not None:
            came = self._opened(held["came"], "came", at)
            held["came"] = Came(**{**came, "atoms": tuple((pointer, text) for pointer, text in came["atoms"])})
        return Effect(**held)

    def _sealed(self, effect: Effect, column: str, value: Any) -> bytes:
        data = json.dumps(value, separators=(",", ":")).encode()
        return self.sealer.seal(data, "effect", effect.tenant, effect.key, effect.claim, column)

    def _opened(self, data: Any, column: str, at: tuple[str, str, str]) -> Any:
        return json.loads(self.sealer.open(data, "effect", *at, column))


def marks(values: Sequence[Any]) -> str:
    """A `?` for each value."""
    return ", ".join("?" * len(values))


def insert(values: Sequence[Any]) -> Statement:
    """Claims a key that nobody has claimed; returns a row if it did."""
    sql = f"INSERT INTO effects ({COLUMNS}) VALUES ({marks(values)}) "
    return sql + "ON CONFLICT (tenant, key) DO NOTHING RETURNING claim", values


def take_over(values: Sequence[Any], over: Effect) -> Statement:
    """Claims a key whose row still stands as it was seen; returns a row if it did."""
    sets = ", ".join(f"{name} = ?" for name in FIELDS)
    where = "tenant = ? AND key = ? AND claim = ? AND state = ?"
    return f"UPDATE effects SET {sets} WHERE {where} RETURNING claim", (
        *values, over.tenant, over.key, over.claim, over.state,
    )  # fmt: skip


def schema(dialect: str) -> list[Statement]:
    """What makes the table, where it is not there."""
    data = "BYTEA" if dialect == "postgres" else "BLOB"
    columns = (
        "tenant TEXT NOT NULL, key TEXT NOT NULL, delivery TEXT NOT NULL, claim TEXT NOT NULL, run_id TEXT NOT NULL, "
        "thread_id TEXT NOT NULL, branch TEXT NOT NULL, call_id TEXT NOT NULL, agent TEXT NOT NULL, "
        "task_id TEXT NOT NULL, tool TEXT NOT NULL, effect TEXT NOT NULL, reach TEXT NOT NULL, "
        f"arguments {data} NOT NULL, state TEXT NOT NULL, came {data}, owner TEXT NOT NULL, "
        "claimed_at DOUBLE PRECISION NOT NULL, recorded_at DOUBLE PRECISION, approved_by TEXT NOT NULL, "
        "PRIMARY KEY (tenant, key)"
    )
    return [
        (f"CREATE TABLE IF NOT EXISTS effects ({columns})", ()),
        ("CREATE INDEX IF NOT EXISTS effects_by_delivery ON effects (tenant, delivery)", ()),
        ("CREATE INDEX IF NOT EXISTS effects_by_run ON effects (tenant, run_id)", ()),
        ("CREATE INDEX IF NOT EXISTS effects_by_thread ON effects (tenant, thread_id)", ()),
    ]
