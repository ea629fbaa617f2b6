"""Two real servers behind one router."""

from __future__ import annotations

from tests.vllm.servers import VllmServer

from segue.base.messages import user
from segue.router import GenerationRequest, RouterCore, RouteSettings
from segue.router.sessions import Sessions
from segue.router.vllm_servers.metrics import scrape


async def test_generations_go_to_both_and_are_the_same_where_nothing_is_left_to_chance(
    two_servers: tuple[VllmServer, VllmServer],
) -> None:
    sessions = Sessions()
    settings = {f"gpu{number}": server.settings() for number, server in enumerate(two_servers)}
    before = {name: await scrape(each, name=name, sessions=sessions) for name, each in settings.items()}
    core = RouterCore(
        deployments=settings, routes={"both": RouteSettings(deployments=tuple(settings), policy="round_robin")}
    )
    request = GenerationRequest(
        messages=[user("Tell me.")], temperature=0, max_output_tokens=16, extra={"min_tokens": 16}
    )

    made = [await core.generate(request, route="both") for _ in range(4)]

    await core.aclose()
    after = {name: await scrape(each, name=name, sessions=sessions) for name, each in settings.items()}
    await sessions.aclose()
    assert [each.deployment for each in made] == ["gpu0", "gpu1", "gpu0", "gpu1"]
    assert len({str(each.message["content"]) for each in made}) == 1
    assert {name: after[name].generation_tokens - before[name].generation_tokens for name in after} == {
        "gpu0": 32,
        "gpu1": 32,
    }
