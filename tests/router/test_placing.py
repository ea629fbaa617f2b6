"""Where requests go, and what the router knows of its hosts, under any order of events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segue.router.placing.fleet import Fleet, Placement
from segue.router.placing.host import NO_PRICE, Asked, Host, Placed
from segue.router.placing.pick import Policy
from segue.router.placing.plain import ByWeight, Cheapest, InOrder, InTurn, LeastLoaded, LowestLatency
from segue.router.placing.predicted import Predicted
from segue.router.placing.prefixes import Prefixes

Talks = st.lists(st.lists(st.sampled_from("ab"), max_size=8), max_size=20)


def chain(talk: Sequence[str]) -> list[tuple[str, ...]]:
    """Pieces that stand for all before them, too."""
    return [tuple(talk[: end + 1]) for end in range(len(talk))]


def asked(tokens: int = 1000, *, talk: Sequence[str] = (), output: float = 100.0) -> Asked:
    return Asked(input_tokens=tokens, output_tokens=output, chain=chain(talk), piece_tokens=tokens / max(1, len(talk)))


class Points:
    """Random numbers, as they are wanted."""

    def __init__(self, *points: float) -> None:
        self.points = list(points)

    def random(self) -> float:
        return self.points.pop(0) if len(self.points) > 1 else self.points[0]


@settings(max_examples=300, deadline=None)
@given(Talks, Talks, st.integers(1, 12))
def test_what_is_held_is_held_with_all_before_it_and_found(talks: Any, others: Any, most: int) -> None:
    prefixes = Prefixes(most)
    for talk in talks:
        prefixes.add(chain(talk))
        assert len(prefixes) <= most
        assert prefixes.match(chain(talk)) == min(len(talk), most)
        assert all(piece[:-1] in prefixes._held for piece in prefixes._held if len(piece) > 1)  # type: ignore[arg-type,index]

    for talk in [*talks, *others]:
        held = 0
        while held < len(talk) and tuple(talk[: held + 1]) in prefixes._held:
            held += 1
        assert prefixes.match(chain(talk)) == held


def test_what_was_used_least_recently_is_forgotten_first() -> None:
    prefixes = Prefixes(4)
    prefixes.add(chain("aa"))
    prefixes.add(chain("bb"))
    prefixes.add(chain("aa"))

    prefixes.add(chain("c"))

    assert [prefixes.match(chain(talk)) for talk in ("aa", "bb", "c")] == [2, 1, 1]


@pytest.mark.parametrize("most", [0, 1, -5])
def test_a_server_that_holds_little_is_remembered_for_little(most: int) -> None:
    prefixes = Prefixes(10)
    prefixes.add(chain("abcd"))

    prefixes.shrink(most)

    assert len(prefixes) == max(0, most)


Happens = st.lists(
    st.tuples(st.sampled_from(["begin", "first", "end", "leave", "lost", "told"]), st.floats(0, 5), st.integers(0, 5)),
    max_size=60,
)


@settings(max_examples=300, deadline=None)
@given(Happens, st.lists(st.integers(1, 5000), min_size=60, max_size=60))
def test_a_hosts_account_is_never_wrong_whatever_happens(events: Any, sizes: list[int]) -> None:
    host, now, going = Host("a", most_pieces=16), 0.0, list[Placed]()
    for (what, after, which), size in zip(events, sizes, strict=False):
        now += after
        placed = going[which % len(going)] if going else None
        if what == "begin":
            going.append(host.begin(asked(size, talk="ab" * (which + 1)), now, expected_s=0.1))
            assert 1.0 <= going[-1].new <= size
        elif what == "lost":
            host.lost()
        elif what == "told":
            host.told(running=which, waiting=size % 7, kv_tokens=size, piece_tokens=after, now=now)
        elif placed is not None and what == "first":
            host.first_token(placed, now)
        elif placed is not None:
            going.remove(placed)
            if what == "end":
                host.end(placed, now, output_tokens=size % 50, cached_tokens=which * 500 if which else None)
            else:
                host.leave(placed)
        waiting = [each.new for each in going if each.first_at is None]
        assert host.in_flight == len(going)
        assert host.ahead == pytest.approx(sum(waiting), abs=1e-6)
        assert 0.0 <= host.trust <= 1.0
        assert host.load(now)[0] >= host.in_flight
        assert host.load(now)[1] >= 0
        assert host.overdue_s(now) >= 0
        assert all(each is None or each >= 0 for each in (host.read_rate, host.token_s, host.first_token_s))
        assert len(host.prefixes) <= max(64, 5000)
    for placed in going:
        host.leave(placed)
    assert (host.in_flight, host.ahead) == (0, 0.0)


def test_a_server_that_holds_less_than_it_should_is_believed_less_and_more_again() -> None:
    host, now = Host("a"), 0.0
    for _ in range(60):
        placed = host.begin(asked(2000, talk="abcd"), now)
        host.end(placed, now + 1, output_tokens=10, cached_tokens=0)
        now += 2
    assert host.trust < 0.1
    assert host.matched(asked(2000, talk="abcd")) < 300

    for _ in range(200):
        placed = host.begin(asked(2000, talk="abcd"), now)
        host.end(placed, now + 1, output_tokens=10, cached_tokens=2000)
        now += 2
    assert host.matched(asked(2000, talk="abcd")) == 2000


def test_other_clients_of_a_server_count_as_long_as_that_is_news() -> None:
    host = Host("a")
    host.begin(asked(), 0.0)

    host.told(running=5, waiting=2, kv_tokens=None, piece_tokens=0, now=0.0)

    assert host.load(1.0)[0] == 7
    assert host.load(10.0)[0] == 1


def hosts(*names: str) -> list[Host]:
    return [Host(name) for name in names]


Loads = st.lists(st.lists(st.integers(1, 20_000), max_size=6), min_size=1, max_size=6)


@settings(max_examples=300, deadline=None)
@given(Loads, st.integers(0, 50_000), st.floats(0, 10_000), st.floats(0, 100))
def test_predicted_takes_one_of_the_lowest_cost_and_says_why(
    loads: Any, tokens: int, output: float, now: float
) -> None:
    held = hosts(*(f"h{at}" for at in range(len(loads))))
    for host, sizes in zip(held, loads, strict=True):
        for at, size in enumerate(sizes):
            placed = host.begin(asked(size, talk=f"{'ab' * at}"), 0.0)
            if at % 2:
                host.end(placed, 0.5 + at, output_tokens=50, cached_tokens=None)
    policy, one = Predicted(), asked(tokens, output=output)
    costs = policy.costs(one, held, now)

    pick = policy.choose(one, held, now)

    assert pick.host in held
    assert [cost.total for cost in costs if cost.host is pick.host] == [min(cost.total for cost in costs)]
    assert all(0 <= cost.total < float("inf") for cost in costs)
    assert pick.why


def test_predicted_spreads_what_nobody_holds() -> None:
    fleet = Fleet("abcd")

    placed = [fleet.place(asked(talk=[str(at)]), "abcd", 0.0).name for at in range(40)]

    assert set(Counter(placed).values()) == {10}


def test_predicted_stays_where_the_conversation_is_held_until_others_are_sooner() -> None:
    fleet = Fleet("ab")
    first = fleet.place(asked(8000, talk="xy"), "ab", 0.0)
    fleet.went_well(first, 2.0, output_tokens=20)
    again = asked(8100, talk="xy")

    assert fleet.policy.choose(again, fleet.usable("ab", 3.0), 3.0).host.name == first.name
    for at in range(30):
        busy = fleet.hosts[first.name].begin(asked(8000, talk=[f"q{at}"]), 3.0)
        assert busy.new == 8000
    assert fleet.policy.choose(again, fleet.usable("ab", 3.0), 3.0).host.name != first.name


def test_predicted_leaves_alone_what_hangs() -> None:
    fleet = Fleet("ab")
    stuck = fleet.place(asked(), "ab", 0.0)

    placed = {fleet.policy.choose(asked(), fleet.usable("ab", 30.0), 30.0).host.name}

    assert placed == {"a", "b"} - {stuck.name}


def test_predicted_counts_a_price_as_seconds() -> None:
    prices = {"cheap": 0.0, "dear": 1e-6}
    policy = Predicted(second_usd=0.001, rates=lambda host: (0.0, 0.0, prices[host.name]))

    assert policy.choose(asked(), hosts("dear", "cheap"), 0.0).host.name == "cheap"


def test_in_order_takes_the_first_and_in_turn_takes_each_once_a_round() -> None:
    held, turn = hosts("a", "b", "c"), InTurn()

    assert InOrder().choose(asked(), held, 0.0).host.name == "a"
    assert [turn.choose(asked(), held, 0.0).host.name for _ in range(6)] == ["a", "b", "c", "a", "b", "c"]
    assert turn.choose(asked(), held[1:], 0.0).host.name == "b"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.sampled_from("abcd"), min_size=1, unique=True), min_size=1, max_size=40))
def test_in_turn_never_takes_one_twice_while_another_that_could_waits(offered: list[list[str]]) -> None:
    held, turn = {name: Host(name) for name in "abcd"}, InTurn()
    passed: dict[str, set[str]] = {name: set() for name in held}
    for names in offered:
        name = turn.choose(asked(), [held[each] for each in names], 0.0).host.name
        assert not passed[name] & set(names)
        for each in passed.values():
            each.discard(name)
        passed[name] = {each for each in names if each != name}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6))
def test_by_weight_draws_each_as_often_as_it_weighs(weights: list[float]) -> None:
    held = hosts(*(f"h{at}" for at in range(len(weights))))
    named = {host.name: weight for host, weight in zip(held, weights, strict=True)}

    found = Counter(
        ByWeight(named, Points((point + 0.5) / 1000)).choose(asked(), held, 0.0).host.name for point in range(1000)
    )

    for name, weight in named.items():
        assert found[name] == pytest.approx(1000 * weight / sum(weights), abs=1.5)


def test_least_loaded_takes_the_one_with_the_fewest() -> None:
    held = hosts("a", "b")
    held[0].begin(asked(), 0.0)

    assert LeastLoaded().choose(asked(), held, 0.0).host.name == "b"


def test_lowest_latency_asks_those_never_asked_then_the_soonest_and_now_and_then_another() -> None:
    held = hosts("slow", "quick", "new")
    for host, took in zip(held, (2.0, 0.1), strict=False):
        host.end(host.begin(asked(), 0.0), took, output_tokens=1, cached_tokens=None)

    assert LowestLatency(Points(0.5)).choose(asked(), held, 0.0).host.name == "new"
    assert LowestLatency(Points(0.5)).choose(asked(), held[:2], 0.0).host.name == "quick"
    assert LowestLatency(Points(0.05, 0.0)).choose(asked(), held, 0.0).host.name == "slow"
    assert LowestLatency(Points(0.05, 1.0)).choose(asked(), held, 0.0).host in held


def test_cheapest_takes_what_has_no_price_for_dear() -> None:
    prices = {"unknown": NO_PRICE, "dear": (2.0, 2.0, 2.0), "cheap": (1.0, 1.0, 1.0), "cheap too": (1.0, 1.0, 1.0)}
    policy = Cheapest(lambda host: prices[host.name])
    held = hosts(*prices)
    held[2].begin(asked(), 0.0)

    assert policy.choose(asked(), held, 0.0).host.name == "cheap too"
    assert policy.choose(asked(), held[:1], 0.0).why == "of an unknown price, as all are"


POLICIES: list[Policy] = [
    Predicted(), InOrder(), InTurn(), ByWeight({}, Points(0.999999999)), LeastLoaded(),
    LowestLatency(Points(0.05, 1.0)), Cheapest(lambda host: None),
]  # fmt: skip


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: type(policy).__name__)
@pytest.mark.parametrize("one", [asked(0, output=0.0), asked(1), asked(10**9, output=1e9)])
def test_any_policy_takes_any_request_and_a_single_host(policy: Policy, one: Asked) -> None:
    for names in ("a", "abcdefgh"):
        pick = policy.choose(one, hosts(*names), 0.0)
        assert pick.host.name in names
        assert pick.why


def test_a_fleet_passes_over_what_fails_and_takes_all_where_none_may() -> None:
    fleet = Fleet("ab", jitter=lambda: 0.5)
    for name in "ab":
        placement = fleet.begin(asked(), InOrder().choose(asked(), [fleet.host(name)], 0.0), 0.0)
        assert [host.name for host in fleet.usable("ab", 0.0)] == (["a", "b"] if name == "a" else ["b"])
        fleet.failed(placement, "unreachable", 0.0)

    assert [host.name for host in fleet.usable("ab", 0.0)] == ["a", "b"]


def test_what_is_gone_holds_nothing_any_more_and_what_is_slow_does() -> None:
    fleet = Fleet("ab")
    for name, outcome in (("a", "reset"), ("b", "timeout")):
        placement = fleet.begin(asked(talk="xy"), InOrder().choose(asked(), [fleet.host(name)], 0.0), 0.0)
        fleet.failed(placement, outcome, 1.0)

    assert [fleet.host(name).matched(asked(talk="xy")) for name in "ab"] == [0, 1000]


def test_after_its_time_one_request_tries_and_the_others_go_elsewhere() -> None:
    fleet = Fleet("ab")
    fleet.failed(fleet.begin(asked(), InOrder().choose(asked(), [fleet.host("a")], 0.0), 0.0), "unreachable", 0.0)

    placed = [fleet.place(asked(), "ab", 60.0, policy=InOrder()) for _ in range(3)]

    assert [each.name for each in placed] == ["a", "b", "b"]
    assert [each.tries for each in placed] == [True, False, False]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 3)), max_size=80))
def test_a_fleets_account_is_even_when_all_is_over(events: Any) -> None:
    fleet, now, going = Fleet("abc", jitter=lambda: 0.5), 0.0, list[Placement]()
    for what, after in events:
        now += after
        if what < 3 or not going:
            going.append(fleet.place(asked(500, talk=f"{what}{after}"), "abc", now))
            continue
        placement = going.pop(0)
        fleet.first_token(placement, now)
        if what == 3:
            fleet.went_well(placement, now, output_tokens=20)
        elif what == 4:
            fleet.failed(placement, "failed", now)
        else:
            fleet.left(placement)
    for placement in going:
        fleet.left(placement)

    assert [(host.in_flight, host.ahead) for host in fleet.hosts.values()] == [(0, 0.0)] * 3
    assert all(breaker.allows(now + 60) for breaker in fleet.breakers.values())
