"""A run to call tools in."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from segue.base.messages import tool_call
from segue.base.principal import Principal
from segue.context.run import RunContext, Services
from segue.tools import Tool, ToolResult, execute_tool_calls
from segue.tracing.artefacts import ArtefactStore
from segue.tracing.tracer import Tracer

Call = Callable[..., Awaitable[Any]]


@pytest.fixture
def ctx(tmp_path: Path) -> Iterator[RunContext[Any]]:
    tracer, artefacts = Tracer(), ArtefactStore(tmp_path / "artefacts.db")
    services = Services(router=cast(Any, None), tracer=tracer, artefacts=artefacts)
    yield RunContext(
        run_id="run_1", thread_id="t", trace_id="tr", services=services, principal=Principal("acme", "ann", {"*"})
    )
    tracer.close()
    artefacts.close()


@pytest.fixture
def call(ctx: RunContext[Any]) -> Call:
    """Call a tool as a model does; its JSON result, or the text of its failure."""

    async def call(held: Tool, **arguments: Any) -> Any:
        result: ToolResult = (await execute_tool_calls([tool_call(held.name, arguments)], [held], ctx))[0]
        return result.content if result.failed else json.loads(result.content)

    return call
