"""Canaries: a share of the threads, the same ones each time, taken back by one file; and fleets that come and go."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.router.test_router import Says
from tests.router.wire_server import WireServer, text

from segue.base.errors import ConfigError, OperatorError
from segue.base.messages import user
from segue.router import DeploymentSettings, GenerationRequest, RouterCore, RouterSettings, RouteSettings
from segue.router import fleets as fleets_module
from segue.router.rollout import Shares, among
from segue.router.settings import CanarySettings


def core(share: float, *, shares: Shares | None = None, new: Says | None = None) -> RouterCore:
    routes = {
        "default": RouteSettings(deployments=("old",), canary=CanarySettings(route="new", share=share)),
        "new": RouteSettings(deployments=("new",)),
    }
    return RouterCore(deployments={"old": Says("old"), "new": new or Says("new")}, routes=routes, shares=shares)


async def asked(held: RouterCore, threads: int) -> list[str]:
    requests = [GenerationRequest(messages=[user("hi")], thread=f"acme/t-{number}") for number in range(threads)]
    return [(await held.generate(request)).deployment for request in requests]


async def test_about_the_share_of_the_threads_tries_the_new_route_and_stays_there() -> None:
    held = core(0.2)

    first, again = await asked(held, 500), await asked(held, 500)

    assert first == again
    assert 60 < first.count("new") < 140


def test_who_is_among_few_is_among_more() -> None:
    threads = [f"t-{number}" for number in range(300)]

    few = {thread for thread in threads if among("default", thread, 0.1)}

    assert few
    assert few < {thread for thread in threads if among("default", thread, 0.3)}
    assert not any(among("default", thread, 0.0) for thread in threads)
    assert all(among("default", thread, 1.0) for thread in threads)


async def test_the_trace_says_that_it_was_the_canary() -> None:
    found = await core(1.0).generate(GenerationRequest(messages=[user("hi")], thread="t"))

    assert "as the canary of 'default' (1 of its threads)" in found.why


async def test_where_the_new_route_fails_the_old_one_answers() -> None:
    held = core(1.0, new=Says("new", *["half an ans"] * 4))

    found = await held.generate(GenerationRequest(messages=[user("hi")], thread="t"))

    assert found.deployment == "old"


async def test_a_share_that_is_set_in_the_file_wins_at_once_in_another_process(tmp_path: Path) -> None:
    file = tmp_path / "rollouts.json"
    here, there = core(1.0, shares=Shares(file)), Shares(file)
    assert set(await asked(here, 20)) == {"new"}

    there.set("default", 0.0)
    await asyncio.sleep(1.1)

    assert set(await asked(here, 20)) == {"old"}
    assert json.loads(file.read_text()) == {"default": 0.0}


async def test_a_file_that_is_broken_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "rollouts.json"
    file.write_text("{")

    assert set(await asked(core(1.0, shares=Shares(file)), 5)) == {"new"}


async def test_a_fleet_comes_and_goes_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleets_module, "EVERY_S", 0.05)
    file = tmp_path / "fleet.json"
    request = GenerationRequest(messages=[user("hi")])
    async with WireServer() as one, WireServer() as two:
        one.script(*[text("one")] * 50)
        two.script(*[text("two")] * 50)

        def write(**servers: WireServer) -> None:
            entries = [{"name": name, "endpoint": each.url, "model": "m"} for name, each in servers.items()]
            file.write_text(json.dumps(entries))

        write(a=one)
        held = RouterCore(routes={"default": RouteSettings(fleet=str(file))})
        assert (await held.generate(request)).deployment == "a"

        write(b=two)
        found = [(await held.generate(request)).deployment for _ in range(2)]
        for _ in range(50):
            await asyncio.sleep(0.05)
            found.append((await held.generate(request)).deployment)
            if found[-1] == "b":
                break
        assert found[-1] == "b"
        assert "a" not in held.deployments

        file.write_text("nonsense")
        await asyncio.sleep(0.1)
        await held.generate(request)
        await asyncio.sleep(0.1)
        assert (await held.generate(request)).deployment == "b"
        await held.aclose()


async def test_a_fleet_that_cannot_be_read_at_first_is_an_error_that_names_it(tmp_path: Path) -> None:
    held = RouterCore(routes={"default": RouteSettings(fleet=str(tmp_path / "none.toml"))})

    with pytest.raises(OperatorError, match=r"none\.toml"):
        await held.generate(GenerationRequest(messages=[user("hi")]))


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"routes": {"r": {"fleet": "dns://gpus:8000"}}}, "fleet_like"),
        ({"routes": {"r": {"fleet": "dns://gpus:8000", "fleet_like": "x"}}}, "no deployment 'x'"),
        (
            {
                "deployments": {"a": {"model": "m"}},
                "routes": {"r": {"deployments": ["a"], "canary": {"route": "x", "share": 1}}},
            },
            "canary of no route 'x'",
        ),
    ],
)
def test_what_does_not_fit_is_named(tables: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RouterSettings.from_tables(tables)


async def test_a_fleet_out_of_dns_is_like_the_deployment_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    async with WireServer() as server:
        server.script(text("hi"))
        like = DeploymentSettings(engine="vllm", model="m", metrics=False)
        settings = RouterSettings(
            deployments={"like": like},
            routes={"default": RouteSettings(fleet=f"dns://localhost:{server.port}", fleet_like="like")},
        )
        held = RouterCore(settings)
        found = await held.generate(GenerationRequest(messages=[user("hi")]))
        await held.aclose()

    assert found.deployment.startswith("localhost-")
    assert set(held.routes["default"].deployments) == set(held.deployments) - {"like"}
