"""Logs: the ids that records carry inside a run, the two forms of a line, and what is taken out of it."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, RunContext, Workspace, tool
from segue.base.errors import EndpointError
from segue.testing import ScriptedModel, call
from segue.tracing.logs import IDS, RunIds, configure

_module_log = logging.getLogger("segue.something")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    logger = logging.getLogger("segue")
    before = logger.level, logger.propagate, list(logger.handlers)
    yield
    assert (logger.level, logger.propagate, logger.handlers) == before


def logger_tools() -> list[Any]:
    @tool(effect="read")
    async def look(ctx: RunContext) -> str:
        """Look."""
        ctx.log.info("looking", extra={"shelf": 3})
        _module_log.warning("an ordinary line of %s", "ann@example.com")
        return "seen"

    @tool(effect="read")
    def peek() -> str:
        """Peek."""
        _module_log.warning("a line from a thread")
        return "seen"

    return [look, peek]


async def test_records_inside_a_run_carry_its_ids_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "segue.toml").write_text('[logging]\nformat = "json"\n', encoding="utf-8")
    model = ScriptedModel([[call("look"), call("peek")], "done"])

    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(Agent("a", model=model, tools=logger_tools()), "go", thread_id="t-1")
        spans = [node.span for root in await ws.trace(run.id) for node in root.walk()]
    _module_log.warning("this one is not for it")

    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    by_message = {each["message"]: each for each in told}
    assert set(by_message) == {"looking", "an ordinary line of [email]", "a line from a thread"}
    for each in told:
        assert (each["run_id"], each["thread_id"], each["trace_id"]) == (run.id, "t-1", run.trace_id)
        assert each["span_id"] in {span.span_id for span in spans}
    looking = by_message["looking"]
    assert (looking["shelf"], looking["level"], looking["agent"]) == (3, "info", "a")
    assert looking["tool_call_id"].startswith("call_")


async def test_a_failed_run_is_one_error_id_in_the_line_the_record_the_span_and_the_exception(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "segue.toml").write_text('[logging]\nformat = "json"\nlevel = "error"\n', encoding="utf-8")

    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(Agent("a", model=ScriptedModel([EndpointError("it is down")])), "go")
        root = (await ws.trace(run.id))[0]
        kept = ws.get(run.id)
    async with Workspace.open(tmp_path) as ws:
        crashed = await ws.run(Agent("b", instructions=lambda ctx: ctx.deps.name, model=ScriptedModel(["x"])), "go")
        crash = (await ws.trace(crashed.id))[0]

    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert first["error_id"] == run.error_id == kept.error_id == root.span.attributes["segue.error_id"]
    assert first["error_id"] == getattr(run.exception, "error_id", None)
    assert first["run_id"] == run.id
    assert first["error_id"] in first["message"]
    assert "AttributeError" in crashed.error
    assert second["error_id"] == crashed.error_id == crash.span.attributes["segue.error_id"]
    assert crashed.error_id.startswith("err_")


def test_a_line_of_text_has_the_ids_behind_it_and_a_traceback_below_it() -> None:
    stream = io.StringIO()
    undo = configure("text", stream=stream)
    try:
        raise EndpointError("no answer for ann@example.com")
    except EndpointError as error:
        _module_log.exception("it failed", extra={"run_id": "run_1"})
        error_id = error.error_id
    undo()

    first, *rest = stream.getvalue().splitlines()
    assert first.endswith(f" error segue.something: it failed  run_id=run_1 error_id={error_id}")
    assert rest[0] == "Traceback (most recent call last):"
    assert "ann@example.com" not in stream.getvalue()


def test_secrets_are_taken_out_of_messages_arguments_and_extras() -> None:
    stream = io.StringIO()
    undo = configure("json", stream=stream, level="info")
    key = "sk-" + "aB3dE5gH" * 5
    _module_log.info("calling with %s", key, extra={"headers": {"Authorization": f"Bearer {key}"}})
    _module_log.debug("below the level")
    undo()

    assert len(stream.getvalue().splitlines()) == 1
    assert key not in stream.getvalue()


def test_a_filter_on_a_handler_of_ones_own_finds_the_run_and_lets_everything_pass() -> None:
    class Run:
        run_id, thread_id, trace_id, span_id = "run_1", "ann@example.com", "t" * 32, "s" * 16

    def broken() -> Any:
        raise RuntimeError

    found, lost = logging.makeLogRecord({"msg": "x"}), logging.makeLogRecord({"msg": "x", "run_id": "run_2"})

    assert RunIds(Run).filter(found)
    assert RunIds(broken).filter(lost)
    assert {name: getattr(found, name) for name in IDS} == {
        "run_id": "run_1", "thread_id": "[email]", "trace_id": "t" * 32, "span_id": "s" * 16, "agent": "",
        "error_id": "",
    }  # fmt: skip
    assert (lost.__dict__["run_id"], lost.__dict__["span_id"]) == ("run_2", "")


async def test_without_a_form_in_the_settings_logging_is_left_alone(
    ws: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "segue"):
        run = await ws.run(Agent("a", model=ScriptedModel([call("look"), "done"]), tools=logger_tools()), "go")

    looking = next(record for record in caplog.records if record.getMessage() == "looking")
    assert looking.__dict__["run_id"] == run.id
    assert logging.getLogger("segue").propagate
