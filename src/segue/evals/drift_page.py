"""The drift report as one HTML page that needs nothing beside itself."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from segue.evals.drift import Drift
from segue.evals.drift_plots import effect_plot, quantile_plot, share_plot
from segue.evals.moved import Moved

_TEMPLATE = Path(__file__).with_name("drift.html")


def drift_page(drift: Drift, *, about: str = "") -> str:
    """The page, as text; `about` says what it is narrowed to. Names of tools and models stand in it as text."""
    heads = (("Values", "value"), ("Shares of runs", "share"), ("Mixes", "mix"))
    groups = [(head, [each for each in drift.figures if each.kind == kind]) for head, kind in heads]
    page: str = _template().render(drift=drift, groups=groups, about=about)
    return page


def said(figure: Moved) -> str:
    """A figure in one line."""
    if not figure.enough:
        return f"too few runs: {figure.counts[0]} before, {figure.counts[1]} now"
    interval = f"({figure.low:+.3f} to {figure.high:+.3f})"
    match figure.kind:
        case "value":
            return f"median {figure.before:.4g} → {figure.now:.4g}; delta {figure.effect:+.3f} {interval}"
        case "share":
            difference = figure.now - figure.before
            shares = f"{100 * figure.before:.1f} % → {100 * figure.now:.1f} %"
            return f"{shares}; difference {difference:+.3f} {interval}, h {figure.effect:+.2f}"
        case "mix":
            most = next(iter(figure.parts.items()), ("", (0.0, 0.0)))
            shift = f"{most[0]} {100 * most[1][0]:.1f} % → {100 * most[1][1]:.1f} %"
            return f"distance {figure.effect:.3f} ({figure.low:.3f} to {figure.high:.3f}); most: {shift}"


def _plot(figure: Moved) -> Any:
    from markupsafe import Markup

    if figure.kind == "value":
        return Markup(quantile_plot(figure))
    shares = list(figure.parts.items()) if figure.kind == "mix" else [("", (figure.before, figure.now))]
    return Markup(share_plot(shares))


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _effect(figure: Moved) -> Any:
    from markupsafe import Markup

    return Markup(effect_plot(figure))


@cache
def _template() -> Any:
    import jinja2

    made = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    made.filters |= {
        "at": _at,
        "plot": _plot, "effect": _effect, "said": said,
    }  # fmt: skip
    return made.from_string(_TEMPLATE.read_text(encoding="utf-8"))
