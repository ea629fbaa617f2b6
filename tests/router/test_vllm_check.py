from __future__ import annotations

from typing import Any

import pytest
from tests.router.vllm_double import METRICS, VllmDouble

from segue.router import DeploymentSettings
from segue.router.sessions import Sessions
from segue.router.vllm_servers.check import check
from segue.router.vllm_servers.finding import Finding

UNCACHED = METRICS.replace('prefix_caching="True"', 'prefix_caching="False"')
ALL = [
    "reachable",
    "version",
    "model",
    "context",
    "metrics",
    "awake",
    "prefix caching",
    "one token",
    "cached tokens",
    "usage in streams",
    "tools",
    "automatic tools",
    "structured output",
]


async def findings(server: VllmDouble, timeout_s: float = 5.0, **more: Any) -> dict[str, Finding]:
    settings = {"engine": "vllm", "endpoint": server.url, "model": "scripted", "context_tokens": 8192, **more}
    sessions = Sessions()
    try:
        found = await check(
            DeploymentSettings(**settings),
            name="gpu",
            sessions=sessions,
            environ={"KEY": "s3cret"},
            timeout_s=timeout_s,
        )
    finally:
        await sessions.aclose()
    assert len({each.name for each in found}) == len(found)
    return {each.name: each for each in found}


async def test_a_server_that_is_set_up_for_agents_has_nothing_missing() -> None:
    async with VllmDouble(key="s3cret") as server:
        found = await findings(server, api_key="env:KEY")

    assert {name: each.state for name, each in found.items()} == dict.fromkeys(ALL, "ok")
    assert all(each.purpose and each.detail and not each.mend for each in found.values())
    tool_call = next(body for body in server.bodies if body.get("tool_choice") == "required")
    assert tool_call["tools"][0]["function"]["strict"] is True


@pytest.mark.parametrize(
    ("started", "name", "mend"),
    [
        ({"parser": False}, "tools", "--enable-auto-tool-choice --tool-call-parser"),
        ({"auto_tools": False}, "automatic tools", "--enable-auto-tool-choice --tool-call-parser"),
        ({"details": False}, "cached tokens", "--enable-prompt-tokens-details"),
        ({"stream_usage": False}, "usage in streams", "stream_options"),
        ({"arguments": "true"}, "tools", "--structured-outputs-config"),
        ({"arguments": ""}, "tools", "--structured-outputs-config"),
        ({"arguments": '{"unit": "kelvin"}'}, "structured output", "--structured-outputs-config"),
        ({"metrics": UNCACHED}, "prefix caching", "--enable-prefix-caching"),
        ({"metrics": ""}, "metrics", "--disable-log-stats"),
        ({"max_model_len": 4096}, "context", "context_tokens = 4096"),
    ],
)  # fmt: skip
async def test_what_is_missing_is_found_with_the_flag_that_mends_it(
    started: dict[str, Any], name: str, mend: str
) -> None:
    async with VllmDouble(**started) as server:
        found = await findings(server)

    assert found[name].state == "missing"
    assert mend in found[name].mend


async def test_what_cannot_be_seen_is_not_known_rather_than_ok() -> None:
    async with VllmDouble(version="", max_model_len=None, arguments='{"unit": "fah', finish="length") as server:
        found = await findings(server)

    unknown = [name for name, each in found.items() if each.state == "unknown"]
    assert unknown == ["version", "context", "tools", "structured output"]


async def test_a_context_that_is_not_set_is_told_with_the_line_that_sets_it() -> None:
    async with VllmDouble() as server:
        found = await findings(server, context_tokens=None)

    assert found["context"].state == "missing"
    assert found["context"].mend.startswith("context_tokens = 8192")


async def test_an_adapter_takes_as_much_as_its_model() -> None:
    async with VllmDouble(adapter="sql") as server:
        found = await findings(server, model="sql")

    assert found["model"].detail == "'sql' is served, an adapter of 'scripted'"
    assert found["context"].state == "ok"


async def test_a_model_that_is_not_served_is_told_with_those_that_are_and_asked_for_nothing() -> None:
    async with VllmDouble() as server:
        found = await findings(server, model="other")

    assert found["model"].detail == "'other' is not served; there are: scripted"
    assert found["tools"].state == "unknown"
    assert server.bodies == []


async def test_a_sleeping_engine_is_told_and_asked_for_nothing() -> None:
    asleep = METRICS.replace('sleep_state="weights_offloaded"} 0.0', 'sleep_state="weights_offloaded"} 1.0')
    async with VllmDouble(metrics=asleep) as server:
        found = await findings(server)

    assert (found["awake"].state, found["one token"].state) == ("missing", "unknown")
    assert server.bodies == []


async def test_a_server_that_is_not_there_is_the_only_finding() -> None:
    async with VllmDouble() as server:
        pass

    found = await findings(server)

    assert [(name, each.state) for name, each in found.items()] == [("reachable", "missing")]
    assert "cannot be reached" in found["reachable"].detail


async def test_a_dead_engine_is_told_by_its_health_or_else_by_its_first_token() -> None:
    async with VllmDouble(health=503) as server:
        assert "its engine is dead" in (await findings(server))["reachable"].detail
    async with VllmDouble(engine_status=500) as server:
        found = await findings(server)

    assert found["one token"].state == "missing"
    assert "EngineCore encountered an issue" in found["one token"].detail
    assert {found[name].state for name in ALL[8:]} == {"unknown"}


async def test_a_key_that_is_wrong_is_told_and_never_shown() -> None:
    async with VllmDouble(key="another") as server:
        found = await findings(server, api_key="env:KEY")

    assert found["model"].state == "missing"
    assert "api_key" in found["model"].mend
    assert not any("s3cret" in f"{each}" for each in found.values())
