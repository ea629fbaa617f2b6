"""`segue simulate` as a person uses it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from segue.cli.main import main

pytestmark = pytest.mark.filterwarnings("ignore:.*get_(binary|text)_stream.*:DeprecationWarning")
Segue = Callable[..., tuple[int, str, str]]
SHORT = ("--duration", "15", "--rate", "1")


@pytest.fixture
def segue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Segue:
    """The command line on an empty folder: its exit code, what it printed, what it complained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["simulate", *arguments])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_alternatives_stand_side_by_side_and_are_asked_the_same(segue: Segue) -> None:
    code, out, _ = segue("--hosts", "3,+2", "--policy", "predicted,round_robin", *SHORT)

    assert code == 0
    rows = [line.split() for line in out.splitlines() if line.startswith("clean")]
    assert [(row[2], row[3]) for row in rows] == [
        ("3", "predicted"), ("3", "round_robin"), ("5", "predicted"), ("5", "round_robin"),
    ]  # fmt: skip
    assert len({row[4] for row in rows}) == 1
    assert "workload: agent sessions drawn from seed 0, 1 a second" in out
    assert "Assumed figures are no measurement" in out


def test_json_tells_every_seed_and_what_was_assumed(segue: Segue) -> None:
    _, out, _ = segue("--hosts", "2", "--seeds", "2", "--scenario", "clean,crash", "--json", *SHORT)

    told = json.loads(out)
    assert told["assumed"] is True
    assert [each["scenario"] for each in told["alternatives"]] == ["clean", "crash"]
    assert [len(each["runs"]) for each in told["alternatives"]] == [2, 2]
    assert told["hosts"]["host1"]["source"] == "assumed"


def test_the_fleet_of_the_settings_is_taken_with_its_prices_and_figures(segue: Segue, tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text(
        '[deployments.gpu]\nengine = "vllm"\nmodel = "m"\n'
        '[deployments.api]\nmodel = "m"\nprice = { input_usd_per_mtok = 1.0, output_usd_per_mtok = 10.0 }\n'
        '[routes.default]\ndeployments = ["gpu", "api"]\n[routes.api]\ndeployments = ["api"]\n',
        encoding="utf-8",
    )
    (tmp_path / "hosts.toml").write_text("[simulate.hosts.gpu]\nmax_seqs = 4\n", encoding="utf-8")

    _, both, _ = segue("--json", "--figures", "hosts.toml", "--usd-per-hour", "2", *SHORT)
    _, api, _ = segue("--json", "--route", "api", *SHORT)
    missing, _, err = segue("--route", "none", *SHORT)

    told = json.loads(both)
    assert told["hosts"]["gpu"]["max_seqs"] == 4
    assert told["hosts"]["gpu"]["usd_per_hour"] == 2
    assert told["hosts"]["gpu"]["source"] == "hosts.toml"
    assert told["hosts"]["api"]["kind"] == "hosted"
    assert json.loads(api)["alternatives"][0]["cost_usd"] > told["alternatives"][0]["cost_usd"] > 0
    assert missing == 2
    assert "there is no route 'none'; the routes are: api, default." in err


def test_what_a_run_saw_is_written_and_played_again(segue: Segue, tmp_path: Path) -> None:
    _, once, _ = segue("--hosts", "2", "--save-workload", "w.jsonl", "--save-figures", "f.toml", "--json", *SHORT)
    _, again, _ = segue("--hosts", "2", "--workload", "w.jsonl", "--learned", "f.toml", "--json")

    first, second = json.loads(once), json.loads(again)
    assert len((tmp_path / "w.jsonl").read_text().splitlines()) == first["alternatives"][0]["requests"]
    assert second["alternatives"][0]["requests"] == first["alternatives"][0]["requests"]
    assert second["hosts"] == first["hosts"]
    assert "requests of w.jsonl" in second["workload"]


async def test_the_traces_of_a_workspace_are_a_workload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from segue import Agent, Workspace
    from segue.cli.simulate_inputs import read_traces
    from segue.testing import ScriptedModel

    monkeypatch.setenv("SEGUE_ROUTER__DETECT", "false")
    async with Workspace.open(tmp_path) as ws:
        agent = Agent("clerk", model=ScriptedModel(["Yes.", "No."]))
        run = await ws.run(agent, "Is it?")
        await ws.run(agent, "And now?", thread_id=run.thread_id)

    rows = (await read_traces(tmp_path, 100)).rows

    assert [row.session for row in rows] == [f"{run.thread_id}/clerk/1"] * 2
    assert rows[1].input_tokens > rows[0].input_tokens
    assert [row.group for row in rows] == ["clerk", "clerk"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--hosts", "many"), "--hosts wants how many, such as 8, or how many more, such as +2, not 'many'."),
        (("--rate", "0"), "--rate wants numbers above 0, such as 2.5 or 2.5,4.5, not '0'."),
        (("--scenario", "flood"), "there is no scenario 'flood'"),
        (("--policy", "luck"), "policy"),
        (("--workload", "none.jsonl"), "none.jsonl cannot be read"),
        (("--workload", "traces"), "the traces of this workspace hold no generation"),
        (("--learn",), "nothing can be learned: no deployment has 30 generations"),
        (("--figures", "none.toml"), "none.toml cannot be read"),
        (("--hosts", "2", "--route", "x"), "it does not go with --hosts NUMBER"),
    ],
    ids=lambda each: each[0] if isinstance(each, tuple) else "",
)
def test_what_does_not_fit_is_named(segue: Segue, arguments: tuple[str, ...], said: str) -> None:
    code, _, err = segue(*arguments)

    assert code == 2
    assert said in err
