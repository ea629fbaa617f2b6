"""guardrails-ai without its telemetry: nothing goes in, and afterwards the library cannot call home.

By default guardrails-ai sends a span for every guard to an address of its makers, and a setting that is changed in
the process does not hold, since each `Guard` reads its file in the home folder anew. So the object that would send
is put in place empty, before anything else makes a working one: without a tracer there is nothing to send with.
litellm, which comes with it, is told to use the price list that it brought along.
"""

from __future__ import annotations

import os
from typing import Any

from segue.base.errors import UserError


def quiet() -> None:
    """Import guardrails-ai and make sure that it sends nothing, now or later. May be called any number of times.

    Call it before the first `Guard` or validator is made: what was sent before cannot be called back. What waits to be
    sent is thrown away. guardrails-ai's traces to a sink that you named yourself are not touched.

    Raises:
        UserError: guardrails-ai is not installed.
    """
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
    os.environ.setdefault("LITELLM_TELEMETRY", "False")
    try:
        from guardrails.settings import settings  # type: ignore[import-untyped, import-not-found, unused-ignore]
        from guardrails.utils.hub_telemetry_utils import HubTelemetry  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError as error:
        raise UserError(
            "guardrails-ai is not installed", way_out="Install it with: pip install 'segue[guardrails]'"
        ) from error
    settings.rc.enable_metrics = False
    theirs: Any = HubTelemetry
    if theirs._instance is None:
        theirs._instance = object.__new__(theirs)
        theirs._instance._carrier = {}
    held = theirs._instance
    if held._processor is not None:
        _silence(held._processor)
    held._enabled, held._tracer = False, None


def _silence(processor: Any) -> None:
    """Let a running exporter throw away what it holds, also at the end of the program."""
    from opentelemetry.sdk.trace.export import SpanExportResult

    processor.span_exporter.export = lambda spans: SpanExportResult.SUCCESS
