"""The scorer of citations: whether the answer cites what it should, and only what a tool of the run showed."""

from __future__ import annotations

from segue.base.citations import CITED, Cited, citations_in
from segue.evals.case import Case
from segue.evals.case import Citation as Expected
from segue.evals.trial import Score, Trial


def shown_by(trial: Trial) -> dict[Cited, str]:
    """What the tools of a trial showed, each citation with the text behind it up to the next one."""
    shown: dict[Cited, str] = {}
    for step in trial.results():
        text = str(step["result"])
        places = list(CITED.finditer(text))
        for index, place in enumerate(places):
            end = places[index + 1].start() if index + 1 < len(places) else len(text)
            alone = len(places) == 1
            (cited,) = citations_in(place.group())
            shown[cited] = f"{shown.get(cited, '')}\n{text if alone else text[place.end() : end]}"
    return shown


def score_citations(case: Case, trial: Trial) -> Score | None:
    """Whether what is expected is cited, and each citation is one that a tool showed."""
    expected = case.expect.citations
    if not expected and not case.expect.grounded:
        return None
    cited, shown = citations_in(trial.text), shown_by(trial)
    whys = [why for each in expected if (why := _missing(each, cited, shown))]
    unknown = [each for each in cited if not any(each.within(other) for other in shown)]
    whys += [f"{each} was shown by no tool of this run" for each in unknown]
    if case.expect.grounded and not cited:
        whys.append("it cites nothing")
    total = len(expected) + len(cited) or 1
    return Score(name="citations", passed=not whys, value=max(0.0, 1 - len(whys) / total), why="; ".join(whys))


def _missing(expected: Expected, cited: list[Cited], shown: dict[Cited, str]) -> str:
    there = [each for each in cited if each.source == expected.source or each.source.endswith(f"/{expected.source}")]
    if not there:
        found = ", ".join(dict.fromkeys(each.source for each in cited)) or "nothing"
        return f"{expected.source} is not cited; cited is {found}"
    if expected.lines is not None:
        first, last = expected.lines
        there = [each for each in there if each.first <= last and first <= each.last]
        if not there:
            return f"lines {first} to {last} of {expected.source} are not cited"
    if not expected.holds or any(_says(each, expected.holds, shown) for each in there):
        return ""
    return f"what is cited of {expected.source} does not say {expected.holds!r}"


def _says(cited: Cited, text: str, shown: dict[Cited, str]) -> bool:
    wanted = " ".join(text.casefold().split())
    return any(wanted in " ".join(held.casefold().split()) for place, held in shown.items() if cited.within(place))


__all__ = ["Cited", "citations_in", "score_citations", "shown_by"]
