"""`segue jobs` and `segue worker`: what they print, and what they say where something does not fit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from segue.cli.main import main

DESK = """
from segue import Agent, tool
from segue.testing import ScriptedModel, call

@tool(effect="write", approval=True)
def refund(order: str) -> str:
    "Refund an order."
    return "refunded " + order

def say(request):
    last = request.messages[-1]
    if last["role"] == "tool":
        return "done: " + last["content"]
    text = str(last["content"])
    if "break" in text:
        raise ValueError("broken")
    return call("refund", order="7") if "refund" in text else "said " + text

desk = Agent("desk", model=ScriptedModel(say), tools=[refund])
"""
Segue = Callable[..., str]
pytestmark = pytest.mark.filterwarnings("ignore:'click:DeprecationWarning")  # typer's own use of it


@pytest.fixture
def segue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Segue]:
    """Runs a command in a folder with an agent; what it printed, and with `code` how it ended."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "desk.py").write_text(DESK, encoding="utf-8")

    def run(*arguments: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        out, err = capsys.readouterr()
        assert (ended.value.code, err if not code else "") == (code, "")
        return out if not code else err

    yield run
    sys.modules.pop("desk", None)


def states(segue: Segue) -> dict[str, str]:
    rows = [json.loads(line) for line in segue("jobs", "list", "--json").splitlines()]
    return {row["id"]: row["state"] for row in rows}


def test_a_job_is_queued_worked_off_listed_and_shown(segue: Segue) -> None:
    done = segue("jobs", "add", "desk.py:desk", "hello").strip()
    waits = segue("jobs", "add", "desk.py:desk", "refund 7").strip()
    cancelled = segue("jobs", "add", "desk.py:desk", "hello", "--delay-s", "60").strip()
    segue("jobs", "cancel", cancelled)
    segue("worker", "--once", "--no-schedules")

    assert states(segue) == {done: "completed", waits: "waiting", cancelled: "cancelled"}
    assert "answer it: segue resume" in segue("jobs", "show", waits)
    assert done in segue("jobs", "list", "--state", "completed")
    assert waits not in segue("jobs", "list", "--state", "completed")
    assert segue("jobs", "dead") == "no jobs\n"


def test_a_dead_letter_is_listed_and_tried_again(segue: Segue) -> None:
    job = segue("jobs", "add", "desk.py:desk", "break").strip()
    with pytest.raises(SystemExit):
        main(["worker", "--once", "--no-schedules"])

    (dead,) = [json.loads(line) for line in segue("jobs", "dead", "--json").splitlines() if line.startswith("{")]
    assert "ValueError: broken" in dead["reason"]
    assert dead["error_id"].startswith("err_")
    assert segue("jobs", "retry", job) == f"{job} queued\n"


def test_a_schedule_is_made_listed_paused_fired_by_hand_and_deleted(segue: Segue) -> None:
    made = segue(
        "jobs", "schedule", "add", "nightly", "desk.py:desk", "report", "--cron", "30 2 * * *", "--timezone",
        "Europe/Berlin",
    )  # fmt: skip
    listed = json.loads(segue("jobs", "schedule", "list", "--json"))
    ahead = segue("jobs", "schedule", "next", "nightly", "--count", "3").split()
    job = segue("jobs", "schedule", "run-now", "nightly").strip()
    segue("jobs", "schedule", "pause", "nightly")

    assert made.startswith("nightly falls due next at 2")
    assert (listed["name"], listed["when"], listed["agent"]) == ("nightly", "30 2 * * *", "desk")
    assert len(ahead) == 3
    assert all("T02:30:00+0" in each for each in ahead)
    assert states(segue) == {job: "queued"}
    assert "by hand" in segue("jobs", "schedule", "history", "nightly")
    assert "never again: it is paused" in segue("jobs", "schedule", "next", "nightly")
    assert segue("jobs", "schedule", "rm", "nightly") == "nightly is deleted\n"
    assert segue("jobs", "schedule", "list") == "no schedules\n"


def test_the_kill_switch_holds_jobs_until_it_is_off(segue: Segue) -> None:
    job = segue("jobs", "add", "desk.py:desk", "hello").strip()
    segue("jobs", "kill-switch", "on", "everything", "--reason", "a loop")
    segue("worker", "--once")
    held = states(segue)

    assert "a loop" in segue("jobs", "kill-switch", "list")
    assert held == {job: "held"}
    assert "1 held jobs go on" in segue("jobs", "kill-switch", "off")
    assert states(segue) == {job: "queued"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["jobs", "add", "gone.py:desk", "hello"], "no file"),
        (["jobs", "add", "desk.py:gone", "hello"], "no 'gone'; its agents and teams are: desk"),
        (["jobs", "show", "nope"], "there is no job 'nope' here"),
        (["jobs", "list", "--state", "lost"], "no state of a job; there are cancelled, completed"),
        (["jobs", "schedule", "add", "a", "desk.py:desk", "x", "--cron", "0 0 30 2 *"], "never falls due"),
        (["jobs", "schedule", "add", "a", "desk.py:desk", "x", "--cron", "often"], "no cron expression"),
        (["jobs", "schedule", "add", "a", "desk.py:desk", "x", "--at", "soon"], "no time; write it as"),
        (["jobs", "schedule", "add", "a", "desk.py:desk", "x", "--at", "2020-01-01T00:00"], "that has passed"),
        (
            ["jobs", "schedule", "add", "a", "desk.py:desk", "x", "--cron", "@daily", "--timezone", "Nowhere"],
            "no time zone 'Nowhere'",
        ),
        (
            ["jobs", "schedule", "add", "a", "desk.py:desk", "x", "--cron", "@daily", "--user", "bob"],
            "bob of local has no rights",
        ),
        (["jobs", "schedule", "pause", "a"], "no schedule 'a' here; there are: none"),
        (["jobs", "kill-switch", "on", "all"], "no kill switch 'all'; there are everything, schedules, tenant:NAME"),
    ],
)
def test_what_does_not_fit_is_told_in_one_line(segue: Segue, arguments: list[str], said: str) -> None:
    told = segue(*arguments, code=2)

    assert said in told
    assert told.count("\n") == 1


def test_owners_of_the_settings_have_the_rights_that_stand_there(segue: Segue, tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_text('[jobs.owners]\n"local/bob" = ["refunds"]\n', encoding="utf-8")

    made = segue("jobs", "schedule", "add", "a", "desk.py:desk", "x", "--cron", "@daily", "--user", "bob")

    assert made.startswith("a falls due next at")


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")
def test_a_worker_that_is_asked_to_stop_stops_in_order(segue: Segue, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).with_name("segue")), "worker"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        begun = worker.stdout.readline()
        worker.send_signal(signal.SIGTERM)
        rest = worker.stdout.read()

    assert begun == "takes jobs, 8 at a time\n"
    assert rest == "stops: runs come to their next checkpoint\nstopped\n"
    assert worker.returncode == 0
