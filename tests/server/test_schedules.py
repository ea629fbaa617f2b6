"""Schedules over HTTP, with a worker in the server's own process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.server.conftest import listening
from tests.server.test_keys import ROUTES

from segue.server import app
from segue.server.keys import Key

AGENT = """
from segue import Agent
from segue.testing import ScriptedModel

night = Agent("night", model=ScriptedModel(lambda request: "All is well."))
"""


@pytest.mark.timeout(60)
async def test_a_schedule_is_made_changed_paused_run_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "night_watch.py").write_text(AGENT, encoding="utf-8")
    made = {"name": "watch", "agent": "night", "input": "Look.", "cron": "0 3 * * *", "timezone": "Europe/Berlin"}
    application = app(tmp_path, login=True, jobs=True)

    async with (
        listening(application) as url,
        httpx.AsyncClient(base_url=f"{url}/api/v1", trust_env=False, timeout=30) as client,
    ):
        keys = application.state.server.keys
        secret, _ = await keys.add(Key(id="", tenant="acme", user="ann"), now=1.0)
        other, _ = await keys.add(Key(id="", tenant="other", user="ann"), now=1.0)
        client.headers["Authorization"] = f"Bearer {secret}"
        created = await client.post("/schedules", json=made)
        twice = await client.post("/schedules", json=made)
        wrong = await client.post("/schedules", json={**made, "name": "w2", "cron": "99 * * * *"})
        nowhere = await client.post("/schedules", json={**made, "name": "w3", "timezone": "Mars/Base"})
        changed = await client.patch("/schedules/watch", json={"cron": "30 4 * * *", "input": "Look twice."})
        upcoming = await client.get("/schedules/watch/next", params={"count": 3})
        paused = await client.post("/schedules/watch/pause")
        fired = await client.post("/schedules/watch/run")
        run = await _ended(client, fired.json()["run_id"])
        firings = await client.get("/schedules/watch/firings")
        strange = await _by_a_stranger(client, other)
        deleted = await client.delete("/schedules/watch")
        gone = await client.get("/schedules/watch")

    assert set(strange.values()) == {404}
    assert len(strange) == 8
    assert [each.status_code for each in (created, twice, wrong, nowhere)] == [201, 409, 422, 422]
    assert (changed.json()["cron"], changed.json()["input"]) == ("30 4 * * *", "Look twice.")
    assert len(upcoming.json()["next"]) == 3
    assert (paused.json()["paused"], run["output"], run["input"][0]["content"]) == (True, "All is well.", "Look twice.")
    assert firings.json()["firings"][0]["run_id"] == run["id"]
    assert (deleted.status_code, gone.status_code) == (204, 404)


async def _by_a_stranger(client: httpx.AsyncClient, secret: str) -> dict[tuple[str, str], int]:
    """Every route of one schedule, asked by another tenant."""
    found, headers = {}, {"Authorization": f"Bearer {secret}"}
    for method, path in ROUTES:
        if path.startswith("/api/v1/schedules/{name}"):
            place = path.removeprefix("/api/v1").format(name="watch")
            body: dict[str, Any] | None = {} if method == "PATCH" else None
            found[method, path] = (await client.request(method, place, json=body, headers=headers)).status_code
    return found


async def _ended(client: httpx.AsyncClient, run_id: str) -> dict[str, Any]:
    """A job is picked up by polling, so that it is asked for until it has ended."""
    while True:
        run: dict[str, Any] = (await client.get(f"/runs/{run_id}/join")).json()
        if run["status"] == "completed":
            return run
        await asyncio.sleep(0.05)


async def _dead(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    while True:
        dead: list[dict[str, Any]] = (await client.get("/dead-letters")).json()["dead_letters"]
        if dead:
            return dead
        await asyncio.sleep(0.05)


async def test_a_server_without_jobs_says_so(tmp_path: Path) -> None:
    (tmp_path / "night_shift.py").write_text(AGENT, encoding="utf-8")

    async with listening(app(tmp_path, login=False)) as url, httpx.AsyncClient(trust_env=False) as client:
        refused = await client.get(f"{url}/api/v1/schedules")

    assert (refused.status_code, refused.json()["error"]["type"]) == (409, "not_now")


BREAKS = """
from pathlib import Path
from segue import Agent
from segue.testing import ScriptedModel


def say(request):
    if not (Path(__file__).parent / "mended").exists():
        raise ConnectionError("the shop is away")
    return "All is well."


night = Agent("night", model=ScriptedModel(say))
"""


@pytest.mark.timeout(60)
async def test_a_firing_that_fails_for_good_is_told_with_its_reason_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "night_break.py").write_text(BREAKS, encoding="utf-8")
    (tmp_path / "segue.toml").write_text("[jobs]\nmax_attempts = 1\n", encoding="utf-8")
    application = app(tmp_path, login=True, jobs=True)

    async with (
        listening(application) as url,
        httpx.AsyncClient(base_url=f"{url}/api/v1", trust_env=False, timeout=30) as client,
    ):
        keys = application.state.server.keys
        secret, _ = await keys.add(Key(id="", tenant="acme", user="ann"), now=1.0)
        other, _ = await keys.add(Key(id="", tenant="other", user="ann"), now=1.0)
        client.headers["Authorization"] = f"Bearer {secret}"
        await client.post("/schedules", json={"name": "watch", "agent": "night", "input": "Look.", "cron": "0 3 * * *"})
        run_id = (await client.post("/schedules/watch/run")).json()["run_id"]
        dead = await _dead(client)
        firing = (await client.get("/schedules/watch/firings")).json()["firings"][0]
        strange = {"Authorization": f"Bearer {other}"}
        hidden = (await client.get("/dead-letters", headers=strange)).json()["dead_letters"]
        refused = await client.post(f"/dead-letters/{run_id}/retry", headers=strange)
        (tmp_path / "mended").touch()
        again = await client.post(f"/dead-letters/{run_id}/retry")
        run = await _ended(client, run_id)
        left = (await client.get("/dead-letters")).json()["dead_letters"]

    assert [each["run_id"] for each in dead] == [run_id]
    assert "the shop is away" in dead[0]["reason"]
    assert (dead[0]["request"], dead[0]["schedule"], dead[0]["error_id"][:4]) == ("Look.", "watch", "err_")
    assert (firing["status"], "the shop is away" in firing["error"]) == ("failed", True)
    assert (hidden, refused.status_code, again.status_code) == ([], 404, 202)
    assert (run["output"], left) == ("All is well.", [])
