"""Collections: the documents that served agents search, by name; and what goes over the wire of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from segue.agents.agent import Agent
from segue.agents.runnable import Runnable
from segue.agents.team import Team
from segue.memory.documents.index import Source
from segue.memory.documents.passage import Passage
from segue.server.schemas import Asked, Told
from segue.tools.connectors.documents import Documents


@dataclass
class Served:
    """Documents, and who searches them."""

    documents: Documents
    agents: list[str] = field(default_factory=list)


def collections_of(agents: Iterable[Runnable]) -> dict[str, Served]:
    """The documents of agents and of their workers, by name; of two folders of one name the second gets a number."""
    found: dict[str, Served] = {}
    for agent in agents:
        for documents in _searched(agent, set()):
            name, number = documents.name, 1
            while name in found and found[name].documents.scope != documents.scope:
                number += 1
                name = f"{documents.name}_{number}"
            held = found.setdefault(name, Served(documents))
            if agent.name not in held.agents:
                held.agents.append(agent.name)
    return found


def _searched(agent: Any, seen: set[int]) -> Iterator[Documents]:
    if id(agent) in seen:
        return
    seen.add(id(agent))
    for member in agent.members if isinstance(agent, Team) else ():
        yield from _searched(member, seen)
    for other in agent.handoffs if isinstance(agent, Agent) else ():
        yield from _searched(other, seen)
    toolset = getattr(agent, "toolset", None)
    for tool in toolset.tools() if toolset is not None else ():
        if isinstance(tool.of, Documents):
            yield tool.of


class CollectionTold(Told):
    """Documents that agents search."""

    name: str
    description: str
    agents: list[str]
    """Who searches them."""
    pages: int
    note: str = ""
    """What is wrong with the folder."""


class CollectionsTold(Told):
    """All of them."""

    collections: list[CollectionTold]


class PageTold(Told):
    """A page, as the index has it."""

    path: str
    """As citations have it."""
    title: str
    size: int
    """Bytes."""
    version: str
    """Hash of its bytes; of an upload, another one with each."""
    note: str
    """What is wrong with it."""
    metadata: dict[str, Any]
    """What it says of itself in its front matter."""
    uploaded: bool
    """Whether this tenant uploaded it."""


class PagesTold(Told):
    """The pages of a collection, by path."""

    pages: list[PageTold]


class PassageTold(Told):
    """A passage that was found."""

    citation: str
    path: str
    start_line: int
    end_line: int
    heading: str
    text: str
    score: float
    """Only good for comparing passages of one search."""
    version: str
    """Of the page, when it was indexed."""
    metadata: dict[str, Any]


class PassagesTold(Told):
    """What was found, best first."""

    passages: list[PassageTold]


class LinesTold(Told):
    """Lines of a page."""

    citation: str
    line_count: int
    """Of the whole page."""
    text: str
    note: str
    """Says where to go on, if there is more."""


class PageAsked(Asked):
    """A page to be uploaded."""

    path: Annotated[str, Field(min_length=1, max_length=300)]
    """Its name, with folders if you like: `contracts/2026.md`."""
    text: str


def page_told(source: Source, *, uploaded: bool = False) -> PageTold:
    """A page as it goes out."""
    return PageTold(
        path=source.path, title=source.title, size=source.size, version=source.version, note=source.note,
        metadata=dict(source.metadata), uploaded=uploaded,
    )  # fmt: skip


def passage_told(passage: Passage) -> PassageTold:
    """A passage as it goes out."""
    return PassageTold(
        citation=passage.citation, path=passage.path, start_line=passage.start_line, end_line=passage.end_line,
        heading=passage.heading, text=passage.text, score=passage.score, version=passage.version,
        metadata=dict(passage.metadata),
    )  # fmt: skip
