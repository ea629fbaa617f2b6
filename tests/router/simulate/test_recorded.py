"""Recorded workloads: rows in and out, generations of traces as requests, figures learned of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from segue.base.errors import BadInput, ConfigError
from segue.router.simulate.figures import HostFigures, as_toml, figures, read_figures
from segue.router.simulate.fleet import equal_hosts
from segue.router.simulate.learned import learned
from segue.router.simulate.recorded import RecordedRequest, read_rows, rows_of, workload_of
from segue.router.simulate.report import figures_of
from segue.router.simulate.sessions import simulate
from segue.router.simulate.synthetic import Load, drawn
from segue.router.simulate.traced import traced_rows
from segue.tracing.spans import SpanRow


def span(
    at_s: float, took_s: float, *, run: str = "r1", agent: str = "clerk", deployment: str = "gpu", status: Any = "ok",
    given: int = 1000, came: int = 50, cached: int = 0, first_s: float | None = 0.1,
) -> SpanRow:  # fmt: skip
    attributes = {
        "gen_ai.usage.input_tokens": given, "gen_ai.usage.output_tokens": came, "segue.deployment": deployment,
        "segue.attempts": 1,
    }  # fmt: skip
    if cached:
        attributes["gen_ai.usage.cache_read.input_tokens"] = cached
    if first_s is not None:
        attributes["segue.first_token_s"] = first_s
    start, end = int(at_s * 1e9), int((at_s + took_s) * 1e9)
    return SpanRow("local", "t", f"{at_s}", "p", run, "generation", agent, start, end, status, attributes)


def test_what_a_run_saw_is_played_again_as_it_was(tmp_path: Path) -> None:
    plan, load = equal_hosts(3), Load(rate=1.5, duration_s=30.0)
    outcome = simulate(plan, drawn(load, 3))
    file = tmp_path / "rows.jsonl"
    file.write_text("".join(f"{row.model_dump_json(exclude_defaults=True)}\n" for row in rows_of(outcome)))

    again = simulate(plan, workload_of(read_rows(file), told="again"))

    once, twice = figures_of(outcome), figures_of(again)
    assert sorted((s.name, turn, e.input_tokens, e.output_tokens) for s, turn, e in again.ended) == sorted(
        (s.name, turn, e.input_tokens, e.output_tokens) for s, turn, e in outcome.ended
    )
    assert twice.hit_rate == pytest.approx(once.hit_rate, abs=0.03)
    assert twice.whole_p50_s == pytest.approx(once.whole_p50_s, rel=0.15)


def test_a_turn_comes_as_long_after_the_answer_as_it_did() -> None:
    rows = [
        RecordedRequest(at_s=5.0, session="a", input_tokens=1000, output_tokens=10, took_s=2.0),
        RecordedRequest(at_s=10.0, session="a", input_tokens=1200, output_tokens=10),
        RecordedRequest(at_s=20.0, session="a", input_tokens=1300, output_tokens=10),
    ]

    outcome = simulate(equal_hosts(1), workload_of(rows, told=""))

    first, second, third = (ended for _, _, ended in outcome.ended)
    assert first.started_s == 0.0
    assert second.started_s == pytest.approx(first.whole_s + 3.0)
    assert third.started_s == pytest.approx(15.0)


def test_denser_traffic_begins_sessions_closer_together() -> None:
    rows = [
        RecordedRequest(at_s=at, session=f"{at}", input_tokens=100, output_tokens=10) for at in (100.0, 110.0, 130.0)
    ]

    workload = workload_of(rows, told="three", traffic=2.0)

    assert [each.start_s for each in workload.sessions] == [0.0, 5.0, 15.0]
    assert workload.told == "three, 2 times as dense"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "line 2: Invalid JSON"),
        ('{"at_s": 1, "session": "a", "input_tokens": 0, "output_tokens": 1}', "line 2: input_tokens: "),
        ('{"at_s": 1, "session": "a", "output_tokens": 1}', "line 2: input_tokens: Field required"),
        ('{"at_s": 1, "session": "a", "input_tokens": 1, "output_tokens": 1, "x": 1}', "line 2: x: Extra"),
    ],
)
def test_a_line_that_does_not_fit_is_named(line: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(f'{{"at_s": 0, "session": "a", "input_tokens": 1, "output_tokens": 1}}\n{line}\n')

    with pytest.raises(BadInput, match=said):
        read_rows(file)


def test_generations_of_a_thread_and_an_agent_are_turns_where_they_follow_one_another() -> None:
    spans = [
        span(0.0, 1.0, given=1000),
        span(2.0, 1.0, run="r2", given=1400),
        span(2.5, 1.0, run="r2", given=900),
        span(4.0, 1.0, run="r2", agent="planner", given=500),
        span(5.0, 1.0, status="error"),
        span(6.0, 1.0, run="r3", given=1500, cached=640),
    ]

    rows = traced_rows(reversed(spans), threads={"r1": "thread", "r2": "thread"})

    assert [(row.session, row.at_s, row.input_tokens) for row in rows] == [
        ("thread/clerk/1", 0.0, 1000),
        ("thread/clerk/1", 2.0, 1400),
        ("thread/clerk/2", 2.5, 900),
        ("thread/planner/1", 4.0, 500),
        ("r3/clerk/1", 6.0, 1500),
    ]
    assert [row.shared_tokens for row in rows] == [640, None, 640, 0, 640]


def test_reading_and_writing_are_learned_of_generations() -> None:
    spans = [
        span(
            float(number), first_s + 99 * (0.02 if number % 3 else 0.03), given=given + 500, cached=500, came=100,
            first_s=first_s,
        )
        for number in range(60)
        for given in [1000 + 100 * (number * 7 % 60)]
        for first_s in [0.25 + given / 5000]
    ]  # fmt: skip

    found = learned([*spans, span(99.0, 1.0, deployment="rare")])

    assert list(found) == ["gpu"]
    assert found["gpu"]["read_tokens_s"] == pytest.approx(5000, rel=0.01)
    assert found["gpu"]["token_s"] == pytest.approx(0.02, rel=0.01)
    assert found["gpu"]["first_token_s"] == pytest.approx(0.23, abs=0.01)
    assert found["gpu"]["source"] == "learned from 60 generations"


def test_what_was_simulated_is_learned_again() -> None:
    plan = equal_hosts(1, {"read_tokens_s": 6000.0, "token_s": 0.015})
    outcome = simulate(plan, drawn(Load(rate=0.1, duration_s=900.0, burst=1, fan_out=0), 1))
    spans = [
        span(
            ended.started_s, ended.whole_s, given=ended.input_tokens, came=ended.output_tokens,
            cached=ended.cached_tokens, first_s=ended.first_token_s,
        )
        for _, _, ended in outcome.ended
    ]  # fmt: skip

    found = learned(spans)["gpu"]

    assert found["read_tokens_s"] == pytest.approx(6000, rel=0.15)
    assert found["token_s"] == pytest.approx(0.015, rel=0.15)


def test_figures_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "hosts.toml"
    held = {'a "b"': HostFigures(speed=0.5, source="measured"), "c": HostFigures(kind="hosted", input_usd_per_mtok=1.0)}
    file.write_text(as_toml(held))

    read = read_figures(file)

    assert {name: figures(name, HostFigures(), each) for name, each in read.items()} == held


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.toml", "x", "a.toml is not valid TOML"),
        ("a.json", "x", "a.json is not valid JSON"),
        ("a.toml", "x = 1", "has no tables"),
        ("a.toml", "[simulate.hosts.gpu]\nspeed = -1", "hosts.gpu. speed: Input should be greater"),
        ("a.toml", "[simulate.hosts.gpu]\nsped = 1", "no figure 'sped'; there are: beside_s"),
    ],
)
def test_a_file_of_figures_that_does_not_fit_is_named(name: str, text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(ConfigError, match=said):
        read_figures(tmp_path / name)
