"""Where evals are kept: cases that were made of runs, and results; in a file of the data folder, or in the database.

Every call blocks until it is back: from a loop, call it in a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from segue.base.errors import BadInput
from segue.base.rows import Rows, Statement, Tables, in_both, inserted
from segue.evals.case import Case
from segue.evals.result import Result

if TYPE_CHECKING:
    from segue.workspace import Workspace

_FILE = "evals.db"
_SCHEMA = in_both(
    """CREATE TABLE IF NOT EXISTS @eval_cases (
        tenant TEXT NOT NULL, agent TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, run_id TEXT NOT NULL,
        at DOUBLE PRECISION NOT NULL, PRIMARY KEY (tenant, agent, id))""",
    """CREATE TABLE IF NOT EXISTS @eval_results (
        tenant TEXT NOT NULL, id TEXT NOT NULL, at DOUBLE PRECISION NOT NULL, summary TEXT NOT NULL,
        body TEXT NOT NULL, PRIMARY KEY (tenant, id))""",
    """CREATE TABLE IF NOT EXISTS @eval_trials (
        tenant TEXT NOT NULL, result_id TEXT NOT NULL, place INTEGER NOT NULL, body TEXT NOT NULL,
        PRIMARY KEY (tenant, result_id, place))""",
)


class EvalStore:
    """The rows. Every method may raise `StoreError`."""

    def __init__(self, place: Path | Rows) -> None:
        self._tables = Tables(place, _SCHEMA)

    def keep_case(self, tenant: str, agent: str, case: Case, *, run_id: str = "", at: float) -> None:
        """Keep a case of an agent; one of the same id is written over."""
        row = (tenant, agent, case.id, case.line().decode(), run_id, at)
        more = "ON CONFLICT (tenant, agent, id) DO UPDATE SET body = excluded.body, at = excluded.at"
        self._tables.transaction(inserted("@eval_cases", [row], more=more))

    def cases(self, tenant: str, agent: str = "") -> list[tuple[str, str, Case]]:
        """The kept cases, oldest first: each with its agent and the run that it was made of."""
        sql = "SELECT agent, run_id, body FROM @eval_cases WHERE tenant = ?"
        found = self._tables.execute(
            f"{sql}{' AND agent = ?' if agent else ''} ORDER BY at, id", (tenant, agent) if agent else (tenant,)
        )
        return [(name, run_id, Case.model_validate(orjson.loads(body))) for name, run_id, body in found]

    def drop_case(self, tenant: str, agent: str, case_id: str) -> bool:
        """Forget a kept case; false where there was none."""
        sql = "DELETE FROM @eval_cases WHERE tenant = ? AND agent = ? AND id = ? RETURNING id"
        return bool(self._tables.execute(sql, (tenant, agent, case_id)))

    def keep(self, tenant: str, result: Result) -> None:
        """Keep a result with all its trials."""
        whole = result.to_dict()
        trials = [
            (tenant, result.id, place, orjson.dumps(asdict(trial), default=str).decode())
            for place, trial in enumerate(result.trials)
        ]
        body = orjson.dumps({**whole, "trials": []}, default=str).decode()
        row = (tenant, result.id, result.started_at, orjson.dumps(result.summary()).decode(), body)
        statements: list[Statement] = inserted("@eval_results", [row])
        self._tables.transaction([*statements, *inserted("@eval_trials", trials)] if trials else statements)

    def results(self, tenant: str, *, limit: int = 100) -> list[dict[str, Any]]:
        """The summaries of the newest results, newest first."""
        sql = "SELECT summary FROM @eval_results WHERE tenant = ? ORDER BY at DESC, id DESC LIMIT ?"
        return [orjson.loads(row[0]) for row in self._tables.execute(sql, (tenant, limit))]

    def result(self, tenant: str, result_id: str) -> Result:
        """A result, whole.

        Raises:
            BadInput: There is none of this id.
        """
        found = self._tables.execute("SELECT body FROM @eval_results WHERE tenant = ? AND id = ?", (tenant, result_id))
        if not found:
            known = [each["id"] for each in self.results(tenant, limit=5)]
            way = f"The newest are: {', '.join(known)}." if known else "None is kept here yet: segue eval keeps one."
            raise BadInput(f"there is no result {result_id!r}.", way_out=way)
        sql = "SELECT body FROM @eval_trials WHERE tenant = ? AND result_id = ? ORDER BY place"
        trials = [orjson.loads(row[0]) for row in self._tables.execute(sql, (tenant, result_id))]
        return Result.from_dict({**orjson.loads(found[0][0]), "trials": trials})

    def drop(self, tenant: str, result_id: str) -> bool:
        """Forget a result; false where there was none."""
        gone = self._tables.transaction([
            ("DELETE FROM @eval_trials WHERE tenant = ? AND result_id = ?", (tenant, result_id)),
            ("DELETE FROM @eval_results WHERE tenant = ? AND id = ? RETURNING id", (tenant, result_id)),
        ])  # fmt: skip
        return bool(gone[-1])

    def close(self) -> None:
        """Let go of the file."""
        self._tables.close()


@asynccontextmanager
async def open_evals(ws: Workspace) -> AsyncIterator[EvalStore]:
    """The store of a workspace that is open: in its database, or in a file of its data folder."""
    rows: Rows | None = None
    if ws.database_url:
        from segue.memory.postgres_database import PostgresDatabase

        database = PostgresDatabase(ws.database_url)
        await asyncio.to_thread(database.start_now)
        rows = database
    store = await asyncio.to_thread(EvalStore, rows or ws.data_dir / _FILE)
    try:
        yield store
    finally:
        await asyncio.to_thread(store.close)
        if rows is not None:
            await asyncio.to_thread(rows.close_now)
