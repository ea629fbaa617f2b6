"""Alert rules: when they fire, who is told, and how often."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from segue import Agent, ConfigError, Workspace, tool
from segue.testing import ScriptedModel, call
from segue.tracing import TraceStore
from segue.tracing.alerts import AlertSection, evaluate
from segue.tracing.observed import Observed
from segue.tracing.spans import SpanKind, SpanRow, new_span_id
from segue.workspace.settings import read


def row(
    kind: SpanKind, *, name: str = "desk", run_id: str = "", status: Any = "ok", took_s: float = 1.0,
    ago_s: float = 1.0, tenant: str = "local", **held: Any,
) -> SpanRow:  # fmt: skip
    at = time.time_ns() - int(ago_s * 1e9)
    named = {key.replace("__", "."): value for key, value in held.items()}
    run_id = run_id or f"run_{new_span_id()}"
    return SpanRow(tenant, "0" * 32, new_span_id(), "", run_id, kind, name, at, at + int(took_s * 1e9), status, named)


def figure(metric: str, rows: list[SpanRow], **rule: Any) -> float | None:
    section = AlertSection.model_validate({"metric": metric, "above": 0.5, "least": 1, **rule})
    return evaluate("it", section, Observed.of(rows)).value


def test_each_figure_is_taken_from_what_it_says() -> None:
    runs = [row("run", status="error"), row("run"), row("run"), row("run"), row("run", status="waiting")]
    assert figure("error_rate", runs) == 0.25
    slow = [row("run", took_s=float(second)) for second in range(1, 101)]
    assert figure("latency_p95_s", slow) == pytest.approx(95.0)
    tokens = [row("generation", segue__first_token_s=0.1 * each) for each in range(1, 21)]
    assert figure("first_token_p95_s", tokens) == pytest.approx(1.9)
    dear = [row("generation", segue__cost_usd=0.5), row("generation", segue__cost_usd=0.25), row("generation")]
    assert figure("cost_per_hour_usd", dear, window_s=900) == pytest.approx(3.0)
    refused = [
        row("run", segue__stop_reason="blocked"), row("run", run_id="r"), row("run"), row("run"),
        row("generation", run_id="r", gen_ai__response__finish_reasons=["content_filter"]),
    ]  # fmt: skip
    assert figure("refusal_rate", refused) == 0.5
    said = [
        row("verdict", name="pii", segue__verdict="block"), row("verdict", name="pii", segue__verdict="allow"),
        row("verdict", name="length", segue__verdict="allow"),
    ]  # fmt: skip
    assert figure("verdict_rate", said, rail="pii") == 0.5
    assert figure("verdict_rate", said) == pytest.approx(1 / 3)
    tools = [row("tool", name="pay", status="error"), row("tool", name="look"), row("tool", name="look")]
    assert figure("tool_failure_rate", tools) == pytest.approx(1 / 3)
    assert figure("tool_failure_rate", tools, tool="pay") == 1.0
    assert figure("error_rate", [*runs, row("run", name="other", status="error")], agent="other") == 1.0


def test_of_too_little_nothing_is_said() -> None:
    rule = AlertSection(metric="error_rate", above=0.1, least=3)

    few = evaluate("it", rule, Observed.of([row("run", status="error")] * 2))
    enough = evaluate("it", rule, Observed.of([row("run", status="error")] * 3))

    assert (few.value, few.fires, few.count) == (None, False, 2)
    assert enough.fires
    assert not evaluate("it", AlertSection(metric="error_rate", above=1.0, least=1), Observed.of([row("run")])).fires


@pytest.mark.parametrize(
    "rule",
    [
        'metric = "error_rate"',
        'metric = "error_rate"\nabove = 0.1\nbelow = 0.2',
        'metric = "error_rate"\nabove = 0.1\ntool = "pay"',
        'metric = "nonsense"\nabove = 1',
    ],
)
def test_a_rule_that_does_not_fit_is_refused_by_its_name(tmp_path: Path, rule: str) -> None:
    (tmp_path / "segue.toml").write_text(f"[alerts.mine]\n{rule}\n")
    with pytest.raises(ConfigError, match=r"alerts\.mine"):
        read(tmp_path)


class Told:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, dict[str, Any]]] = []

    def notify(self, severity: str, title: str, detail: dict[str, Any]) -> None:
        self.told.append((severity, title, detail))


RULE = '[alerts.failures]\nmetric = "error_rate"\nabove = 0.2\nleast = 2\nwindow_s = 60\nseverity = "critical"\n'


async def test_a_rise_is_told_once_also_by_two_processes_and_so_is_its_end(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text(RULE)
    async with Workspace.open(tmp_path) as one, Workspace.open(tmp_path) as two:
        told = Told()
        one.notifier = two.notifier = told  # type: ignore[assignment]
        one.traces.write([row("run"), row("run")])
        await one.check_alerts(tell=True)
        assert told.told == []

        one.traces.write([row("run", status="error"), row("run", status="error")])
        for ws in (one, two, one):
            (alert,) = await ws.check_alerts(tell=True)
            assert alert.fires
        ((severity, title, detail),) = told.told
        assert severity == "critical"
        assert title.startswith("alert failures fires: error_rate is 0.5 (above 0.2 fires; 4 in 60 s)")
        assert (detail["kind"], detail["state"], detail["value"]) == ("alert", "firing", 0.5)

        one.traces.write([row("run") for _ in range(20)])
        for ws in (two, one):
            await ws.check_alerts(tell=True)
        assert [each[2]["state"] for each in told.told] == ["firing", "over"]


async def test_looking_alone_tells_nobody_and_leaves_no_word_of_it(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text(RULE)
    async with Workspace.open(tmp_path) as ws:
        ws.notifier = told = Told()  # type: ignore[assignment]
        ws.traces.write([row("run", status="error")] * 1 + [row("run", status="error")])
        assert (await ws.check_alerts())[0].fires
        assert told.told == []
        await ws.check_alerts(tell=True)
        assert len(told.told) == 1


async def test_only_the_window_and_the_tenant_of_a_rule_count(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text(RULE + 'tenant = "acme"\n')
    async with Workspace.open(tmp_path) as ws:
        ws.traces.write([row("run", status="error", ago_s=90, tenant="acme") for _ in range(5)])
        ws.traces.write([row("run", status="error") for _ in range(5)])
        ws.traces.write([row("run", tenant="acme") for _ in range(2)])
        (alert,) = await ws.check_alerts()

    assert (alert.value, alert.count) == (0.0, 2)


@tool(effect="read")
def broken() -> str:
    """Fails."""
    raise LookupError("no")


async def test_what_runs_of_a_workspace_do_is_what_rules_see(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text(
        '[alerts.tools]\nmetric = "tool_failure_rate"\nabove = 0.9\nleast = 1\ntool = "broken"\n'
        '[alerts.cost]\nmetric = "cost_per_hour_usd"\nabove = 1.0\nleast = 1\nwindow_s = 3600\n'
        '[alerts.slow]\nmetric = "latency_p95_s"\nabove = 600.0\nleast = 1\n'
    )
    async with Workspace.open(tmp_path) as ws:
        await ws.run(Agent("a", model=ScriptedModel([call("broken"), "sorry"], cost_usd=0.75), tools=[broken]), "?")
        found = {each.name: each for each in await ws.check_alerts()}

    assert {name: each.fires for name, each in found.items()} == {"tools": True, "cost": True, "slow": False}
    assert found["cost"].value == 1.5


@pytest.mark.parametrize(("failed", "code"), [(3, 1), (0, 0)])
def test_the_command_exits_with_1_where_a_rule_fires(tmp_path: Path, failed: int, code: int) -> None:
    (tmp_path / "segue.toml").write_text(RULE)
    (tmp_path / ".segue").mkdir()
    store = TraceStore(tmp_path / ".segue" / "traces.db")
    store.write([row("run", status="error" if number < failed else "ok") for number in range(4)])
    store.close()

    command = [sys.executable, "-c", "from segue.cli.main import main; main()", "alerts", "check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == code, done.stderr
    assert ("FIRES  failures" if failed else "quiet  failures") in done.stdout
