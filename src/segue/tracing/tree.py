"""The trace as a tree: spans in, nested nodes with summed tokens and cost out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from segue.base.usage import Usage
from segue.tracing.spans import SpanRow


@dataclass
class TraceNode:
    """One span with what lies inside it."""

    span: SpanRow
    children: list[TraceNode] = field(default_factory=list)

    @property
    def duration_s(self) -> float:
        """From start to end, in seconds."""
        return (self.span.end_ns - self.span.start_ns) / 1e9

    @property
    def usage(self) -> Usage:
        """The sum over the leaves below; costs stand on leaves only, so nothing is counted twice."""
        if self.span.kind == "generation":
            return leaf_usage(self.span)
        own = Usage(tool_calls=1) if self.span.kind == "tool" else Usage()
        return sum((child.usage for child in self.children), own)

    def walk(self) -> Iterable[TraceNode]:
        """This node and all below it, in order."""
        yield self
        for child in self.children:
            yield from child.walk()


def leaf_usage(span: SpanRow) -> Usage:
    """What one generation took."""
    held = span.attributes
    return Usage(
        input_tokens=held.get("gen_ai.usage.input_tokens", 0),
        output_tokens=held.get("gen_ai.usage.output_tokens", 0),
        cached_tokens=held.get("gen_ai.usage.cache_read.input_tokens", 0),
        model_calls=1,
        cost_usd=held.get("segue.cost_usd"),
    )


def build_tree(spans: Sequence[SpanRow]) -> list[TraceNode]:
    """The roots, each with its children in order of their start; a span whose parent is missing is a root."""
    nodes = {span.span_id: TraceNode(span) for span in spans}
    roots: list[TraceNode] = []
    for node in nodes.values():
        parent = nodes.get(node.span.parent_id)
        (parent.children if parent else roots).append(node)
    for node in nodes.values():
        node.children.sort(key=lambda child: (child.span.start_ns, child.span.kind != "edge"))
    return sorted(roots, key=lambda node: node.span.start_ns)
