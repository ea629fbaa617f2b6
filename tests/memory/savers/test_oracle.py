"""Whatever is done to a thread, its history reads as with LangGraph's own in-memory saver."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver
from tests.memory.savers.graphs import Move, build, play

from segue.memory import PostgresSaver, SqliteSaver

MOVES = st.lists(
    st.builds(
        Move,
        kind=st.sampled_from(["say", "say", "say", "fork", "again", "edit", "remove", "answer"]),
        at=st.integers(0, 12),
        text=st.sampled_from(["hello", "really?", "long " * 200]),
    ),
    min_size=1,
    max_size=7,
)
KEY = "5e" * 32


async def both(moves: list[Move], **options: Any) -> tuple[list[Any], list[Any]]:
    oracle = InMemorySaver()
    wanted = await play(build(oracle), oracle, moves)
    with tempfile.TemporaryDirectory() as folder:
        async with SqliteSaver.open(Path(folder) / "state.db", **options) as saver:
            found = await play(build(saver), saver, moves)
            async with SqliteSaver.open(Path(folder) / "state.db", **options) as cold:
                again = await play(build(cold), cold, [])
    assert again[-1] == found[-1]
    return wanted, found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(moves=MOVES, key=st.sampled_from([None, KEY]), small=st.booleans())
def test_any_moves_leave_the_history_that_the_memory_saver_leaves(
    moves: list[Move], key: str | None, small: bool
) -> None:
    wanted, found = asyncio.run(both(moves, key=key, live_bytes=1 if small else 1 << 20, verify=True))

    assert found == wanted


@pytest.mark.xdist_group("postgres")
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(moves=MOVES, key=st.sampled_from([None, KEY]))
def test_postgresql_leaves_the_same_history_too(postgres_url: str, moves: list[Move], key: str | None) -> None:
    async def compare() -> tuple[list[Any], list[Any]]:
        oracle = InMemorySaver()
        wanted = await play(build(oracle), oracle, moves)
        async with PostgresSaver.open(postgres_url, key=key) as saver:
            await saver.adelete_thread("t")
            return wanted, await play(build(saver), saver, moves)

    wanted, found = asyncio.run(compare())

    assert found == wanted
