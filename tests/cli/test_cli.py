"""The command line as a person uses it: in a process of its own, on a folder of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from segue.cli.main import main

SEGUE = str(Path(sys.executable).with_name("segue"))

pytestmark = pytest.mark.filterwarnings("ignore:.*get_(binary|text)_stream.*:DeprecationWarning")
"""Typer's own, with the newest click."""

Inside = Callable[..., subprocess.CompletedProcess[str]]
AGENT = '''
from segue import Agent, Team, tool


@tool(effect="read")
def price(item: str) -> str:
    """What an item on the menu costs.

    Args:
        item: The item, such as tea.
    """
    return f"{item}: EUR 2.80"


@tool(effect="write", approval=True)
def order(item: str) -> str:
    """Order an item from the menu.

    Args:
        item: The item to order.
    """
    return f"ordered {item}"


cafe = Agent("cafe", description="Prices and orders.", tools=[price, order])
other = Agent("other", description="Nothing much.")
desk = Team("desk", workers=[cafe])
'''


SLOW = '''
import asyncio

from segue import Agent, tool


@tool(effect="read")
async def wait_long(name: str) -> str:
    """Wait for a name.

    Args:
        name: The name.
    """
    await asyncio.sleep(30)
    return name


a = Agent("a", description="d", tools=[wait_long])
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with agents."""
    (tmp_path / "agents_here.py").write_text(AGENT, encoding="utf-8")
    return tmp_path


def segue(folder: Path, *arguments: str, given: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the folder."""
    return subprocess.run(
        [SEGUE, *arguments],
        cwd=folder,
        env={**os.environ, "NO_PROXY": "*", **environment},
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Inside:
    """The command in this process, which is faster; for what prints and ends."""

    def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(folder)
        monkeypatch.setattr(sys, "path", list(sys.path))
        monkeypatch.setenv("NO_PROXY", "*")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        told = capsys.readouterr()
        code = ended.value.code
        return subprocess.CompletedProcess(arguments, code if isinstance(code, int) else 1, told.out, told.err)

    return run


def refused(done: subprocess.CompletedProcess[str], *words: str, code: int = 2) -> None:
    """It ended in one clear message that holds the words, with the exit code and without a traceback."""
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stderr.startswith(("error: ", "Usage: ")), done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def test_a_run_shows_the_tool_call_why_it_was_allowed_and_the_answer(folder: Path) -> None:
    done = segue(folder, "run", "agents_here.py:cafe", 'What is the price of the item "tea"?')

    assert done.returncode == 0, done.stderr
    assert "Model: offline/rules-1" in done.stdout
    assert "cafe price(item=tea)  read: it only reads" in done.stdout
    assert "tea: EUR 2.80" in done.stdout
    assert re.search(r"completed  2 generations, 1 tool call, \d+ \+ \d+ tokens, \$0\.0000", done.stdout)


def test_a_run_as_json_is_one_object_with_its_usage(inside: Inside, folder: Path) -> None:
    done = inside(folder, "run", "agents_here.py:cafe", 'price of the item "tea"', "--json")

    record = json.loads(done.stdout)
    assert record["status"] == "completed"
    assert record["usage"]["tool_calls"] == 1
    assert [step["type"] for step in record["trajectory"]] == ["generation", "tool_result", "generation"]


def test_without_a_terminal_a_run_that_asks_waits_and_says_how_to_answer(inside: Inside, folder: Path) -> None:
    waiting = inside(folder, "run", "agents_here.py:cafe", 'Order the item "cake"')

    answer = re.search(r"segue (resume (run_\w+) --approve (int_\w+))", waiting.stdout)
    assert waiting.returncode == 1
    assert answer is not None
    resumed = inside(folder, *answer[1].split())

    assert resumed.returncode == 0, resumed.stderr
    assert "ordered cake" in resumed.stdout


def test_a_rejection_with_its_reason_reaches_the_model(inside: Inside, folder: Path) -> None:
    waiting = inside(folder, "run", "agents_here.py:cafe", 'Order the item "cake"')
    found = re.search(r"segue resume (run_\w+) --approve (int_\w+)", waiting.stdout)
    assert found is not None

    done = inside(folder, "resume", found[1], "--reject", f"{found[2]}=sold out")

    assert done.returncode == 0, done.stderr
    assert "a person rejected order: sold out" in done.stdout


def test_an_edit_that_is_no_json_is_refused_with_the_form_that_is(inside: Inside, folder: Path) -> None:
    done = inside(folder, "resume", "run_x", "--edit", "int_1=item")

    refused(done, "--edit", "JSON object")


def test_trace_prints_times_tokens_cost_and_why_each_edge_was_taken(inside: Inside, folder: Path) -> None:
    inside(folder, "run", "agents_here.py:desk", 'What is the price of the item "tea"?')

    tree = inside(folder, "trace").stdout
    listed = inside(folder, "trace", "--list").stdout

    assert re.search(r"plan → dispatch  a plan of 1 task", tree)
    assert re.search(r"generate → act  the model asked for price", tree)
    assert re.search(r"tool price  [\d.]+ ms  read: it only reads", tree)
    assert re.search(r"generation cafe  [\d.]+ ms  offline/rules-1  \d+ \+ \d+ tokens, \$0\.0000", tree)
    assert re.search(r"run_\w+\s+desk\s+completed", listed)


def test_chat_keeps_one_thread_and_ends_with_its_input(folder: Path) -> None:
    done = segue(
        folder, "chat", "agents_here.py:cafe", given='price of the item "tea"\n/trace\nprice of the item "cake"\n'
    )

    assert done.returncode == 0, done.stderr
    assert "tea: EUR 2.80" in done.stdout
    assert "cake: EUR 2.80" in done.stdout
    assert len(set(re.findall(r"on thread (\w+);", done.stdout))) == 1


def test_new_makes_a_folder_that_runs_and_whose_test_passes(tmp_path: Path) -> None:
    made = segue(tmp_path, "new", "cafe")
    ran = segue(tmp_path / "cafe", "run", "agent.py", 'What is the price of the item "tea"?')
    tested = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "cafe", capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    again = segue(tmp_path, "new", "cafe")

    assert made.returncode == 0, made.stderr
    assert "tea: EUR 2.80" in ran.stdout
    assert "1 passed" in tested.stdout, tested.stdout
    refused(again, "is not empty")


def test_doctor_says_which_model_and_where_each_setting_comes_from(inside: Inside, folder: Path) -> None:
    (folder / "segue.toml").write_text('data_dir = "kept"\n', encoding="utf-8")

    done = inside(folder, "doctor", "--json", SEGUE_TRACING__CAPACITY="9")

    found = json.loads(done.stdout)
    assert found["settings"]["data_dir"]["source"] == "segue.toml"
    assert found["settings"]["tracing"]["source"] == "environment SEGUE_TRACING__CAPACITY"
    assert found["settings"]["routes"]["source"] == "default"
    assert found["model"]["choice"]["model"] == "offline/rules-1"
    assert all(check["ok"] for check in found["checks"])


def test_doctor_shows_no_key_and_fails_where_the_endpoint_is_down(inside: Inside, folder: Path) -> None:
    done = inside(folder, "doctor", OPENAI_BASE_URL="http://127.0.0.1:9/v1", OPENAI_API_KEY="sk-hidden-1234")

    assert done.returncode == 3
    assert "127.0.0.1:9" in done.stdout
    assert "sk-hidden" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nope.py:cafe", ["no file", "nope.py"]),
        ("nope:cafe", ["no module 'nope'", "agents_here.py"]),
        ("agents_here.py:nope", ["no 'nope'", "cafe, desk, other"]),
        ("agents_here.py:price", ["price is a Tool", "cafe"]),
        ("agents_here:cafe.nope", ["no 'cafe.nope'"]),
    ],
)
def test_a_target_that_is_not_there_is_named_with_what_is(
    inside: Inside, folder: Path, target: str, words: list[str]
) -> None:
    refused(inside(folder, "run", target, "x"), *words)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import segue\nthis is no python\n", ["broken.py, line 2", "invalid syntax"]),
        ("import no_such_package\n", ["broken.py, line 1", "No module named 'no_such_package'"]),
        ("x = 1\n\n1 / 0\n", ["broken.py, line 3", "ZeroDivisionError"]),
        ("from segue import Agent\nAgent('a b')\n", ["'a b' is no name for an agent"]),
        ("from segue import Agent\nAgent('a', tools=[3])\n", ["3 is no tool"]),
        ("raise SystemExit(5)\n", ["broken.py, line 1", "SystemExit"]),
        ("x = 1\n", ["defines no Agent and no Team"]),
    ],
)
def test_a_broken_agent_module_is_told_with_its_line(
    inside: Inside, tmp_path: Path, code: str, words: list[str]
) -> None:
    (tmp_path / "broken.py").write_text(code, encoding="utf-8")

    refused(inside(tmp_path, "run", "broken.py", "x"), *words)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[routes\n", ["segue.toml is not valid TOML", "line 1"]),
        ("data_dri = 'x'\n", ["data_dri", "did you mean 'data_dir'?"]),
        ("[routes.fast]\ndeployments = ['gone']\n", ["gone"]),
        ("[deployments.a]\nengine = 'magic'\nmodel = 'm'\n", ["no engine 'magic'", "vllm"]),
        ("[deployments.a]\nmodel = 'm'\napi_key = 'sk-1234567890'\n", ["env:NAME"]),
        ("[tracing]\ncapacity = 'many'\n", ["tracing.capacity"]),
    ],
)
def test_broken_settings_are_told_with_the_file_and_the_key(
    inside: Inside, folder: Path, text: str, words: list[str]
) -> None:
    (folder / "segue.toml").write_text(text, encoding="utf-8")

    done = inside(folder, "run", "agents_here.py:cafe", "hello")

    refused(done, *words)
    assert "sk-1234567890" not in done.stderr


def test_an_unknown_route_names_the_routes_there_are(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        "from segue import Agent\na = Agent('a', description='d', model='fats')\n", encoding="utf-8"
    )

    done = inside(tmp_path, "run", "a.py", "hello")

    assert done.returncode == 2, done.stdout + done.stderr
    assert "no route 'fats'" in done.stderr
    assert "fast" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_endpoint_that_is_down_is_named_with_the_way_out(inside: Inside, folder: Path) -> None:
    done = inside(folder, "run", "agents_here.py:cafe", "hello", OPENAI_BASE_URL="http://127.0.0.1:9/v1")

    refused(done, "http://127.0.0.1:9/v1", "OPENAI_BASE_URL", code=3)


def test_a_run_that_is_not_there_is_told(inside: Inside, folder: Path) -> None:
    refused(inside(folder, "trace", "run_nope"), "run_nope")
    refused(inside(folder, "resume", "run_nope", "--approve", "int_1"), "run_nope")


def test_debug_shows_the_traceback(folder: Path) -> None:
    done = segue(folder, "run", "nope.py", "x", "--debug")

    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_a_budget_of_time_stops_the_run_in_order(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")

    done = inside(tmp_path, "run", "slow.py", 'Wait for the name "x"', "--wall-s", "0.5")

    assert done.returncode == 1, done.stderr
    assert "stopped (deadline)" in done.stdout


def test_help_lists_every_command(tmp_path: Path) -> None:
    done = segue(tmp_path, "--help")

    assert done.returncode == 0
    for command in ("run", "chat", "resume", "trace", "new", "doctor"):
        assert re.search(rf"^\s+{command}\s", done.stdout, re.MULTILINE)


def test_ctrl_c_twice_stops_the_run_where_it_stands_and_in_order(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    started = subprocess.Popen(
        [SEGUE, "run", "slow.py", 'Wait for the name "x"'],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert started.stdout is not None
    lines = []
    for line in started.stdout:
        lines.append(line)
        if "wait_long(" in line:
            break

    assert started.stderr is not None
    started.send_signal(signal.SIGINT)
    assert "stopping at the next checkpoint; once more stops at once" in started.stderr.readline()
    started.send_signal(signal.SIGINT)
    rest, told = started.communicate(timeout=30)

    assert started.returncode == 1, told
    assert "stopped (drained)" in rest
    assert "Traceback" not in told
    assert "stopped" in segue(tmp_path, "trace", "--list").stdout
