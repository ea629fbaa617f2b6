"""Toolset: a set of tools as one object, and the wrappers that change what it offers.

A wrapper holds a toolset and is one: filter, prefix, approval and limit nest in any order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import is_
from typing import Any

from segue.base.errors import UserError
from segue.tools.tool import Approval, Tool, tool


class Toolset(ABC):
    """A set of tools. Subclasses say which; everything else is built on that."""

    @abstractmethod
    def tools(self) -> Sequence[Tool]:
        """The tools, in no particular order; names are unique within the set."""

    async def open(self) -> None:  # noqa: B027 - most sets have nothing to open
        """Connect to what stands behind the tools; called once before the first run."""

    async def close(self) -> None:  # noqa: B027
        """Let go of what `open` connected."""

    def filtered(self, keep: Callable[[Tool], bool]) -> Toolset:
        """Only the tools that `keep` says yes to."""
        return FilteredToolset(self, keep)

    def prefixed(self, prefix: str) -> Toolset:
        """Each tool's name with `prefix_` before it."""
        return PrefixedToolset(self, prefix)

    def approved(self, approval: Approval = True, *, effects: Sequence[str] = ("write", "irreversible")) -> Toolset:
        """A person is asked before each tool of these effects."""
        return ApprovalToolset(self, approval, tuple(effects))

    def limited(self, *, timeout_s: float) -> Toolset:
        """No call takes longer than this many seconds."""
        return DeadlineToolset(self, timeout_s)


@dataclass(frozen=True)
class FunctionToolset(Toolset):
    """A fixed list of tools."""

    held: tuple[Tool, ...]

    def tools(self) -> Sequence[Tool]:
        """The list."""
        return self.held


@dataclass(frozen=True)
class WrapperToolset(Toolset):
    """Delegates everything to the toolset inside; the base of the wrappers."""

    inner: Toolset

    def tools(self) -> Sequence[Tool]:
        """What the inner set offers, each passed through `change`: once for as long as the inner set is the same."""
        inner = self.inner.tools()
        known: tuple[Any, tuple[Tool, ...]] | None = self.__dict__.get("_known")
        if known is None or known[0] is not inner or type(inner) is not tuple:
            known = inner, tuple(changed for held in inner if (changed := self.change(held)) is not None)
            self.__dict__["_known"] = known
        return known[1]

    def change(self, held: Tool) -> Tool | None:
        """The tool as this wrapper offers it; `None` leaves it out."""
        return held

    async def open(self) -> None:
        """Open the inner set."""
        await self.inner.open()

    async def close(self) -> None:
        """Close the inner set."""
        await self.inner.close()


@dataclass(frozen=True)
class FilteredToolset(WrapperToolset):
    """Only some of the tools."""

    keep: Callable[[Tool], bool]

    def tools(self) -> Sequence[Tool]:
        """Those that are kept; asked of `keep` each time, and the very same tuple where it says the same."""
        kept = tuple(held for held in self.inner.tools() if self.keep(held))
        known: tuple[Tool, ...] = self.__dict__.get("_known", ())
        if len(known) != len(kept) or not all(map(is_, known, kept)):
            known = self.__dict__["_known"] = kept
        return known


@dataclass(frozen=True)
class PrefixedToolset(WrapperToolset):
    """Names with a prefix."""

    prefix: str

    def change(self, held: Tool) -> Tool | None:
        """The tool under its longer name."""
        return replace(held, name=f"{self.prefix}_{held.name}")


@dataclass(frozen=True)
class ApprovalToolset(WrapperToolset):
    """A person is asked first."""

    approval: Approval
    effects: tuple[str, ...]

    def change(self, held: Tool) -> Tool | None:
        """The tool with the approval rule, where its effect is one of those named."""
        return replace(held, approval=self.approval) if held.effect in self.effects else held


@dataclass(frozen=True)
class DeadlineToolset(WrapperToolset):
    """A shorter deadline."""

    timeout_s: float

    def change(self, held: Tool) -> Tool | None:
        """The tool with the shorter of the two deadlines."""
        return replace(held, timeout_s=min(held.timeout_s, self.timeout_s))


@dataclass(frozen=True)
class CombinedToolset(Toolset):
    """Several sets as one."""

    sets: tuple[Toolset, ...]

    def tools(self) -> Sequence[Tool]:
        """All tools, sorted by name, so that prompts are the same bytes from run to run.

        Raises:
            UserError: Two tools have one name.
        """
        parts = [one.tools() for one in self.sets]
        known: tuple[list[Sequence[Tool]], tuple[Tool, ...]] | None = self.__dict__.get("_known")
        if known is not None and _same(known[0], parts):
            return known[1]
        found: dict[str, Tool] = {}
        for held in (each for part in parts for each in part):
            if held.name in found:
                raise UserError(
                    f"two tools are called {held.name!r}.", way_out="Rename one, or use toolset.prefixed(…)."
                )
            found[held.name] = held
        made = tuple(found[name] for name in sorted(found))
        self.__dict__["_known"] = (parts, made)
        return made

    async def open(self) -> None:
        """Open each."""
        for one in self.sets:
            await one.open()

    async def close(self) -> None:
        """Close each."""
        for one in self.sets:
            await one.close()


def _same(known: Sequence[Any], parts: Sequence[Any]) -> bool:
    """Whether these are the very tuples that were put together before; a list may have changed since."""
    for one, other in zip(known, parts, strict=True):  # noqa: SIM110 # a plain loop: each step of a run asks
        if one is not other or type(other) is not tuple:
            return False
    return True


def as_toolset(items: Sequence[Any]) -> CombinedToolset:
    """One toolset of whatever an agent was given: tools, functions, toolsets, LangChain tools, agents.

    Raises:
        UserError: An item is none of these. The message names it.
    """
    singles: list[Tool] = []
    sets: list[Toolset] = []
    for item in items:
        if isinstance(item, Toolset):
            sets.append(item)
        else:
            singles.append(_as_tool(item))
    return CombinedToolset((FunctionToolset(tuple(singles)), *sets))


def _as_tool(item: Any) -> Tool:
    if isinstance(item, Tool):
        return item
    if not isinstance(item, type):
        if hasattr(item, "tool_call_schema") and hasattr(item, "ainvoke"):
            return Tool.from_langchain(item)
        if hasattr(item, "as_tool") and not hasattr(item, "ainvoke"):  # LangChain's runnables have one of their own
            made: Tool = item.as_tool()
            return made
        if callable(item):
            return tool(item)
    raise UserError(f"{item!r} is no tool.", way_out="Give functions with @tool, toolsets, LangChain tools or agents.")
