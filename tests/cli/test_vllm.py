"""`segue vllm` as a person uses it, with a package in vLLM's place that takes its arguments and has its `/health`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.router.vllm_double import VllmDouble

from segue.cli.main import main

pytestmark = pytest.mark.filterwarnings("ignore:.*get_(binary|text)_stream.*:DeprecationWarning")
SEGUE = [sys.executable, "-c", "from segue.cli.main import main; main()"]
SERVER = """
import http.server, json, os, pathlib, signal, sys

port = int(sys.argv[sys.argv.index("--port") + 1])
pathlib.Path("told.json").write_text(json.dumps({"argv": sys.argv[1:], "key": os.environ.get("VLLM_API_KEY")}))
if "--broken" in sys.argv:
    sys.exit("no such model")


class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        pass


def end(number, frame):
    pathlib.Path("ended.txt").write_text(signal.Signals(number).name)
    os._exit(0)


signal.signal(signal.SIGTERM, end)
signal.signal(signal.SIGINT, end)
http.server.HTTPServer(("127.0.0.1", port), Health).serve_forever()
"""

Segue = Callable[..., tuple[int, str, str]]


@pytest.fixture
def segue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """The command line on an empty folder: its exit code, what it printed, what it complained."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(["vllm", *arguments])
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def with_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This Python has a `vllm` that is quickly there."""
    package = tmp_path / "site" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    for folder in (package, package.parent, package.parent.parent):
        (folder / "__init__.py").touch()
    (package / "api_server.py").write_text(SERVER, encoding="utf-8")
    found = [str(tmp_path / "site"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(each for each in found if each))


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_up_prints_the_command_and_the_settings_and_starts_nothing(segue: Segue) -> None:
    code, out, err = segue("up", "Qwen/Qwen3-32B", "--print", "--api-key", "env:KEY", "--", "--seed", "3")

    assert code == 0
    assert out.startswith('VLLM_API_KEY="$KEY" vllm serve Qwen/Qwen3-32B \\\n    --host 127.0.0.1 \\\n')
    assert "    --tool-call-parser hermes \\\n" in out
    assert "    --seed 3\n" in out
    assert '[deployments.qwen3-32b]\nengine = "vllm"\n' in out
    assert err == ""


def test_up_says_what_it_does_not_know(segue: Segue) -> None:
    _, _, err = segue("up", "unheard-of", "--print")

    assert err.startswith("note: No tool parser is known for 'unheard-of'")


@pytest.mark.skipif(find_spec("vllm") is not None, reason="vLLM is installed here")
def test_up_without_vllm_says_how_to_get_it(segue: Segue) -> None:
    code, _, err = segue("up", "Qwen/Qwen3-32B")

    assert code == 2
    assert "vLLM is not installed for this Python. pip install 'segue[vllm]'" in err


@pytest.mark.parametrize("wrong", ["sql", "=path", "sql="])
def test_up_refuses_half_an_adapter(segue: Segue, wrong: str) -> None:
    code, _, err = segue("up", "m", "--print", "--lora", wrong)

    assert (code, err) == (2, f"error: --lora wants NAME=PATH, not {wrong!r}.\n")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.usefixtures("with_server")
def test_up_runs_the_server_with_its_key_and_passes_signals_on(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    arguments = ["vllm", "up", "m", "--port", str(port), "--tool-parser", "hermes", "--api-key", "env:KEY"]
    process = subprocess.Popen(
        [*SEGUE, *arguments], cwd=tmp_path, env={**os.environ, "KEY": "s3cret"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        ready = process.stderr.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()

    told = json.loads((tmp_path / "told.json").read_text(encoding="utf-8"))
    assert ready == f"ready at http://127.0.0.1:{port}/v1; segue vllm check http://127.0.0.1:{port}/v1 looks at it\n"
    assert process.returncode == 0
    assert (tmp_path / "ended.txt").read_text(encoding="utf-8") == number.name
    assert told["key"] == "s3cret"
    assert told["argv"][:4] == ["--model", "m", "--host", "127.0.0.1"]
    assert "s3cret" not in out + err + ready


@pytest.mark.usefixtures("with_server")
def test_a_server_that_does_not_come_up_is_told(segue: Segue) -> None:
    port = str(free_port())

    code, _, err = segue("up", "m", "--port", port, "--tool-parser", "none", "--", "--broken")

    assert code == 3
    assert "error: the server ended with 1 before it was healthy." in err


@pytest.mark.usefixtures("with_server")
def test_a_port_that_is_taken_is_told_before_anything_starts(segue: Segue, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        code, _, err = segue("up", "m", "--port", str(port), "--tool-parser", "none")

    assert (code, err) == (3, f"error: port {port} is taken: something answers there. Choose another with --port.\n")
    assert not (tmp_path / "told.json").exists()


async def _checked(tmp_path: Path, *arguments: str, **environ: str) -> tuple[int | None, str, str]:
    import asyncio

    process = await asyncio.create_subprocess_exec(
        *SEGUE, "vllm", "check", *arguments, cwd=tmp_path, env={**os.environ, "COLUMNS": "140", **environ},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_check_of_a_url_takes_the_first_model_and_says_what_is_missing(tmp_path: Path) -> None:
    async with VllmDouble(auto_tools=False) as server:
        code, out, err = await _checked(tmp_path, server.base)

    assert (code, err) == (1, "")
    assert "missing  automatic tools" in out
    assert "--enable-auto-tool-choice --tool-call-parser NAME" in out
    assert "ok       tools" in out
    assert server.bodies[0]["model"] == "scripted"


async def test_check_without_arguments_looks_at_the_deployments_of_the_settings(tmp_path: Path) -> None:
    async with VllmDouble(key="s3cret") as server:
        (tmp_path / "segue.toml").write_text(
            f'[deployments.gpu]\nengine = "vllm"\nendpoint = "{server.url}"\nmodel = "scripted"\n'
            'context_tokens = 8192\napi_key = "env:KEY"\n[deployments.hosted]\nmodel = "m"\n',
            encoding="utf-8",
        )
        code, out, _ = await _checked(tmp_path, "--json", KEY="s3cret")
        other, _, err = await _checked(tmp_path, "cpu")

    found = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert {each["server"] for each in found} == {"gpu"}
    assert {each["state"] for each in found} == {"ok"}
    assert other == 2
    assert "there is no deployment 'cpu'; there are: gpu, hosted." in err


async def test_check_of_what_does_not_answer_exits_with_3(tmp_path: Path) -> None:
    code, out, _ = await _checked(tmp_path, f"http://127.0.0.1:{free_port()}/v1")

    assert code == 3
    assert "missing  reachable" in out
