"""Sampling: batches of spans in, those of the runs that are kept out, to the sinks behind.

A share of the traces is kept by their ids, the same ones on every machine and as OpenTelemetry's `TraceIdRatioBased`
has it. A run that went wrong, waited for a person, was gone on with, or was dear is kept whole besides: until its
span has ended its spans wait here. What waits for too long or takes too much room is kept, never lost, so that a
bound costs traffic and not a failed run's beginning.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from segue.tracing.spans import SpanRow
from segue.tracing.tracer import Sink
from segue.tracing.weight import weight

_LOW = (1 << 64) - 1
_REMEMBERED = 10_000
"""Runs whose decision is remembered: a shadow or a late span comes after its run has ended."""
_KEPT_STATUS = frozenset({"failed", "stopped", "waiting"})


def chosen(trace_id: str, share: float) -> bool:
    """Whether a trace is among the share that is kept, by the low 64 bits of its id."""
    return int(trace_id[-16:], 16) & _LOW < round(share * (_LOW + 1))


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """Which runs are kept, and how much may wait to be decided."""

    share: float = 1.0
    """From 0 to 1, of the traces."""
    keep_above_usd: float | None = None
    """Runs that cost more are kept, too; `None` keeps none for that."""
    keep_above_s: float | None = None
    """Runs that took longer are kept, too."""
    wait_s: float = 600.0
    """Seconds after which a run that has not ended is kept."""
    most_spans: int = 50_000
    """That may wait; of more, the run that waits longest is kept."""
    most_weight: int = 64_000_000
    """Bytes, about, that what waits may hold on to."""


class _Undecided:
    """The spans of one run that has not ended."""

    __slots__ = ("cost_usd", "rows", "since", "weight")

    def __init__(self, since: float) -> None:
        self.rows: list[SpanRow] = []
        self.since, self.cost_usd, self.weight = since, 0.0, 0


class SampledSinks:
    """A sink that hands on the spans of runs that are kept.

    Args:
        sinks: What stands behind. One that raises loses its own batch, as it would at the tracer.
        sampling: Which runs are kept.
        monotonic: Seconds that never go back.
    """

    def __init__(
        self, sinks: Sequence[Sink], sampling: Sampling, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._sinks, self._sampling, self._now = list(sinks), sampling, monotonic
        self._waiting: OrderedDict[str, _Undecided] = OrderedDict()
        self._decided: OrderedDict[str, bool] = OrderedDict()
        self._spans = self._weight = 0
        self.sampled_out = 0
        """Spans of runs that are not among the kept; not lost, but left out as was asked."""

    @property
    def waiting(self) -> int:
        """Spans of runs that are not decided."""
        return self._spans

    def write(self, rows: Sequence[SpanRow]) -> None:
        """Hand on what is kept, at once or when its run has ended."""
        kept: list[SpanRow] = []
        for row in rows:
            kept += self._sorted(row)
        self._hand_on([*kept, *self._overdue()])

    def tick(self) -> None:
        """Time went by: keep what waits too long."""
        self._hand_on(self._overdue())

    def begin_close(self, deadline: float) -> None:
        """Hand on what waits, and let the sinks behind send until `deadline`, monotonic seconds."""
        self._let_all_go()
        for sink in self._sinks:
            if begin := getattr(sink, "begin_close", None):
                begin(deadline)

    def close(self) -> None:
        """Hand on what waits: runs that did not come to their end here. Then close the sinks behind."""
        self._let_all_go()
        for sink in self._sinks:
            sink.close()

    def _sorted(self, row: SpanRow) -> Sequence[SpanRow]:
        """What is kept by now, this span or with it all of its run."""
        if chosen(row.trace_id, self._sampling.share):
            return (row,)
        if (decided := self._decided.get(row.run_id)) is not None:
            self.sampled_out += not decided
            return (row,) if decided else ()
        held = self._waiting.get(row.run_id)
        if held is None:
            held = self._waiting[row.run_id] = _Undecided(self._now())
        self._add(held, row)
        if row.kind != "run":
            return ()
        return self._decide(row.run_id, self._is_kept(row, held))

    def _add(self, held: _Undecided, row: SpanRow) -> None:
        size = 1_000 + weight(row.payload)
        held.rows.append(row)
        held.weight += size
        held.cost_usd += row.attributes.get("segue.cost_usd") or 0.0
        self._spans += 1
        self._weight += size

    def _is_kept(self, run: SpanRow, held: _Undecided) -> bool:
        said, limits = run.attributes, self._sampling
        return (
            run.status != "ok"
            or said.get("segue.run_status") in _KEPT_STATUS
            or bool(said.get("segue.resumed"))
            or (limits.keep_above_usd is not None and held.cost_usd > limits.keep_above_usd)
            or (limits.keep_above_s is not None and (run.end_ns - run.start_ns) / 1e9 > limits.keep_above_s)
        )

    def _decide(self, run_id: str, kept: bool) -> Sequence[SpanRow]:
        held = self._waiting.pop(run_id)
        self._spans -= len(held.rows)
        self._weight -= held.weight
        self._decided[run_id] = kept
        if len(self._decided) > _REMEMBERED:
            self._decided.popitem(last=False)
        if kept:
            return held.rows
        self.sampled_out += len(held.rows)
        return ()

    def _overdue(self) -> list[SpanRow]:
        """The spans of runs that wait for too long, or take the room of others."""
        found: list[SpanRow] = []
        limits, now = self._sampling, self._now()
        while self._waiting:
            run_id, held = next(iter(self._waiting.items()))
            full = self._spans > limits.most_spans or self._weight > limits.most_weight
            if not full and now - held.since <= limits.wait_s:
                break
            found += self._decide(run_id, True)
        return found

    def _let_all_go(self) -> None:
        self._hand_on([row for run_id in list(self._waiting) for row in self._decide(run_id, True)])

    def _hand_on(self, rows: Sequence[SpanRow]) -> None:
        errors: list[Exception] = []
        for sink in self._sinks if rows else ():
            try:
                sink.write(rows)
            except Exception as error:
                errors.append(error)
        if errors:
            raise errors[0]
