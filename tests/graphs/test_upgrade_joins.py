"""Joins that were none when a thread was written: told by the shape of the graph that wrote it."""

from __future__ import annotations

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from tests.graphs.upgrades.flow import past_a_join
from tests.graphs.upgrades.pair import CONFIG, Crash, Seen, compiled, invoke

from segue.graphs.upgrade import Verdict, check_thread
from segue.graphs.versions import graph_shape


async def judged(sources: list[str]) -> tuple[Verdict, list[str]]:
    """What the check says where the end waits for these now, and what runs when the thread goes on."""
    saver = InMemorySaver()
    old = compiled(past_a_join(Seen(broken=True), ["left", "right"]), saver)
    with pytest.raises(Crash):
        await invoke(old, {"log": []})
    seen = Seen()
    new = compiled(past_a_join(seen, sources), saver)
    verdict = await check_thread(new, CONFIG, shapes=lambda digest: graph_shape(old))
    await invoke(new, None)
    return verdict, seen.ran


async def test_a_join_that_waits_for_a_node_that_the_thread_is_past_breaks_it() -> None:
    verdict, ran = await judged(["left", "right", "first"])

    assert "end" not in ran
    assert verdict.kind == "breaks"
    assert verdict.findings[0].where == "join left+right+first → end"
    assert verdict.findings[0].expected == "first to run before end"


@pytest.mark.parametrize(
    "sources", [["left", "right"], ["right", "left"], ["late", "right"], ["left", "right", "late"]]
)
async def test_a_join_of_nodes_that_still_run_is_told_nothing_of(sources: list[str]) -> None:
    verdict, ran = await judged(sources)

    assert "end" in ran
    assert verdict.kind == "resumes"
