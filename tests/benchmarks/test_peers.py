"""The comparison with peers: what it makes of what runners found, and of those that are not there."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest


@pytest.fixture
def peers(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("peers")


def found(peers: ModuleType, cpu_ms: float, *, rate: float = 100.0, kb: float = 50.0, cold_s: float = 1.0) -> Any:
    """What a runner tells, in each of its phases."""
    one = {"concurrency": 1, "cpu_ms_p10": cpu_ms, "cpu_ms_per_run": 2 * cpu_ms, "p50_ms": cpu_ms, "rss_base_mb": 60.0}
    many = [
        {"concurrency": side, "runs_per_s": rate, "rss_per_concurrent_kb": kb, "rss_base_mb": 60.0}
        for side in (50, 500)
    ]
    return sys.modules[peers.Runner.__module__].Found(cold_s, 0.1, [one, *many])


def test_a_ratio_is_the_median_of_what_was_measured_side_by_side(peers: ModuleType) -> None:
    agno = next(each for each in peers.PEERS if each.name == "agno")
    rounds = peers.Rounds(peers.ALL_ON, peers.LEAN)
    for ours, lean, theirs in ((4.0, 2.0, 8.0), (30.0, 10.0, 40.0), (4.0, 2.0, 10.0)):  # a busy round in the middle
        rounds.alone.append(
            peers.Beside(agno, found(peers, theirs), found(peers, ours, cold_s=2.0), found(peers, lean))
        )
        rounds.alone.append(peers.Beside(peers.FLOOR, found(peers, 1.0), found(peers, ours), found(peers, lean)))

    told = peers.figures(rounds)

    assert (told["fastest_peer"], told["fastest_peer_cpu_ms"]) == ("agno", 10.0)
    assert (told["all_on_x_fastest"], told["lean_x_fastest"]) == (0.5, 0.25)
    assert (told["all_on_x_floor"], told["lean_x_floor"]) == (4.0, 2.0)
    assert (told["all_on_cpu_ms"], told["all_on_mean_cpu_ms"]) == (4.0, 8.0)


def test_what_was_not_measured_is_none(peers: ModuleType) -> None:
    rounds = peers.Rounds(peers.ALL_ON, peers.LEAN)
    rounds.alone.append(peers.Beside(peers.FLOOR, found(peers, 1.0), found(peers, 4.0), found(peers, 2.0)))

    told = peers.figures(rounds)

    assert told["all_on_x_floor"] == 4.0
    missing = ("fastest_peer", "all_on_x_fastest", "runs_per_s_500_x_fastest", "cold_x_langgraph", "chunk_to_event_us")
    assert [told[name] for name in missing] == [None] * 5


def test_a_loop_and_raw_langgraph_are_not_the_fastest_peer(peers: ModuleType) -> None:
    rounds = peers.Rounds(peers.ALL_ON, peers.LEAN)
    for peer in peers.PEERS:
        cpu_ms = 20.0 if peer.framework else 3.0
        rounds.alone.append(peers.Beside(peer, found(peers, cpu_ms), found(peers, 4.0), found(peers, 2.0)))

    told = peers.figures(rounds)

    assert told["fastest_peer"] not in ("aiohttp loop", "openai SDK loop", "langgraph")
    assert told["all_on_x_fastest"] == 0.2


def test_what_fails_is_left_out_of_its_round_and_named(peers: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    rounds = peers.Rounds(peers.ALL_ON, peers.LEAN)

    with rounds.step("round 1: agno"):
        raise peers.Failed("agno made 7 model calls, and the task has 6")

    assert rounds.failed == ["round 1: agno: agno made 7 model calls, and the task has 6"]
    assert "left out: agno made 7 model calls" in capsys.readouterr().err


def test_a_peer_that_cannot_be_installed_is_named_and_left_out(
    peers: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def python_of(name: str, pins: Any) -> Path:
        if name == "agno":
            raise peers.NotInstalled("No matching distribution found for agno==3.1.10")
        return Path("python")

    monkeypatch.setattr(peers, "python_of", python_of)
    runner = SimpleNamespace(pythons={}, run=lambda *given: None)

    there = peers.there(runner, [])

    assert "agno" not in [each.name for each in there]
    assert len(there) == len(peers.PEERS) - 1
    assert "agno is left out: No matching distribution found" in capsys.readouterr().err


def test_an_environment_that_has_its_pins_is_taken_as_it_is(
    load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments = load("environments")
    monkeypatch.setenv("SEGUE_BENCH_VENVS", str(tmp_path))
    python = tmp_path / "agno" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    (tmp_path / "agno" / environments.PINS).write_text("agno==3.1.10\n")

    assert environments.python_of("agno", ["agno==3.1.10"]) == python


def test_an_installer_that_fails_is_quoted(
    load: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environments = load("environments")
    monkeypatch.setenv("SEGUE_BENCH_VENVS", str(tmp_path))
    fails = ["sh", "-c", "echo looking >&2; echo no such package >&2; exit 1"]
    monkeypatch.setattr(environments, "_commands", lambda *given: [fails])

    with pytest.raises(environments.NotInstalled, match=r"^no such package$"):
        environments.python_of("agno", ["agno==0.0.0"])

    assert not (tmp_path / "agno" / environments.PINS).exists()


def test_a_runner_measures_its_phases_and_its_calls_are_counted(
    peers: ModuleType, load: Callable[[str], ModuleType]
) -> None:
    with load("mock_model").serving() as mock:
        runner = peers.Runner(mock, Path(str(peers.__file__)).parent / "runners", {"": Path(sys.executable)})
        told = runner.run(peers.LEAN, [3, 4], [1, 2], warmup=2)

        with pytest.raises(peers.Failed, match="the answer is 'word word"):
            runner.run(peers.LEAN, [1], [1], model="words")

    assert [(phase["runs"], phase["errors"]) for phase in told.phases] == [(3, 0), (4, 0)]
    assert 0 < told.cpu_ms < told.cold_cpu_s * 1000
    assert told.rate(2) > 0
