"""`segue models` as a person uses it, with real servers on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.router.vllm_double import VllmDouble
from tests.router.wire_server import WireServer, text

from segue.testing import ScriptedModel

SEGUE = [sys.executable, "-c", "from segue.cli.main import main; main()"]


async def segue(folder: Path, *arguments: str, **environ: str) -> tuple[int, str, str]:
    """The command line in a process of its own: its exit code, what it printed, what it complained."""
    held = {**os.environ, "COLUMNS": "160", "SEGUE_ROUTER__DETECT": "false", **environ}
    process = await asyncio.create_subprocess_exec(
        *SEGUE, *arguments, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env=held,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def settle(folder: Path, **urls: str) -> None:
    """Deployments `gpu` (vLLM) and `api`, which costs money."""
    lines = []
    for name, url in urls.items():
        lines.append(f'[deployments.{name}]\nendpoint = "{url}"\nmodel = "scripted"')
        lines.append('engine = "vllm"\nmax_concurrency = 8' if name == "gpu" else 'api_key = "env:KEY"')
        if name == "api":
            lines.append("price = { input_usd_per_mtok = 1.0, output_usd_per_mtok = 10.0 }")
    (folder / "segue.toml").write_text("\n".join(lines), encoding="utf-8")


async def test_the_table_tells_health_load_and_limits(tmp_path: Path) -> None:
    async with VllmDouble() as gpu, WireServer() as api:
        settle(tmp_path, gpu=gpu.url, api=api.url)
        code, out, err = await segue(tmp_path, "models", KEY="s3cret")
        _, told, _ = await segue(tmp_path, "models", "--json", KEY="s3cret")

    assert (code, err) == (0, "")
    assert "8 side by side" in out
    found = {each["deployment"]: each for each in json.loads(told)}
    assert found["gpu"]["health"] == found["api"]["health"] == "ok"
    assert found["gpu"]["load"]["kv_tokens"] > 0
    assert found["gpu"]["limits"] == {"max_concurrency": 8}
    assert found["api"]["load"] is None
    assert found["api"]["price"]["output_usd_per_mtok"] == 10.0
    assert "s3cret" not in out + told
    assert [seen.path for seen in api.requests] == ["/v1/models"] * 2


async def test_what_is_down_is_told_and_only_a_check_fails(tmp_path: Path) -> None:
    async with WireServer() as gone:
        pass
    async with VllmDouble() as gpu:
        settle(tmp_path, gpu=gpu.url, api=gone.url)
        code, out, _ = await segue(tmp_path, "models", KEY="s3cret")
        checked, _, _ = await segue(tmp_path, "models", "--check", KEY="s3cret")
        settle(tmp_path, gpu=gpu.url)
        well, _, _ = await segue(tmp_path, "models", "--check")

    assert (code, checked, well) == (0, 3, 0)
    assert "unreachable" in out
    assert f"deployment 'api' cannot be reached at {gone.url}" in out


async def test_without_any_deployment_it_tells_who_would_answer(tmp_path: Path) -> None:
    async with WireServer() as gone:
        pass

    _, offline, _ = await segue(tmp_path, "models")
    code, named, _ = await segue(tmp_path, "models", OPENAI_BASE_URL=gone.url)

    assert "offline/rules-1" in offline
    assert code == 0
    assert "unreachable" in named


async def test_speed_and_cost_are_those_of_the_traces(tmp_path: Path) -> None:
    from segue import Agent, Workspace

    (tmp_path / "segue.toml").write_text('[deployments.scripted]\nengine = "offline"\n', encoding="utf-8")
    async with Workspace.open(tmp_path) as ws:
        model = ScriptedModel(["Yes."], cost_usd=0.25)
        model.name = "scripted"
        await ws.run(Agent("clerk", model=model), "Is it?")

    _, out, _ = await segue(tmp_path, "models", "--json")

    assert json.loads(out)[0]["speed"]["generations"] == 1
    assert json.loads(out)[0]["speed"]["cost_usd"] == 0.25


async def test_a_bench_measures_and_is_not_begun_for_money_unless_somebody_says_so(tmp_path: Path) -> None:
    async with WireServer() as gpu, WireServer() as api:
        settle(tmp_path, gpu=gpu.url, api=api.url)
        for server in (gpu, api):
            server.script(text("one", "two"))
        asked, _, err = await segue(tmp_path, "models", "bench", KEY="s3cret")
        unasked = len(api.bodies) + len(gpu.bodies)
        free, _, _ = await segue(tmp_path, "models", "bench", "gpu", "--requests", "2")
        code, out, _ = await segue(tmp_path, "models", "bench", "--yes", "--json", "--requests", "3", KEY="s3cret")

    assert (asked, unasked) == (2, 0)
    assert "20 generations each will cost: api about $0.0400." in err
    assert (free, code) == (0, 0)
    assert {each["deployment"]: each["answered"] for each in json.loads(out)} == {"gpu": 3, "api": 3}
    assert (len(gpu.bodies), len(api.bodies)) == (5, 3)
    assert "s3cret" not in err + out


async def test_a_bench_of_what_is_down_or_unknown_says_so(tmp_path: Path) -> None:
    async with WireServer() as gone:
        pass
    settle(tmp_path, gpu=gone.url)

    down, out, _ = await segue(tmp_path, "models", "bench", "--requests", "2")
    unknown, _, err = await segue(tmp_path, "models", "bench", "cpu")

    assert (down, unknown) == (3, 2)
    assert "2 unreachable" in out
    assert "there is no deployment 'cpu'; there are: gpu." in err
