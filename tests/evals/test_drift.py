"""Drift: what is said to have moved moved, what did not is noise, and the page holds what the figures say."""

from __future__ import annotations

import math
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from segue import BadInput, Workspace
from segue.evals.drift import Drift, compared, drift, seconds_of
from segue.evals.drift_page import drift_page, said
from segue.evals.moved import cliffs_delta, mix_moved, share_moved, value_moved, wilson
from segue.tracing.observed import Observed
from segue.tracing.spans import SpanKind, SpanRow, new_span_id


def test_cliffs_delta_is_the_share_of_pairs_above_less_that_below() -> None:
    rng = np.random.default_rng(1)
    before, now = rng.integers(0, 9, 40).astype(float), rng.integers(2, 11, 30).astype(float)

    pairs = [float(np.sign(b - a)) for a in before for b in now]

    assert cliffs_delta(before, now) == pytest.approx(sum(pairs) / len(pairs))
    assert cliffs_delta(before, before + 100) == 1.0


def test_newcombes_interval_is_the_one_he_published() -> None:
    """Newcombe 1998, table II, method 10: 56 of 70 against 48 of 80 gives 0.0524 to 0.3339."""
    found = share_moved("x", [1.0] * 48 + [0.0] * 32, [1.0] * 56 + [0.0] * 14)

    assert [found.low, found.high] == pytest.approx([0.0524, 0.3339], abs=1e-4)
    assert found.moved
    assert wilson(0.0, 10, 1.96)[0] == 0.0


@pytest.mark.parametrize("kind", ["value", "share", "mix"])
def test_noise_is_seldom_called_moved_and_a_shift_nearly_always(kind: str) -> None:
    rng = np.random.default_rng(5)

    def mixes(count: int, shift: float) -> list[Mapping[str, int]]:
        draws = rng.multinomial(3, [0.6 - shift, 0.3 + shift, 0.1], size=count)
        return [{name: int(n) for name, n in zip("abc", each, strict=True) if n} for each in draws]

    def moved(shift: float) -> bool:
        match kind:
            case "value":
                old, new = rng.lognormal(size=200), rng.lognormal(shift, size=100)
                return value_moved("x", old.tolist(), new.tolist(), resamples=200).moved
            case "share":
                shares = rng.random(200) < 0.1, rng.random(100) < 0.1 + shift / 2
                return share_moved("x", *(each.astype(float).tolist() for each in shares)).moved
            case _:
                return mix_moved("x", mixes(200, 0.0), mixes(100, shift / 2), resamples=200).moved

    noise, shifted = sum(moved(0.0) for _ in range(60)), sum(moved(0.6) for _ in range(20))
    assert noise <= 9
    assert shifted >= 18


def test_what_is_sure_and_negligible_has_not_moved() -> None:
    rng = np.random.default_rng(2)
    old, new = rng.normal(0, 1, 20_000), rng.normal(0.1, 1, 20_000)

    found = value_moved("x", old.tolist(), new.tolist(), resamples=200)

    assert 0 < found.effect < 0.147
    assert not found.moved


@pytest.mark.parametrize("now", [[], [1.0] * 9])
def test_of_too_few_runs_nothing_is_said(now: list[float]) -> None:
    for found in (value_moved("x", [1.0] * 50, now), share_moved("x", [1.0] * 50, now)):
        assert not found.moved
        assert not found.enough
        assert math.isnan(found.low)
    assert not mix_moved("x", [{"a": 1}] * 50, [{"b": 1}] * len(now)).moved


def spans(rng: np.random.Generator, at_s: float, *, slow: float, model: str, tool: str = "look") -> list[SpanRow]:
    at, run_id = int(at_s * 1e9), f"run_{new_span_id()}"

    def row(kind: SpanKind, name: str, **held: Any) -> SpanRow:
        named = {key.replace("__", "."): value for key, value in held.items()}
        took = int(float(rng.lognormal(slow)) * 1e9)
        return SpanRow("local", "0" * 32, new_span_id(), "", run_id, kind, name, at, at + took, "ok", named)

    return [
        row("run", "desk"),
        row("generation", "desk", gen_ai__response__model=model, segue__cost_usd=0.01, gen_ai__usage__input_tokens=9),
        row("tool", tool, segue__retrieval__scores=[0.5, 0.25]),
        row("verdict", "pii", segue__verdict="allow"),
    ]


async def test_the_window_is_held_against_the_stretch_before_it(ws: Workspace) -> None:
    rng, now = np.random.default_rng(3), time.time()
    for number in range(80):
        ws.traces.write(spans(rng, now - 7200 - number, slow=0.0, model="small"))
        ws.traces.write(spans(rng, now - 60 - number, slow=1.5, model="large"))
    ws.traces.write(spans(rng, now - 40 * 86_400, slow=9.0, model="ancient"))

    found = await drift(ws, baseline_s=86_400.0, window_s=3600.0)

    assert found.runs == (80, 80)
    assert [each.name for each in found.moved] == ["run, seconds", "models"]
    models = next(each for each in found.figures if each.name == "models")
    assert models.parts == {"small": (1.0, 0.0), "large": (0.0, 1.0)}
    assert models.effect == 1.0
    nobody = await drift(ws, baseline_s=86_400.0, window_s=3600.0, agent="nobody")
    assert nobody.runs == (0, 0)
    assert nobody.moved == []


def observed(rng: np.random.Generator, *, slow: float, tools: Sequence[str]) -> Observed:
    return Observed.of(each for tool in tools for each in spans(rng, 1e9, slow=slow, model="m", tool=tool))


def test_the_page_is_whole_without_anything_beside_it_and_says_each_figure() -> None:
    rng, evil = np.random.default_rng(4), "<script>alert(1)</script>"
    old = observed(rng, slow=0.0, tools=["look"] * 30)
    new = observed(rng, slow=2.0, tools=["look", evil] * 15)
    found = Drift(
        baseline=(0.0, 1.0), window=(1.0, 2.0), runs=(30, 30), figures=compared(old, new, resamples=100), cut=True
    )

    page = drift_page(found, about="agent desk")

    assert evil not in page
    assert "&lt;script&gt;" in page
    assert "src=" not in page
    assert "://" not in page
    assert all(each.name in page for each in found.figures)
    assert "run, seconds · tools moved" in page
    drawings = page.split("<svg")[1:]
    assert len(drawings) >= 10
    for each in drawings:
        ElementTree.fromstring("<svg" + each.split("</svg>")[0] + "</svg>")
    assert found.to_dict()["figures"][0]["name"] == "run, seconds"
    assert all(said(each) for each in found.figures)


@pytest.mark.parametrize(("text", "seconds"), [("7d", 604_800.0), ("12h", 43_200.0), ("1.5m", 90.0), ("90s", 90.0)])
def test_a_stretch_of_time_is_written_short(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "-1d", "0d", "1y"])
def test_what_is_no_stretch_of_time_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="no stretch of time"):
        seconds_of(text)
