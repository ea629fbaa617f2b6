"""`segue dev` and `segue keys`, in processes of their own; and files that change while they are served."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from segue.base.errors import ConfigError
from segue.server.listening import bound
from segue.server.registry import Registry

AGENT = """
from segue import Agent
from segue.testing import ScriptedModel

{name} = Agent("{name}", model=ScriptedModel(lambda request: "{answer}"))
"""


def segue(*arguments: str, folder: Path) -> subprocess.Popen[str]:
    code = f"from segue.cli.main import main; main({list(arguments)!r})"
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def said(*arguments: str, folder: Path) -> str:
    process = segue(*arguments, folder=folder)
    out, error = process.communicate(timeout=30)
    assert process.returncode == 0, error
    return out


async def test_dev_serves_a_folder_says_where_moves_from_a_taken_port_and_ends_in_order(tmp_path: Path) -> None:
    (tmp_path / "guide.py").write_text(AGENT.format(name="guide", answer="This way."), encoding="utf-8")
    (tmp_path / "broken.py").write_text("from segue import Nothing\n", encoding="utf-8")
    with bound("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        process = await asyncio.to_thread(segue, "dev", "--port", str(port), folder=tmp_path)
        assert process.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("port"):
            lines.append(await asyncio.to_thread(process.stdout.readline))
            assert lines[-1], process.communicate()[1]
        url = next(line.split()[1] for line in lines if line.startswith("api"))
        async with httpx.AsyncClient(trust_env=False) as client:
            asked = {"agent": "guide", "input": "Where?"}
            run = (await client.post(f"{url}/runs/wait", json=asked)).json()
        os.kill(process.pid, signal.SIGTERM)
        rest, _ = await asyncio.to_thread(process.communicate, timeout=20)

    assert lines[0].split() == ["agents", "guide"]
    assert any("broken.py cannot be imported" in line for line in lines)
    assert f"port {port} is taken: moved to" in lines[-1]
    assert (run["output"], process.returncode) == ("This way.", 0)
    assert rest.splitlines()[-1] == "stopped"


def test_keys_are_added_listed_and_revoked(tmp_path: Path) -> None:
    secret = said("keys", "add", "acme", "ann", "--scope", "refunds", "--read-only", folder=tmp_path).strip()
    (before,) = [json.loads(line) for line in said("keys", "list", "--json", folder=tmp_path).splitlines()]
    revoked = said("keys", "revoke", before["id"], folder=tmp_path)
    (after,) = [json.loads(line) for line in said("keys", "list", "--json", folder=tmp_path).splitlines()]

    assert secret.startswith("sgk_")
    assert (before["tenant"], before["user"], before["scopes"], before["read_only"]) == (
        "acme",
        "ann",
        ["refunds"],
        True,
    )
    assert (before["revoked_at"], revoked) == (None, f"{before['id']} is revoked\n")
    assert after["revoked_at"] is not None
    assert secret not in str(before)


def test_a_file_that_changes_is_imported_anew_and_one_that_breaks_keeps_what_it_had(tmp_path: Path) -> None:
    path = tmp_path / "changing_guide.py"
    path.write_text(AGENT.format(name="one", answer="1"), encoding="utf-8")
    registry = Registry(tmp_path)
    first, unchanged = registry.get("one"), registry.changed()

    path.write_text(AGENT.format(name="one", answer="2") + AGENT.format(name="two", answer="2"), encoding="utf-8")
    changed = registry.changed()
    registry.reload()
    second = [each.name for each in registry.all()]
    path.write_text("from segue import Nothing\n", encoding="utf-8")
    registry.reload()

    assert (unchanged, changed, second) == (False, True, ["one", "two"])
    assert registry.get("one") is not first
    assert [each.name for each in registry.all()] == ["one", "two"]
    assert "changing_guide.py" in registry.problems[0]


def test_a_port_that_is_taken_is_said_to_be() -> None:
    with bound("127.0.0.1", 0) as taken:
        taken.listen()

        with pytest.raises(ConfigError, match="cannot be listened at"):
            bound("127.0.0.1", taken.getsockname()[1])


def test_two_agents_of_one_name_are_told_of(tmp_path: Path) -> None:
    for name in ("left", "right"):
        text = AGENT.format(name="same", answer=name)
        (tmp_path / f"clashing_{name}.py").write_text(text, encoding="utf-8")

    registry = Registry(tmp_path)

    assert [each.source for each in registry.all()] == ["clashing_left.py:same"]
    assert "both named 'same'" in registry.problems[0]
