"""What an agent and a team have in common: a name, a graph, and ways to be run.

`run` and `run_sync` are sugar over a default workspace, which is reached through a port.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import cached_property
from typing import TYPE_CHECKING, Any

from segue.agents.run import Run
from segue.base.errors import UserError
from segue.base.imports import load
from segue.base.ports import default_workspace
from segue.graphs.migration import Migration
from segue.graphs.typed import OutputType
from segue.tools.results import jsonable

if TYPE_CHECKING:
    from segue.graphs.graph import CompiledGraph, Graph
    from segue.graphs.specs import Worker

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")


class Runnable:
    """The base of `Agent` and `Team`."""

    name: str
    description: str
    output: OutputType | None
    deps_type: Any = None
    version: str = ""
    """What people call this state of it; threads are stamped with it, and `migrations` lead to it."""
    migrations: Mapping[str, Migration] = {}
    """By the version that they start from."""
    source: str = ""
    """Where it is defined, as `module:attr`; set by whoever loaded it from there."""

    def draw(self) -> Graph:
        """The graph, not yet compiled."""
        raise AssertionError("a subclass draws its graph")  # pragma: no cover

    def fresh_input(self) -> dict[str, Any]:
        """What the state of a new run starts with, besides its messages."""
        raise AssertionError("a subclass says how its runs start")  # pragma: no cover

    def as_worker(self) -> Worker:
        """It, as a team sees it."""
        raise AssertionError("a subclass says what it is as a worker")  # pragma: no cover

    def leave(self, state: Any) -> str:
        """The text of the answer in a final state: as it stands, or as JSON where it is typed."""
        output = state.get("output")
        if isinstance(output, str):
            return output
        import orjson

        return orjson.dumps(jsonable(self.name, output)).decode()

    async def open(self) -> None:
        """Connect the toolsets; called by the workspace before the first run."""

    async def close(self) -> None:
        """Let go of what `open` connected."""

    @cached_property
    def graph(self) -> CompiledGraph:
        """The compiled LangGraph graph: a node in anybody's graph, with `messages` in and `messages`, `output` out."""
        load("segue.graphs.graph")  # and LangGraph with it
        drawn = self.draw()
        drawn.version, drawn.migrations = self.version, dict(self.migrations)
        compiled: CompiledGraph = drawn.compile(name=self.name)
        return compiled

    async def run(self, request: Any, **options: Any) -> Run:
        """Run it in the default workspace; options as `Workspace.run` takes them."""
        run: Run = await default_workspace().run(self, request, **options)
        return run

    def run_sync(self, request: Any, **options: Any) -> Run:
        """Run it to its end and return; works in scripts, in notebooks and in threads.

        Each call has an event loop and a workspace of its own, both closed at its end.
        """

        async def once() -> Run:
            workspace = default_workspace()
            try:
                run: Run = await workspace.run(self, request, **options)
                return run
            finally:
                await workspace.close()

        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(once())
        with ThreadPoolExecutor(1, thread_name_prefix="segue-run") as pool:
            return pool.submit(copy_context().run, asyncio.run, once()).result()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """In a notebook: the graph, as Mermaid."""
        mermaid = self.graph.get_graph().draw_mermaid()
        return {"text/plain": repr(self), "text/vnd.mermaid": mermaid, "text/markdown": f"```mermaid\n{mermaid}\n```"}


def checked_name(name: Any, what: str) -> str:
    """The name, if it can name a node.

    Raises:
        UserError: It cannot.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UserError(f"{name!r} is no name for {what}: letters, digits, _ and -, not starting with a digit")
    return name
