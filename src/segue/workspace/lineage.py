"""Lineage: an answer in, what it came from out; and a document in, the answers that used it out.

What an answer cites is held against what tools showed: in its own run first, then in earlier runs of its thread, which
the model had before it, too. Documents are told with the version that was read. No text lies here: it is opened by its
path, or read in the checkpoint.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from segue.agents.run import RunRecord
from segue.base.citations import Cited, citations_in
from segue.tracing.spans import SpanRow
from segue.tracing.uses import Use


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Some lines of a document that a tool call showed to the model."""

    path: str
    first: int
    last: int
    version: str
    """Hash of the bytes that were read."""
    run_id: str
    span_id: str
    """The tool call's span."""
    cited: bool = False
    """Whether the answer cites lines of it."""


@dataclass(frozen=True, kw_only=True)
class Citation:
    """A place that an answer cites, and what showed it."""

    place: str
    """`[handbook/returns.md:12-18]`."""
    origins: tuple[Origin, ...]
    """The tool results that held all of its lines; empty where none did: it may be made up."""


@dataclass(frozen=True, kw_only=True)
class ToolStep:
    """A tool call that the answer had before it."""

    span_id: str
    name: str
    call_id: str
    failed: bool
    artefact_id: str
    """Where the whole of a large result lies; empty where it was small."""
    origins: tuple[Origin, ...]


@dataclass(frozen=True, kw_only=True)
class GenerationStep:
    """A generation that led to the answer."""

    span_id: str
    agent: str
    model: str
    deployment: str
    message_id: str
    """Of the message in the checkpoint; empty where it is not known."""


@dataclass(frozen=True, kw_only=True)
class Lineage:
    """What an answer came from."""

    run_id: str
    thread_id: str
    agent: str
    status: str
    citations: tuple[Citation, ...]
    generations: tuple[GenerationStep, ...]
    """In the order of time; the last one is most often the answer."""
    tools: tuple[ToolStep, ...]
    """In the order of time."""

    @property
    def documents(self) -> dict[tuple[str, str], bool]:
        """Each path and version that a tool showed, and whether the answer cites it."""
        found: dict[tuple[str, str], bool] = {}
        shown = (each for step in self.tools for each in step.origins)
        for each in [*shown, *(origin for citation in self.citations for origin in citation.origins)]:
            key = (each.path, each.version)
            found[key] = found.get(key, False) or each.cited
        return found


@dataclass(frozen=True, kw_only=True)
class AnswerUsing:
    """A run whose model read a document."""

    run_id: str
    thread_id: str
    agent: str
    status: str
    """`unknown` where the run's record is gone."""
    path: str
    version: str
    at: float
    """When it was read last, in seconds since 1970."""
    cited: bool
    """Whether the answer cites the document."""


def lineage_of(record: RunRecord, spans: Sequence[SpanRow], used: Sequence[Use], before: Sequence[Use]) -> Lineage:
    """What the answer of a run came from, by its spans and uses, and by what earlier runs of its thread had read."""
    cited = citations_in(said(record))
    mine = [_origin(each, cited) for each in used if each.what == "document"]
    earlier = [_origin(each, cited) for each in before]
    return Lineage(
        run_id=record.run_id, thread_id=record.thread_id, agent=record.agent, status=record.status,
        citations=tuple(_citation(each, mine, earlier) for each in cited),
        generations=tuple(_generation(each) for each in spans if each.kind == "generation"),
        tools=tuple(_tool(each, mine) for each in spans if each.kind == "tool"),
    )  # fmt: skip


def said(record: RunRecord) -> str:
    """The answer of a run as text, or what it reached; citations may stand anywhere in it."""
    return " ".join(_texts(record.output if record.status == "completed" else record.partial))


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _origin(use: Use, cited: Sequence[Cited]) -> Origin:
    is_cited = any(each.source == use.name and each.first <= use.last and use.first <= each.last for each in cited)
    return Origin(
        path=use.name, first=use.first, last=use.last, version=use.version, run_id=use.run_id, span_id=use.span_id,
        cited=is_cited,
    )  # fmt: skip


def _citation(cited: Cited, mine: Sequence[Origin], earlier: Sequence[Origin]) -> Citation:
    for held in (mine, earlier):
        if found := tuple(each for each in held if cited.within(Cited(each.path, each.first, each.last))):
            return Citation(place=str(cited), origins=found)
    return Citation(place=str(cited), origins=())


def _generation(span: SpanRow) -> GenerationStep:
    held = span.attributes
    return GenerationStep(
        span_id=span.span_id, agent=span.name, model=str(held.get("gen_ai.response.model", "")),
        deployment=str(held.get("segue.deployment", "")), message_id=str(held.get("segue.message_id", "")),
    )  # fmt: skip


def _tool(span: SpanRow, mine: Sequence[Origin]) -> ToolStep:
    held = span.attributes
    return ToolStep(
        span_id=span.span_id, name=span.name, call_id=str(held.get("gen_ai.tool.call.id", "")),
        failed=span.status == "error", artefact_id=str(held.get("segue.artefact_id", "")),
        origins=tuple(each for each in mine if each.span_id == span.span_id),
    )  # fmt: skip


def answer_using(use: Use, record: RunRecord | None) -> AnswerUsing:
    """A run that read a document, by the use of it and the record of the run."""
    cited = citations_in(said(record)) if record is not None else []
    return AnswerUsing(
        run_id=use.run_id, thread_id=record.thread_id if record else "", agent=record.agent if record else "",
        status=record.status if record else "unknown", path=use.name, version=use.version, at=use.at_ns / 1e9,
        cited=any(each.source == use.name for each in cited),
    )  # fmt: skip
