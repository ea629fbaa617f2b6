"""Time travel: a thread's checkpoints to look at, to fork from with another state or request, and to compare.

A fork makes a branch: a run of its own that starts from an older checkpoint. What came after that checkpoint stays as
it is, and in a branch each write is asked about first. Snapshots are read and compared in `checkpoints`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langgraph.constants import END
from langgraph.errors import InvalidUpdateError
from langgraph.types import Overwrite

from segue.agents.run import Run, RunRecord
from segue.agents.runnable import Runnable
from segue.base.budget import Budget
from segue.base.errors import BadInput, names
from segue.base.ids import new_id
from segue.base.messages import coerce
from segue.base.principal import LOCAL, Principal
from segue.context.effects import Effect
from segue.workspace.checks import request_of
from segue.workspace.going_on import GoingOn
from segue.workspace.resuming import BRANCH, RUN_ID
from segue.workspace.run import RunHandle

if TYPE_CHECKING:
    from segue.workspace.checkpoints import CheckpointInfo, Compared, StateAt


class Travel(GoingOn):
    """The checkpoints of threads, and runs that start from older ones."""

    async def checkpoints(
        self, thread_id: str, *, agent: Runnable | None = None, limit: int | None = 50, principal: Principal = LOCAL
    ) -> list[CheckpointInfo]:
        """The newest checkpoints of a thread, newest first; `limit=None` gives all.

        Raises:
            BadInput: The thread has none in this tenant, or its agent is not known here.
        """
        from segue.workspace.checkpoints import described, snapshots

        graph = self._graph_of(thread_id, agent, principal)
        found = described(await snapshots(graph, self._place(thread_id), thread_id))
        return found[:limit]

    async def state(
        self,
        thread_id: str,
        *,
        checkpoint_id: str | None = None,
        agent: Runnable | None = None,
        principal: Principal = LOCAL,
    ) -> StateAt:
        """The state of a thread at a checkpoint; at its newest, where none is named.

        Raises:
            BadInput: There is no such checkpoint, or it is one of a graph inside the thread's graph.
        """
        graph = self._graph_of(thread_id, agent, principal)
        states = await self._states(graph, thread_id)
        if checkpoint_id is None:
            return next(iter(states.values()))
        if checkpoint_id not in states:
            raise await self._no_checkpoint(graph, thread_id, checkpoint_id, list(states))
        return states[checkpoint_id]

    async def fork(self, thread_id: str, checkpoint_id: str, **options: Any) -> Run:
        """Run from an older checkpoint, in a branch of its own, to the end. Options as `start_fork` takes them."""
        return await self._waited(await self.start_fork(thread_id, checkpoint_id, **options))

    async def start_fork(
        self,
        thread_id: str,
        checkpoint_id: str,
        *,
        values: Mapping[str, Any] | None = None,
        goto: str | Sequence[str] = (),
        as_node: str | None = None,
        request: Any = None,
        new_thread: bool | str = False,
        agent: Runnable | None = None,
        deps: Any = None,
        principal: Principal = LOCAL,
        budget: Budget | None = None,
        tags: Sequence[str] = (),
    ) -> RunHandle:
        """Start a run from an older checkpoint, in a branch of its own.

        The old branch keeps its checkpoints; the thread goes on from the newest one, which is now the fork's. What
        workers, graphs inside the thread's graph, were doing at that checkpoint starts over.

        Args:
            thread_id: The thread.
            checkpoint_id: One of `checkpoints`.
            values: State keys to change first; each goes through its reducer (`Overwrite` of LangGraph passes it by).
                Of `messages`, one with the id of one that is there takes its place; others come behind.
            goto: Nodes to run next; where none is named, those that were to run next at that checkpoint.
            as_node: Instead: the node that the change comes from, as LangGraph's `update_state` takes it. What the
                edges out of it lead to runs next; a node that says itself where it goes has none.
            request: A request to go on with.
            new_thread: Fork into a copy of the thread, under this id or one that is made; the thread itself stays.
            agent: The agent, where this process has not run it yet.
            deps: As for `start`.
            principal: On whose behalf.
            budget: The most that the fork may spend.
            tags: As for `start`.

        Raises:
            BadInput: There is no such checkpoint, the change does not fit the graph, or nothing is left to run there.
            StoreError: Another process has the thread.
        """
        await self.ensure_open()
        agent = self._agent_of(thread_id, agent, principal)
        self._check(agent, deps)
        origin = await self.state(thread_id, checkpoint_id=checkpoint_id, agent=agent, principal=principal)
        graph = self._graph(agent, principal.tenant)
        _check_nodes(graph, (goto,) if isinstance(goto, str) else goto, as_node)
        change = _change(graph, values or {}, origin.values.get("messages"))
        if request is None and not origin.info.next and not goto and not as_node:
            raise BadInput(
                f"nothing is left to run at checkpoint {checkpoint_id}.",
                way_out="Give a request=, or goto=.",
            )
        messages = [] if request is None else [dict(each) for each in request_of(request)]
        target = thread_id
        if new_thread:
            target = new_thread if isinstance(new_thread, str) else new_id("thread")
            await self.saver.for_tenant(principal.tenant).acopy_thread(thread_id, target)
        record = self._new_record(agent, messages, target, principal, budget, tags)
        record.branch, record.starts_at = new_id("branch"), checkpoint_id
        record.forked_from = {
            "thread_id": thread_id, "checkpoint_id": checkpoint_id, "run_id": origin.info.run_id
        }  # fmt: skip
        if as_node is not None or (change and messages):
            record.starts_at = await self._written(agent, record, change, as_node)
            return self._launch(agent, record, deps)
        if not change and not goto:
            return self._launch(agent, record, deps)
        if goto:  # what was to run next must not run beside it
            record.starts_at = await self._written(agent, record, None, END)
        record.forked_from["changed"] = "yes"
        return self._launch(agent, record, deps, change=(change, goto))

    async def compare(
        self,
        a: str,
        b: str,
        *,
        thread_id: str | None = None,
        agent: Runnable | None = None,
        principal: Principal = LOCAL,
    ) -> Compared:
        """Two checkpoints side by side: what they have in common, and what differs.

        Args:
            a: A run's id, a branch's or a checkpoint's; of the first two the newest checkpoint is taken.
            b: The same.
            thread_id: Their thread; may be left out for runs.
            agent: The agent, where this process has not run it yet.
            principal: Within whose tenant.

        Raises:
            BadInput: One of them is not there.
        """
        self._must_be_open()
        threads = dict.fromkeys(self._thread_of(each, thread_id, principal) for each in (a, b))
        states: dict[str, StateAt] = {}
        for each in threads:
            states = {**await self._states(self._graph_of(each, agent, principal), each), **states}
        from segue.workspace.checkpoints import compared

        infos = {key: state.info for key, state in states.items()}
        sides = [states[_named(each, infos)] for each in (a, b)]
        found = compared(sides[0], sides[1], infos)
        left, right = [await self._effects_since(side.info, found.ancestor, infos, principal) for side in sides]
        return replace(found, effects=(left, right))

    async def _effects_since(
        self,
        info: CheckpointInfo,
        ancestor: CheckpointInfo | None,
        infos: Mapping[str, CheckpointInfo],
        principal: Principal,
    ) -> list[Effect]:
        """What the runs of one side did after the ancestor, oldest first."""
        from segue.workspace.checkpoints import runs_since

        since = ancestor.at if ancestor is not None else 0.0
        out: list[Effect] = []
        for run_id in runs_since(info, ancestor, infos):
            held = await self.ledger.effects(principal.tenant, run_id=run_id)
            out += [each for each in reversed(held) if each.claimed_at >= since]
        return out

    async def _written(
        self, agent: Runnable, record: RunRecord, values: dict[str, Any] | None, as_node: str | None
    ) -> str:
        """Write the changed state as the first checkpoint of the branch, and return its id."""
        graph = self._graph(agent, record.tenant)
        metadata = {BRANCH: record.branch, **({RUN_ID: record.run_id} if values and not record.request else {})}
        config = {**self._place(record.thread_id, record.starts_at), "metadata": metadata}
        async with self.turns.of(record.tenant, record.thread_id):
            try:
                written = await graph.aupdate_state(config, values, as_node=as_node)
            except InvalidUpdateError as error:
                raise BadInput(
                    f"the state cannot be changed so: {error}", way_out="Name the node: as_node=…."
                ) from error
        return str(written["configurable"]["checkpoint_id"])

    async def _states(self, graph: Any, thread_id: str) -> dict[str, StateAt]:
        """All checkpoints of a thread with their states, newest first, by id."""
        from segue.workspace.checkpoints import StateAt, described, id_of, snapshots

        found = await snapshots(graph, self._place(thread_id), thread_id)
        return {
            id_of(each): StateAt(info=info, values=dict(each.values))
            for each, info in zip(found, described(found), strict=True)
        }

    async def _no_checkpoint(self, graph: Any, thread_id: str, checkpoint_id: str, held: list[str]) -> BadInput:
        from segue.workspace.checkpoints import namespaces

        async for namespace in namespaces(graph.checkpointer, self._place(thread_id), checkpoint_id):
            inside = namespace.split("|")[0].partition(":")[0]
            return BadInput(
                f"checkpoint {checkpoint_id} is one of {inside!r}, a graph inside that of thread {thread_id}: what "
                "goes on in there can be gone on with, and cannot be forked by itself.",
                way_out="Fork from a checkpoint of the thread itself, before that work began: see ws.checkpoints.",
            )
        return BadInput(
            f"thread {thread_id!r} has no checkpoint {checkpoint_id!r}; the newest are: {', '.join(held[:3])}"
        )

    def _thread_of(self, name: str, thread_id: str | None, principal: Principal) -> str:
        record = self.records.get(principal.tenant, name)
        if record is not None:
            return record.thread_id
        if thread_id is None:
            raise BadInput(f"{name!r} is no run here.", way_out="For a checkpoint or a branch, give thread_id=.")
        return thread_id

    def _graph_of(self, thread_id: str, agent: Runnable | None, principal: Principal) -> Any:
        return self._graph(self._agent_of(thread_id, agent, principal), principal.tenant)

    def _agent_of(self, thread_id: str, agent: Runnable | None, principal: Principal) -> Runnable:
        """The agent whose thread it is: the one given, or that of its newest run.

        Raises:
            BadInput: This process does not know it.
        """
        self._must_be_open()
        if agent is not None:
            return agent
        for record in self.records.newest(principal.tenant, thread_id=thread_id, limit=1):
            if record.agent in self._agents:
                return self._agents[record.agent]
            raise BadInput(
                f"thread {thread_id!r} belongs to the agent {record.agent!r}, which this process does not know.",
                way_out="Give it: agent=…, or ws.add(agent) before.",
            )
        raise BadInput(f"there is no thread {thread_id!r} here.", way_out="See ws.threads(), or give agent=….")


def _check_nodes(graph: Any, goto: Sequence[str], as_node: str | None) -> None:
    held = [node for node in graph.nodes if not node.startswith("__")]
    for node in (*goto, *((as_node,) if as_node else ())):
        if node not in held:
            raise BadInput(f"the graph has no node {node!r}; it has: {names(held)}")


def _change(graph: Any, values: Mapping[str, Any], held: Any = None) -> dict[str, Any]:
    """The state keys to change, messages in our shape, also those that pass the reducer by.

    A message of an id that is `held` takes the place of that one, which the reducer would keep as it is.

    Raises:
        BadInput: The state has no such key; LangGraph would pass over it. Or a message is none.
    """
    for key in values:
        if key not in graph.stream_channels_list:
            raise BadInput(f"the state has no key {key!r}; it has: {names(graph.stream_channels_list)}")
    change, messages = dict(values), values.get("messages")
    if isinstance(messages, Overwrite) and isinstance(messages.value, list):
        change["messages"] = Overwrite([coerce(each) for each in messages.value])
    elif isinstance(messages, list):
        change["messages"] = _in_place([coerce(each) for each in messages], held)
    elif messages is not None and not isinstance(messages, Overwrite):
        raise BadInput(f"messages is a list of messages, not {type(messages).__name__}")
    return change


def _in_place(messages: list[Any], held: Any) -> Any:
    """The messages to add; all of them where some take the place of ones that are held."""
    edited = {each["id"]: each for each in messages if each.get("id")}
    known = [each for each in held or () if each.get("id") in edited]
    if not known:
        return messages
    old = [edited.pop(each["id"], each) if each.get("id") else each for each in held]
    return Overwrite([*old, *(each for each in messages if not each.get("id") or each["id"] in edited)])


def _named(name: str, infos: Mapping[str, CheckpointInfo]) -> str:
    """The id of the newest checkpoint that goes by this name."""
    if name in infos:
        return name
    newest = sorted(infos.values(), key=lambda each: each.id, reverse=True)
    for info in newest:
        if name in (info.run_id, info.branch):
            return info.id
    raise BadInput(f"{name!r} is no run, branch or checkpoint of this thread", way_out="See ws.checkpoints.")
