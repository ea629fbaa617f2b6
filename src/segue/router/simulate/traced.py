"""Requests out of traces: the spans of generations in, rows as `segue.router.simulate.recorded` has them out.

A trace says which run and which agent a generation was of, its tokens and its times, not its text. Which generations
are turns of one conversation is told by their tokens: the next one is of the same thread and agent, begins when the one
before has ended, and is no shorter. What the conversations of an agent have in common is what servers said they held
of first turns; where they said nothing, the shortest first turn.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping

from segue.router.simulate.recorded import RecordedRequest
from segue.tracing.spans import SpanRow


class _Conversation:
    """Generations that follow one another."""

    def __init__(self, name: str, group: str) -> None:
        self.name = name
        self.group = group
        self.spans: list[SpanRow] = []

    def takes(self, span: SpanRow) -> bool:
        """Whether it may be the next one."""
        last = self.spans[-1]
        return span.start_ns >= last.end_ns and input_tokens(span) >= input_tokens(last)


def traced_rows(spans: Iterable[SpanRow], *, threads: Mapping[str, str] | None = None) -> list[RecordedRequest]:
    """The requests of generations that were answered; `threads` says the thread of each run that is known."""
    good = [span for span in spans if span.status == "ok" and input_tokens(span) > 0 and output_tokens(span) > 0]
    good.sort(key=lambda span: span.start_ns)
    held: dict[tuple[str, str], list[_Conversation]] = {}
    for span in good:
        thread = (threads or {}).get(span.run_id, span.run_id)
        known = held.setdefault((thread, span.name), [])
        found = max(
            (each for each in known if each.takes(span)), key=lambda each: input_tokens(each.spans[-1]), default=None
        )
        if found is None:
            found = _Conversation(f"{thread}/{span.name}/{len(known) + 1}", span.name)
            known.append(found)
        found.spans.append(span)
    conversations = [each for known in held.values() for each in known]
    start = good[0].start_ns if good else 0
    common = _common(conversations)
    rows = [
        RecordedRequest(
            at_s=(span.start_ns - start) / 1e9, session=each.name, input_tokens=input_tokens(span),
            output_tokens=output_tokens(span), took_s=(span.end_ns - span.start_ns) / 1e9, group=each.group,
            shared_tokens=None if number else min(common.get(each.group, 0), input_tokens(span)),
        )
        for each in conversations
        for number, span in enumerate(each.spans)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: row.at_s)


def _common(conversations: Iterable[_Conversation]) -> dict[str, int]:
    """What the conversations of each agent have in common; nothing where it had only one."""
    firsts: dict[str, list[SpanRow]] = {}
    for each in conversations:
        firsts.setdefault(each.group, []).append(each.spans[0])
    out = {}
    for group, spans in firsts.items():
        if len(spans) < 2:
            continue
        held = [cached for span in spans if (cached := cached_tokens(span)) > 0]
        out[group] = int(statistics.median(held)) if held else min(map(input_tokens, spans))
    return out


def input_tokens(span: SpanRow) -> int:
    """What went in."""
    return int(span.attributes.get("gen_ai.usage.input_tokens") or 0)


def output_tokens(span: SpanRow) -> int:
    """What came out."""
    return int(span.attributes.get("gen_ai.usage.output_tokens") or 0)


def cached_tokens(span: SpanRow) -> int:
    """What the server said it held of the input; 0 where it said nothing."""
    return int(span.attributes.get("gen_ai.usage.cache_read.input_tokens") or 0)
