"""Upgrades of a workspace: an agent as it is now in, a verdict for each of its stored threads out; and migrating them.

The shapes of graphs that wrote threads are kept beside the checkpoints, by their hash, so that what has changed since
can be told from what was always so.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from segue.agents.run import RunRecord
from segue.agents.runnable import Runnable
from segue.base.errors import BadInput
from segue.base.ids import derived_id, new_id
from segue.base.principal import LOCAL, Principal
from segue.graphs.versions import graph_shape, graph_version
from segue.workspace.finding import Finding

if TYPE_CHECKING:
    from segue.graphs.carrying import Carried
    from segue.graphs.upgrade import Verdict

FOLDER = "graphs"
"""Of the shapes, in the folder of data."""


class Upgrades(Finding):
    """What becomes of stored threads when agents change."""

    async def check(
        self, agent: Runnable, *, thread_id: str | None = None, principal: Principal = LOCAL
    ) -> list[Verdict]:
        """What will become of the agent's threads if it goes on with them as it is now; nothing is run or changed.

        Args:
            agent: An agent or a team, as it is now.
            thread_id: One thread; `None` is every thread of the tenant whose newest run was this agent's.
            principal: Whose threads.

        Returns:
            One verdict for each thread, the newest thread first, after the migrations that the agent brings.

        Raises:
            BadInput: There is no such thread.
        """
        self._must_be_open()
        graph = self._graph(agent, principal.tenant)
        return [await self._judged(graph, record) for record in self._threads_of(agent, thread_id, principal)]

    async def migrate(
        self, agent: Runnable, *, thread_id: str | None = None, principal: Principal = LOCAL
    ) -> list[Verdict]:
        """Migrate the agent's threads to its version now, instead of when each is next loaded.

        Args:
            agent: As for `check`.
            thread_id: As for `check`.
            principal: Whose threads.

        Returns:
            What is said of each thread that was migrated, as it is now. One that would not resume afterwards, or
            whose migration fails, is left as it was; its verdict says why.

        Raises:
            BadInput: There is no such thread.
            ThreadBusy: Another process has a thread for longer than a run would wait for it.
        """
        self._must_be_open()
        graph, found = self._graph(agent, principal.tenant), []
        for record in self._threads_of(agent, thread_id, principal):
            before = await self._judged(graph, record)
            if before.kind == "resumes" and before.migrations:
                async with self.turns.of(record.tenant, record.thread_id):
                    await migrated(graph, self._place(record.thread_id), record)
                    await self.records.keep(record)
                found.append(replace(await self._judged(graph, record), migrations=before.migrations))
            elif before.kind != "resumes":
                found.append(before)
        return found

    async def _judged(self, graph: Any, record: RunRecord) -> Verdict:
        from segue.graphs.upgrade import check_thread

        verdict = await check_thread(graph, self._place(record.thread_id), shapes=self._shape)
        return replace(
            verdict,
            thread_id=record.thread_id,
            tenant=record.tenant,
            run_id=record.run_id,
            status=self._seen(record).status,
        )

    def _threads_of(self, agent: Runnable, thread_id: str | None, principal: Principal) -> list[RunRecord]:
        """The newest run of each thread."""
        if thread_id is not None:
            held = self.records.newest(principal.tenant, limit=1, thread_id=thread_id)
            if not held:
                raise BadInput(f"there is no thread {thread_id!r} here.", way_out="List runs: segue trace --list.")
            return held
        found: list[RunRecord] = []
        for each, _, _ in self.records.threads(principal.tenant, limit=-1):
            held = self.records.newest(principal.tenant, limit=1, thread_id=each)
            found += [record for record in held if record.agent == agent.name]
        return found

    def _graph(self, agent: Runnable, tenant: str) -> Any:
        """As before; the shape of each graph is kept once."""
        known = tenant in self._graphs.get(agent, {})
        graph = super()._graph(agent, tenant)
        if not known:
            _keep(self.data_dir / FOLDER, graph)
        return graph

    def _shape(self, digest: str) -> Mapping[str, Any] | None:
        """The shape of a graph that wrote threads here, by its hash; `None` where it is not known."""
        try:
            found: Mapping[str, Any] = orjson.loads((self.data_dir / FOLDER / f"{digest}.json").read_bytes())
        except (OSError, ValueError):
            return None
        return found


async def migrated(graph: Any, config: Any, record: RunRecord) -> Carried | None:
    """Migrate the thread of a run, and what its record says of questions; whoever calls has the thread and keeps it."""
    from segue.graphs.carrying import migrate

    carried = await migrate(graph, config)
    if carried is None:
        return None
    names = {
        derived_id("int", record.run_id, old): derived_id("int", record.run_id, new)
        for old, new in carried.interrupts.items()
    }
    record.interrupts = [{**each, "id": names.get(each["id"], each["id"])} for each in record.interrupts]
    record.answers = {names.get(key, key): value for key, value in record.answers.items()}
    return carried


def _keep(folder: Path, graph: Any) -> None:
    """Write the shape of a graph down, once; without it the check says less, so that nothing fails for it."""
    path = folder / f"{graph_version(graph)}.json"
    if path.exists():
        return
    with contextlib.suppress(OSError, TypeError):
        folder.mkdir(exist_ok=True)
        beside = path.with_suffix(f".{new_id('new')}")
        beside.write_bytes(orjson.dumps(graph_shape(graph), default=str))
        os.replace(beside, path)
