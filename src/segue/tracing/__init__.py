"""What happened in a run, and why: spans, edges, costs, and the stores that keep them.

A span goes in as a tuple in a ring, which costs the run next to nothing. A thread of its own takes batches out and
hands them to sinks: the local store here, others later. Large values lie in the artefact store; spans refer to them.
"""

from segue.tracing.artefacts import ArtefactStore
from segue.tracing.spans import Span, SpanKind
from segue.tracing.store import TraceStore
from segue.tracing.tracer import Tracer
from segue.tracing.tree import TraceNode, build_tree

__all__ = ["ArtefactStore", "Span", "SpanKind", "TraceNode", "TraceStore", "Tracer", "build_tree"]
