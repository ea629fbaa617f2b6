"""Runs of a simulation: nothing is lost, the seed decides, and what helps in life helps here."""

from __future__ import annotations

from collections import Counter

import pytest

from segue.base.errors import BadInput, ConfigError
from segue.router.settings import DeploymentSettings, PriceSettings, RouteSettings
from segue.router.simulate.compare import compared
from segue.router.simulate.faults import SCENARIOS, faults_of
from segue.router.simulate.fleet import Plan, equal_hosts, planned
from segue.router.simulate.report import Figures, figures_of
from segue.router.simulate.sessions import Outcome, simulate
from segue.router.simulate.synthetic import Load, drawn
from segue.router.simulate.workload import Session, Turn, Workload

LOAD = Load(rate=2.0, duration_s=40.0)


def run(plan: Plan, scenario: str = "clean", *, seed: int = 1, load: Load = LOAD) -> Outcome:
    workload = drawn(load, seed)
    return simulate(plan, workload, faults=faults_of(scenario, plan.asked, workload.last_start_s), seed=seed)


def figures(plan: Plan, scenario: str = "clean", *, seed: int = 1, load: Load = LOAD) -> Figures:
    return figures_of(run(plan, scenario, seed=seed, load=load))


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("policy", ["predicted", "least_loaded", "round_robin", "weighted", "lowest_latency"])
def test_every_request_ends_once(scenario: str, policy: str) -> None:
    workload = drawn(LOAD, 1)

    outcome = run(equal_hosts(4, policy=policy), scenario)

    seen = Counter((session.name, turn) for session, turn, _ in outcome.ended)
    assert max(seen.values()) == 1
    assert len(outcome.ended) + outcome.given_up == workload.requests


def test_a_server_that_ended_everything_holds_nothing_for_anybody() -> None:
    from segue.router.simulate.clock import VirtualClock
    from segue.router.simulate.figures import HostFigures
    from segue.router.simulate.job import Job
    from segue.router.simulate.server import Server

    clock, done = VirtualClock(), list[int]()
    server = Server(clock, HostFigures(kv_tokens=4096, max_seqs=3))
    jobs = [
        Job(
            number, range(number * 100, number * 100 + 10), range(number * 100, number * 100 + 12), input_tokens=1300,
            output_tokens=300, first=lambda job: None, done=lambda job: done.append(job.number),
        )
        for number in range(8)
    ]  # fmt: skip
    for job in jobs:
        clock.at(job.number * 0.01, server.submit, job)
    clock.at(0.2, server.cancel, jobs[1])
    clock.run()

    assert sorted(done) == [0, 2, 3, 4, 5, 6, 7]
    assert (server.running, server.waiting, server.memory.usage, server.memory.answers) == (0, 0, 0.0, 0)


def test_the_seed_decides_everything() -> None:
    plan = equal_hosts(4, policy="lowest_latency")

    once, again, other = (figures(plan, "crash", seed=seed) for seed in (1, 1, 2))

    assert once == again
    assert once != other


def test_every_policy_is_asked_the_same() -> None:
    asked = []
    for policy in ("predicted", "round_robin", "first"):
        outcome = run(equal_hosts(4, policy=policy))
        asked.append(sorted((s.name, turn, e.input_tokens, e.output_tokens) for s, turn, e in outcome.ended))

    assert asked[0] == asked[1] == asked[2]


def test_conversations_that_stay_where_they_are_held_are_found_there() -> None:
    near, around = (figures(equal_hosts(6, policy=policy)) for policy in ("predicted", "round_robin"))

    assert near.hit_rate > around.hit_rate + 0.1
    assert (near.first_token_p95_s or 9.0) < (around.first_token_p95_s or 0.0)


def test_two_more_hosts_make_it_no_slower() -> None:
    plan = equal_hosts(3)
    busy = Load(rate=4.0, duration_s=40.0)

    few, more = figures(plan, load=busy), figures(plan.with_more(2), load=busy)

    assert (more.first_token_p95_s or 9.0) <= (few.first_token_p95_s or 0.0)
    assert (more.whole_p95_s or 99.0) <= (few.whole_p95_s or 0.0)


def test_a_host_that_is_half_as_fast_takes_twice_as_long() -> None:
    workload = Workload(
        sessions=[Session(name="s", start_s=0.0, turns=[Turn(input_tokens=8000, output_tokens=100)])], told="one"
    )

    fast, half = (simulate(equal_hosts(1, {"speed": speed}), workload).ended[0][2].whole_s for speed in (1.0, 0.5))

    assert half == pytest.approx(2 * fast, rel=0.01)


def test_a_conversation_that_is_held_is_not_read_again() -> None:
    turns = [Turn(input_tokens=8000, output_tokens=100), Turn(input_tokens=8200, output_tokens=100)]
    cut = [turns[0], Turn(input_tokens=8200, output_tokens=100, shared_tokens=1280)]

    held, gone = (
        simulate(equal_hosts(1), Workload(sessions=[Session(name="s", start_s=0.0, turns=each)], told="")).ended[1][2]
        for each in (turns, cut)
    )

    assert held.cached_tokens == 8064
    assert gone.cached_tokens == 1280
    assert held.first_token_s < gone.first_token_s


def test_a_crash_loses_no_request_while_others_are_there() -> None:
    outcome = run(equal_hosts(4), "crash")

    assert [ended for _, _, ended in outcome.ended if not ended.answered] == []
    assert any(ended.attempts > 1 for _, _, ended in outcome.ended)


def test_a_crash_of_the_only_host_fails_requests_and_ends_their_sessions() -> None:
    outcome = run(equal_hosts(1), "crash")

    assert any(not ended.answered for _, _, ended in outcome.ended)
    assert outcome.given_up > 0


def test_a_host_that_hangs_is_left_by_those_that_wait_there() -> None:
    outcome = run(equal_hosts(3, policy="round_robin"), "hang", load=Load(rate=2.0, duration_s=150.0))

    late = [ended for _, _, ended in outcome.ended if ended.attempts > 1]
    assert late
    assert all(ended.answered for ended in late)


def test_an_api_costs_its_price_and_a_host_its_hours() -> None:
    deployments = {
        "api": DeploymentSettings(
            engine="openai", model="m", price=PriceSettings(input_usd_per_mtok=1.0, output_usd_per_mtok=10.0)
        ),
        "own": DeploymentSettings(engine="vllm", model="m"),
    }
    routes = {name: RouteSettings(deployments=(name,)) for name in deployments}
    workload = Workload(
        sessions=[Session(name="s", start_s=0.0, turns=[Turn(input_tokens=1000, output_tokens=100)])], told="one"
    )
    known = {"own": {"usd_per_hour": 3600.0}}

    api, own = (
        figures_of(simulate(planned(deployments, routes, name, known=known), workload)) for name in ("api", "own")
    )

    assert api.cost_usd == pytest.approx(0.002)
    assert own.cost_usd == pytest.approx(own.duration_s)


def test_an_api_over_its_limit_is_waited_for_in_line() -> None:
    limited = DeploymentSettings(engine="openai", model="m", requests_per_minute=60)
    route = {"default": RouteSettings(deployments=("api",))}
    sessions = [
        Session(name=f"s{number}", start_s=0.001 * number, turns=[Turn(input_tokens=100, output_tokens=10)])
        for number in range(90)
    ]
    plan = planned({"api": limited}, route, "default", wait_s=70.0)

    outcome = simulate(plan, Workload(sessions=sessions, told=""))

    first = [ended.first_token_s for _, _, ended in outcome.ended]
    assert sum(each < 2 for each in first) == 60
    assert sum(each > 59 for each in first) == 30
    assert [session.name for session, _, _ in outcome.ended] == [session.name for session in sessions]


def test_the_models_of_a_route_are_gone_through_in_their_order() -> None:
    deployments = {name: DeploymentSettings(engine="vllm", model=name) for name in ("first", "second")}
    plan = planned(deployments, {"default": RouteSettings(deployments=("first", "second"))}, "default")

    assert run(plan).placed["second"] == 0
    assert run(plan.with_policy("fastest")).placed["second"] > 0


def test_rows_tell_what_they_are_of() -> None:
    plans = [equal_hosts(2), equal_hosts(2).with_more(1)]

    rows = list(
        compared(
            plans, lambda rate, seed: drawn(Load(rate=rate, duration_s=10.0), seed), rates=[1.0, 2.0], seeds=[0, 1],
            scenarios=["clean", "slow"],
        )
    )  # fmt: skip

    assert [(row.rate, row.scenario, row.hosts) for row in rows] == [
        (rate, scenario, hosts) for rate in (1.0, 2.0) for scenario in ("clean", "slow") for hosts in (2, 3)
    ]
    assert rows[0].figures.requests == sum(run.requests for run in rows[0].runs) / 2


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(BadInput, match="no scenario 'flood'; there are: clean, crash"):
        faults_of("flood", ["a"], 1.0)
    with pytest.raises(BadInput, match="figures of gpu, which is no deployment; there are: host1, host2"):
        equal_hosts(2, known={"gpu": {"speed": 2.0}})
    with pytest.raises(ConfigError, match="host 'host1' speed: Input should be greater than 0"):
        equal_hosts(1, {"speed": 0})
    with pytest.raises(ConfigError, match="no figure 'sped'"):
        equal_hosts(1, {"sped": 1})
