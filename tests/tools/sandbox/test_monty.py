"""The sandbox holds: what code may not use it does not get, and each run ends within its limits and says why."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from segue.testing.crash_process import in_child
from segue.tools.sandbox.monty import MontySandbox
from segue.tools.sandbox.port import ExecRequest, Limits, SandboxLacks, SandboxUnavailable

SMALL = Limits(wall_s=0.5, cpu_s=0.5, mem_mb=32, out_kb=4)


@pytest.fixture
async def sandbox() -> AsyncIterator[MontySandbox]:
    held = MontySandbox(workers=2)
    yield held
    await held.close()


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("1 + 1", 2),
        ("x = rows[0]['a']\nx * 2", 6),
        ("(1, 2.5, None, True)", [1, 2.5, None, True]),
        ("from decimal import Decimal\n{'d': Decimal('1.10')}", {"d": "1.10"}),
        ("import datetime\ndatetime.date(2026, 1, 2)", "2026-01-02"),
        ("{3, 1, 2}", [1, 2, 3]),
        ("{1: 'a', None: 'b'}", {"1": "a", "None": "b"}),
        ("2 ** 70", "1180591620717411303424"),
        ("2 ** 62", 4611686018427387904),
        ("float('nan')", "nan"),
        ("import time\ntime.sleep(60)\n'slept'", "slept"),
        ("print('x')", None),
    ],
)
async def test_the_last_expression_comes_out_as_json(sandbox: MontySandbox, code: str, value: Any) -> None:
    result = await sandbox.run(ExecRequest(code=code, inputs={"rows": [{"a": 3}]}))

    assert result.ok, result.error
    assert result.value == value


async def test_printed_text_comes_out_beside_the_value(sandbox: MontySandbox) -> None:
    result = await sandbox.run(ExecRequest(code="import sys\nprint('a')\nprint('b', file=sys.stderr)\n3"))

    assert (result.stdout, result.stderr, result.value) == ("a\n", "b\n", 3)


REFUSED = [
    "open('/etc/passwd').read()",
    "open('/tmp/x', 'w')",
    "import pathlib\npathlib.Path('/etc/passwd').read_text()",
    "import pathlib\nlist(pathlib.Path('/').iterdir())",
    "import os\nos.environ",
    "import os\nos.getenv('HOME').upper()",
    "import os\nos.system('id')",
    "import os\nos.listdir('/')",
    "import subprocess",
    "import socket",
    "import urllib.request",
    "import ctypes",
    "import sys\nsys.modules",
    "import importlib",
    "__import__('os').system('id')",
    "eval('open(\\'/etc/passwd\\').read()')",
    "exec('import socket')",
    "compile('1', '', 'eval')",
    "().__class__.__bases__[0].__subclasses__()",
    "(lambda: 0).__globals__",
    "globals()['__builtins__']",
    "input()",
    "import asyncio\nasyncio.create_subprocess_exec('id')",
]


@pytest.mark.parametrize("code", REFUSED)
async def test_files_network_processes_and_the_interpreter_are_out_of_reach(sandbox: MontySandbox, code: str) -> None:
    result = await sandbox.run(ExecRequest(code=code, limits=SMALL))

    assert not result.ok
    assert result.value is None
    assert result.error is not None
    assert result.error.kind in ("error", "syntax")


@pytest.mark.parametrize(
    ("code", "kinds"),
    [
        ("while True:\n    pass", {"time"}),
        ("max(range(10 ** 12))", {"time"}),
        ("x = 7 ** 40000\nfor i in range(9):\n    x = x * x\n1", {"time", "memory"}),
        ("9 ** 9 ** 9", {"memory"}),
        ("'a' * 10 ** 9", {"memory"}),
        ("[0] * 10 ** 10", {"memory"}),
        ("held = []\nwhile True:\n    held.append([0] * 100)", {"memory"}),
        ("def f():\n    return f()\nf()", {"memory"}),
        ("list(range(30000))", {"value"}),
        ("x = []\nfor i in range(100):\n    x = [x]\nx", {"value"}),
        ("class A:\n    pass\nA()", {"value"}),
        ("{(1, 2): 3}", {"value"}),
        ("1 / 0", {"error"}),
        ("def f(:", {"syntax"}),
    ],
)
async def test_a_run_past_a_limit_ends_and_says_which(sandbox: MontySandbox, code: str, kinds: set[str]) -> None:
    started = time.monotonic()

    result = await sandbox.run(ExecRequest(code=code, limits=SMALL))

    assert not result.ok
    assert result.error is not None
    assert result.error.kind in kinds, result.error
    assert time.monotonic() - started < 3


async def test_an_error_names_its_line(sandbox: MontySandbox) -> None:
    result = await sandbox.run(ExecRequest(code="x = 1\ny = 2\nx / 0"))

    assert result.error is not None
    assert (result.error.line, result.error.message) == (3, "ZeroDivisionError: division by zero")


async def test_a_flood_of_output_is_cut_and_marked(sandbox: MontySandbox) -> None:
    result = await sandbox.run(
        ExecRequest(code="for i in range(20000):\n    print('x' * 50)\n1", limits=Limits(out_kb=4))
    )

    assert (result.ok, result.truncated, result.value) == (True, True, 1)
    assert len(result.stdout) == 4096


async def test_runs_see_nothing_of_each_other(sandbox: MontySandbox) -> None:
    await sandbox.run(ExecRequest(code="secret = 42\nsecret"))

    result = await sandbox.run(ExecRequest(code="secret"))

    assert result.error is not None
    assert "NameError" in result.error.message


async def test_many_runs_at_once_each_get_their_own_answer(sandbox: MontySandbox) -> None:
    requests = [ExecRequest(code="n * n", inputs={"n": number}) for number in range(40)]

    results = await asyncio.gather(*(sandbox.run(request) for request in requests))

    assert [result.value for result in results] == [number * number for number in range(40)]


async def test_a_cancelled_run_frees_its_worker_at_once() -> None:
    sandbox = MontySandbox(workers=1)
    begun = asyncio.Event()

    async def begin() -> None:
        begun.set()

    endless = ExecRequest(
        code="begin()\nwhile True:\n    pass", tools={"begin": begin}, limits=Limits(wall_s=50, cpu_s=50)
    )
    running = asyncio.create_task(sandbox.run(endless))
    await begun.wait()

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert (await asyncio.wait_for(sandbox.run(ExecRequest(code="1 + 1")), 5)).value == 2
    await sandbox.close()


async def test_code_calls_the_tools_it_was_given_and_no_more_often_than_allowed(sandbox: MontySandbox) -> None:
    async def double(number: int) -> int:
        return number * 2

    tools = {"double": double}
    fine = await sandbox.run(ExecRequest(code="double(double(3))", tools=tools))
    often = await sandbox.run(
        ExecRequest(code="for i in range(9):\n    double(i)", tools=tools, limits=Limits(tool_calls=5))
    )

    assert (fine.value, fine.usage.tool_calls) == (12, 2)
    assert often.error is not None
    assert "more than 5 tool calls" in often.error.message


async def test_what_the_sandbox_lacks_is_refused_and_not_left_out(sandbox: MontySandbox) -> None:
    with pytest.raises(SandboxLacks, match="no files"):
        await sandbox.run(ExecRequest(code="1", files_in={"a.txt": b"x"}))
    with pytest.raises(SandboxLacks, match="sessions"):
        await sandbox.run(ExecRequest(code="1", session_id="s"))


async def test_without_monty_nothing_runs_anywhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic_monty", None)

    with pytest.raises(SandboxUnavailable, match=r"pydantic-monty is not installed.*pip install"):
        await MontySandbox().run(ExecRequest(code="1"))


async def test_a_monty_that_does_not_start_is_said_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONTY_BIN", "/nonexistent/monty")

    with pytest.raises(SandboxUnavailable, match="the sandbox monty cannot be used"):
        await MontySandbox().run(ExecRequest(code="1"))


def test_one_sandbox_works_over_two_event_loops() -> None:
    sandbox = MontySandbox(workers=1)

    first = asyncio.run(sandbox.run(ExecRequest(code="1")))
    second = asyncio.run(sandbox.run(ExecRequest(code="2")))
    asyncio.run(sandbox.close())

    assert (first.value, second.value) == (1, 2)


def test_a_program_that_never_closes_its_sandbox_ends_in_order() -> None:
    program = (
        "import asyncio\n"
        "from segue.tools.sandbox.monty import MontySandbox\n"
        "from segue.tools.sandbox.port import ExecRequest\n"
        "print(asyncio.run(MontySandbox().run(ExecRequest(code='6 * 7'))).value)\n"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "42\n", "")


def _run_now(run: Callable[[MontySandbox], Coroutine[Any, Any, str]], sandbox: MontySandbox) -> str:
    return asyncio.run(run(sandbox))


def test_a_fork_of_a_process_that_ran_code_says_so_and_does_not_wait_for_ever() -> None:
    async def run(sandbox: MontySandbox) -> str:
        try:
            return str((await sandbox.run(ExecRequest(code="1 + 1"))).value)
        except SandboxUnavailable as error:
            return str(error)
        finally:
            await sandbox.close()

    held = MontySandbox(workers=1)
    assert asyncio.run(run(held)) == "2"
    for sandbox in (held, MontySandbox(workers=1)):
        said = in_child(partial(_run_now, run, sandbox), 20)
        assert "the process that this one was forked from" in said
        assert "spawn" in said
    assert asyncio.run(run(held)) == "2"
