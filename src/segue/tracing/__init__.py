"""What happened in a run, and why: spans, edges, costs, and the stores that keep them.

A span goes in as a tuple in a ring, which costs the run next to nothing. A thread of its own takes batches out and
hands them to sinks: the local store, the counters behind the metrics, and exporters to Langfuse and OTLP, which send
from threads of their own. What leaves is redacted first. Large values lie in the artefact store; spans refer to them.
"""

from segue.tracing.artefacts import ArtefactStore
from segue.tracing.spans import Span, SpanKind
from segue.tracing.store import TraceStore
from segue.tracing.tracer import About, Tracer
from segue.tracing.tree import TraceNode, build_tree

__all__ = ["About", "ArtefactStore", "Span", "SpanKind", "TraceNode", "TraceStore", "Tracer", "build_tree"]
