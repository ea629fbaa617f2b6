"""`segue eval`, `segue evals` and the pytest marker: what they print, keep and end with."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from segue.cli.main import main
from segue.evals import Result

DESK = """
from pathlib import Path
from segue import Agent, tool
from segue.base.errors import EndpointError
from segue.evals import Score
from segue.testing import ScriptedModel, call

ANSWER = "12 lanterns"

@tool(effect="write", approval=True)
def refund(order: str) -> str:
    "Refund an order."
    return "refunded " + order

def say(request):
    last = request.messages[-1]
    text = str(last["content"])
    if last["role"] == "tool":
        return "done: " + text
    if "down" in text:
        raise EndpointError("nobody answers")
    return call("refund", order="7") if "refund" in text else ANSWER

def fresh(folder: Path) -> Agent:
    return Agent("desk", model=ScriptedModel(say), tools=[refund])

desk = fresh(Path())
number = 3

def short(case, trial):
    return Score(name="short", passed=len(trial.text) < 100, value=1.0)
"""
CASES = """{"id": "count", "request": "how many?", "expect": {"numbers": [12]}, "tags": ["read"]}
{"id": "refund", "request": "refund 7", "answers": [{"type": "approve"}], "expect": {"calls": ["refund"]}}
"""
SCORER = ("--scorer", "desk.py:short")
QUIET = ("-p", "no:cacheprovider", "-p", "segue.evals.plugin", "-p", "pytest_asyncio.plugin")
Segue = Callable[..., str]
pytest_plugins = ["pytester"]
pytestmark = pytest.mark.filterwarnings("ignore:'click:DeprecationWarning")  # typer's own use of it


@pytest.fixture
def segue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Segue]:
    """Runs a command in a folder with an agent and cases; what it printed, and with a code above 1 what it said."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desk.py").write_text(DESK, encoding="utf-8")
    (tmp_path / "cases.jsonl").write_text(CASES, encoding="utf-8")

    def run(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        assert ended.value.code == code, out + err
        return err if code == 2 else out

    yield run
    sys.modules.pop("desk", None)


def test_a_table_a_sum_a_report_and_a_file_come_of_it(segue: Segue, tmp_path: Path) -> None:
    told = segue("eval", "desk.py:fresh", "cases.jsonl", "--html", "r.html", "--out", "r.json", *SCORER)

    lines = [line.split()[:2] for line in told.splitlines()[:3]]
    assert lines == [["case", "passed"], ["count", "yes"], ["refund", "yes"]]
    assert "2 of 2 passed (100 %, 95 % interval 34 to 100 %)" in told
    assert "2 of 2" in (tmp_path / "r.html").read_text()
    result = Result.load(tmp_path / "r.json")
    assert (result.suite, result.agent) == ("cases", "desk")
    assert [score.name for score in result.trials[0].scores] == ["status", "output", "short"]


def test_too_few_that_pass_and_one_that_breaks_end_with_1(segue: Segue, tmp_path: Path) -> None:
    first = json.loads(segue("eval", "desk.py:desk", "cases.jsonl", "--json"))
    (tmp_path / "desk.py").write_text(DESK.replace("12 lanterns", "13 lanterns"), encoding="utf-8")
    sys.modules.pop("desk")

    worse = segue("eval", "desk.py:desk", "cases.jsonl", "--against", "last", "--at-least", "0.5", code=1)
    half = segue("eval", "desk.py:desk", "cases.jsonl", "--at-least", "0.5")
    segue("eval", "desk.py:desk", "cases.jsonl", code=1)

    assert f"against {first['id']}: 0 fixed, 1 broken of 2 cases" in worse
    assert "output: the figure 12 is not in it" in half
    (second, *_) = json.loads(segue("evals", "list", "--json"))
    assert "broken: count" in segue("evals", "compare", first["id"], second["id"], code=1)
    assert "the figure 12 is not in it" in segue("evals", "show", second["id"], "count")
    assert json.loads(segue("evals", "show", first["id"], "--json"))["passed"] == 2
    segue("evals", "report", first["id"], "again.html")
    segue("evals", "drop", first["id"])
    assert "there is no result" in segue("evals", "show", first["id"], code=2)


def test_an_endpoint_that_is_down_for_all_ends_with_3(segue: Segue, tmp_path: Path) -> None:
    (tmp_path / "down.jsonl").write_text('{"id": "a", "request": "down"}\n')

    assert "nobody answers" in segue("eval", "desk.py:desk", "down.jsonl", code=3)


def test_a_run_becomes_a_case_that_segue_eval_tries(segue: Segue) -> None:
    run = json.loads(segue("run", "desk.py:desk", "refund 7", "--approve-demo", "--json"))["run_id"]

    wrong = json.loads(segue("evals", "keep", run, "--bad"))
    segue("evals", "drop", f"desk/{wrong['id']}")
    kept = json.loads(segue("evals", "keep", run, "--comment", "as it should be"))
    segue("eval", "desk.py:fresh")

    assert kept["expect"] == {"calls": [{"tool": "refund", "arguments": {"order": "7"}}]}
    assert kept["answers"] == [{"type": "approve", "tool": "refund"}]
    assert (kept["note"], kept["tags"]) == ("as it should be", ["kept", "good"])
    assert wrong["id"] == kept["id"]


def test_a_bad_run_is_a_case_that_passes_when_the_answer_is_another(segue: Segue, tmp_path: Path) -> None:
    run = json.loads(segue("run", "desk.py:desk", "how many?", "--json"))["run_id"]
    kept = json.loads(segue("evals", "keep", run, "--bad"))

    segue("eval", "desk.py:fresh", "kept", code=1)
    (tmp_path / "desk.py").write_text(DESK.replace("12 lanterns", "13 lanterns"), encoding="utf-8")
    sys.modules.pop("desk")
    segue("eval", "desk.py:fresh", "kept")
    (tmp_path / "kept.jsonl").write_text(segue("evals", "cases", "desk"))

    assert kept["expect"] == {"lacks": ["12 lanterns"]}
    segue("eval", "desk.py:fresh", "kept.jsonl")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["desk.py:fresh", "gone.jsonl"], "gone.jsonl cannot be read"),
        (["desk.py:fresh"], "no run of desk was made a case yet"),
        (["desk.py:number", "cases.jsonl"], "neither an Agent or a Team nor a function"),
        (["desk.py:gone", "cases.jsonl"], "has no 'gone'"),
        (["desk.py:say", "cases.jsonl"], "say raised AttributeError for a new folder"),
        (["desk.py:desk", "cases.jsonl", "--only", "nothing"], "no case has the id or tag 'nothing'; tags are: read"),
        (["desk.py:desk", "cases.jsonl", "--against", "last"], "no whole result of cases is kept here yet"),
        (["desk.py:desk", "cases.jsonl", "--against", "eval_none"], "there is no result 'eval_none'"),
        (["desk.py:desk", "cases.jsonl", "--html", "no/where.html"], "--html no/where.html: there is no folder"),
        (["desk.py:desk", "cases.jsonl", "--scorer", "desk.py"], "'desk.py' names nothing"),
    ],
)
def test_what_does_not_fit_is_named(segue: Segue, arguments: list[str], said: str) -> None:
    assert said in segue("eval", *arguments, code=2)


PYTEST = """
import pytest

@pytest.mark.eval_cases("cases.jsonl", agent="desk.py:fresh", only=["read", "refund"])
def test_the_desk(eval_case):
    trial = eval_case.check()
    assert trial.agent == "desk"

@pytest.mark.eval_cases("cases.jsonl", agent="desk.py:desk", only=["count"], scorers=[lambda case, trial: 1 / 0])
async def test_by_hand(eval_case):
    trial = await eval_case.run()
    assert not trial.passed
"""


def test_the_marker_makes_a_test_of_each_case(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a dozen plugins of others take seconds to load
    for name, text in (("desk.py", DESK), ("cases.jsonl", CASES), ("test_desk.py", PYTEST)):
        (pytester.path / name).write_text(text)

    good = pytester.runpytest_subprocess("-v", *QUIET, "-o", "asyncio_mode=auto")
    (pytester.path / "desk.py").write_text(DESK.replace("12 lanterns", "13 lanterns"))
    bad = pytester.runpytest_subprocess(*QUIET, "-k", "the_desk")
    (pytester.path / "cases.jsonl").write_text("{")
    broken = pytester.runpytest_subprocess(*QUIET)

    good.assert_outcomes(passed=3)
    good.stdout.fnmatch_lines(["*test_the_desk[[]count] PASSED*"])
    bad.assert_outcomes(passed=1, failed=1)
    bad.stdout.fnmatch_lines(["*count did not pass:*", "*output: the figure 12 is not in it*"])
    assert "cases.jsonl:1: no JSON object" in broken.stdout.str() + broken.stderr.str()


def test_the_plugin_loads_nothing_of_the_evals_before_a_test_asks_for_them() -> None:
    text = "import sys, pytest, segue.evals.plugin; print([name for name in sys.modules if name.startswith('segue')])"
    said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True).stdout

    assert "segue_evals" in {each.name for each in entry_points(group="pytest11")}
    assert "segue.evals.plugin" in said
    assert "segue.evals.case" not in said
    assert "segue.workspace" not in said
