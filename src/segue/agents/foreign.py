"""A worker that somebody drew with LangGraph alone, with its state mapping given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from segue.agents.runnable import checked_name
from segue.base.errors import UserError
from segue.base.messages import Message, coerce, text_of, to_langchain
from segue.graphs.specs import Worker


class GraphWorker:
    """A compiled LangGraph graph as a worker of a team.

    Without a mapping the graph is taken to have `messages`: it gets the task as LangChain messages, and the text of
    its last message is its answer.
    """

    def __init__(
        self,
        name: str,
        graph: Any,
        *,
        description: str,
        state_in: Callable[[str], Any] | None = None,
        state_out: Callable[[Any], str | Awaitable[str]] | None = None,
    ) -> None:
        """Name it.

        Args:
            name: Its name as a node.
            graph: Anything with `ainvoke`: a compiled LangGraph graph, a LangChain agent, a chain.
            description: What it does; the planner chooses by it.
            state_in: The task's text in, the graph's input out.
            state_out: The graph's final state in, the answer's text out.

        Raises:
            UserError: It cannot be invoked, or has no description.
        """
        self.name = checked_name(name, "a worker")
        if not hasattr(graph, "ainvoke"):
            raise UserError(f"worker {name!r}: {graph!r} has no ainvoke.", way_out="Compile the graph first.")
        if not description:
            raise UserError(f"worker {name!r} has no description.", way_out="Write one: the planner chooses by it.")
        self.description = description
        self.graph = graph
        self._in = state_in
        self._out = state_out

    def as_worker(self) -> Worker:
        """The graph as a team sees it."""
        return Worker(
            name=self.name,
            description=self.description,
            load=lambda: self.graph,
            enter=self._enter,
            leave=self._out or last_message,
            foreign=True,
        )

    def _enter(self, messages: list[Message]) -> Any:
        if self._in is not None:
            return self._in(_plain(messages))
        return {"messages": to_langchain(messages)}

    @classmethod
    def of(cls, graph: Any) -> GraphWorker:
        """From a graph alone: its name is the graph's, its description the docstring of its state."""
        held = getattr(graph, "name", None)
        name = held if held and held != "LangGraph" else ""
        if not name:
            raise UserError(
                "a LangGraph graph as a worker needs a name and a description.",
                way_out="Wrap it: GraphWorker('name', graph, description='…').",
            )
        return cls(name, graph, description=f"The graph {name}: {', '.join(_node_names(graph))}.")


def _node_names(graph: Any) -> Sequence[str]:
    return [name for name in getattr(graph, "nodes", ()) if not name.startswith("__")]


def _plain(messages: list[Message]) -> str:
    content = messages[-1].get("content")
    if isinstance(content, list):
        return "\n\n".join(part.get("text") or "" for part in content)
    return content or ""


def last_message(state: Any) -> str:
    """The text of the last message of a state.

    Raises:
        UserError: The state has no messages.
    """
    messages = state.get("messages") if isinstance(state, dict) else getattr(state, "messages", None)
    if not messages:
        raise UserError(
            "the worker's graph ended without messages in its state.",
            way_out="Give the mapping: GraphWorker(…, state_out=lambda state: state['…']).",
        )
    return text_of(coerce(messages[-1]))
