"""Agent sessions drawn from a seed: shared instructions, growing conversations, tools between turns, bursts, fan-out.

In: a `Load` and a seed. Out: a `Workload`. The seed alone decides, so that every fleet and policy is asked the same.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from segue.router.simulate.workload import Session, Turn, Workload


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the sessions are like. Tokens are drawn log-normally around their median."""

    rate: float = 2.0
    """Sessions that begin in a second, outside bursts."""
    duration_s: float = 120.0
    """So long sessions begin."""
    burst_every_s: float = 30.0
    burst_s: float = 4.0
    burst: float = 5.0
    """By how much more sessions begin in a burst; 1 for no bursts."""
    agents: int = 6
    """Agents with instructions and tools of their own; the first is asked most."""
    agent_tokens: tuple[int, int] = (1500, 6000)
    """Of instructions and tools, from and to."""
    task_tokens: int = 500
    """Of what is asked, the median."""
    long_share: float = 0.06
    """Sessions that bring a long document."""
    long_tokens: tuple[int, int] = (8_000, 24_000)
    turns: float = 7.0
    """The mean."""
    output_tokens: int = 110
    """Of an answer, the median."""
    tool_tokens: int = 270
    """Of what tools give back between two turns, the median."""
    tool_s: float = 2.0
    """How long tools take between two turns, the mean."""
    fan_out: float = 0.1
    """Sessions that set workers to work, who begin with the conversation of their planner."""
    workers: tuple[int, int] = (3, 8)
    context_tokens: int = 60_000
    """A conversation ends when it is as long as that."""


def drawn(load: Load, seed: int) -> Workload:
    """The sessions of a seed."""
    once = random.Random(f"{seed} agents")
    sizes = [once.randint(*load.agent_tokens) for _ in range(load.agents)]
    popular = [1 / (index + 1) for index in range(load.agents)]
    sessions: list[Session] = []
    for number, start_s in enumerate(_starts(load, random.Random(f"{seed} starts"))):
        rng = random.Random(f"{seed} session {number}")
        agent = rng.choices(range(load.agents), popular)[0]
        sessions += _session(load, rng, number, start_s, agent, sizes[agent])
    return Workload(sessions=sessions, told=f"agent sessions drawn from seed {seed}, {load.rate:g} a second")


def _starts(load: Load, rng: random.Random) -> Iterator[float]:
    """Poisson arrivals, thinned outside bursts."""
    most = load.rate * max(1.0, load.burst)
    at = rng.expovariate(most)
    while at < load.duration_s:
        rate = load.rate * load.burst if at % load.burst_every_s < load.burst_s else load.rate
        if rng.random() < rate / most:
            yield at
        at += rng.expovariate(most)


def _session(load: Load, rng: random.Random, number: int, start_s: float, agent: int, size: int) -> Iterator[Session]:
    """A session, and those of its workers."""
    name, group = f"s{number}", f"agent {agent}"
    is_long = rng.random() < load.long_share
    task = rng.randint(*load.long_tokens) if is_long else _around(rng, load.task_tokens, 1.0)
    turns = _turns(
        load, rng, size + task, 1 + int(math.log(1 - rng.random()) / math.log(1 - 1 / max(1.01, load.turns)))
    )
    yield Session(name=name, start_s=start_s, turns=turns, group=group, group_tokens=size)
    if rng.random() >= load.fan_out or not turns:
        return
    told = turns[0].input_tokens + turns[0].output_tokens
    for worker in range(rng.randint(*load.workers)):
        own = _turns(load, rng, told + 150, 1 + int(rng.expovariate(1 / 3)))
        yield Session(name=f"{name}.{worker}", start_s=0.0, turns=own, group=group, group_tokens=size, after=(name, 0))


def _turns(load: Load, rng: random.Random, tokens: int, most: int) -> list[Turn]:
    turns: list[Turn] = []
    while len(turns) < most and (tokens < load.context_tokens or not turns):
        output = max(4, min(2000, _around(rng, load.output_tokens, 0.7)))
        pause_s = rng.expovariate(1 / load.tool_s) if turns and load.tool_s > 0 else 0.0
        turns.append(Turn(input_tokens=tokens, output_tokens=output, pause_s=pause_s))
        tokens += output + max(8, _around(rng, load.tool_tokens, 0.9))
    return turns


def _around(rng: random.Random, median: float, spread: float) -> int:
    return int(rng.lognormvariate(math.log(max(1.0, median)), spread))
