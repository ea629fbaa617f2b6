"""The notebooks run from top to bottom, offline, and show what they promise."""

from __future__ import annotations

import html
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.notebooks.execute import read

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NOT_OURS = ("SEGUE_", "OPENAI_", "ANTHROPIC_", "LANGFUSE_", "LANGSMITH_", "LANGCHAIN_", "OTEL_")
DEAD = "http://127.0.0.1:9"
"""A proxy that nobody is behind."""

pytestmark = pytest.mark.xdist_group("notebooks")


_CELL = re.compile(r"<t[hd][^>]*>(.*?)</t[hd]>", re.DOTALL)
_CHANGES = re.compile(r"\b(run|err|key|branch)_[0-9a-z]{16,}\b|\b\d+\.\d+ m?s\b")
"""What differs from run to run: ids and times."""


def outputs(notebook: Any) -> Iterator[dict[str, str]]:
    """What each cell shows, by media type; printed text is `text/plain`."""
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            yield {"text/plain": output.text} if output.output_type == "stream" else dict(output.get("data", {}))


def tables(notebook: Any) -> list[list[dict[str, str]]]:
    """Each HTML table that has a row of headings: its rows, by heading."""
    found = []
    for each in outputs(notebook):
        rows = [_CELL.findall(row) for row in each.get("text/html", "").split("</tr>")]
        head, *body = [[html.unescape(text) for text in row] for row in rows if row] or [[]]
        if "<th" in each.get("text/html", "") and body and len(head) == len(body[0]):
            found.append([dict(zip(head, row, strict=True)) for row in body])
    return found


def printed(notebook: Any) -> list[str]:
    """What each cell prints, ids and times left out."""
    texts = [
        "".join(output.text for output in cell.get("outputs", ()) if output.output_type == "stream")
        for cell in notebook.cells
    ]
    return [_CHANGES.sub("…", text) for text in texts if text]


def pictures(notebook: Any) -> int:
    """How many pictures it shows."""
    return sum("image/png" in each for each in outputs(notebook))


Executed = Callable[[str], Any]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Executed:
    """A notebook after a run in a folder of its own, without network, key or model server; each is run once."""

    @cache
    def run(name: str) -> Any:
        folder = tmp_path_factory.mktemp(name.removesuffix(".ipynb"))
        env = {key: value for key, value in os.environ.items() if not key.startswith(NOT_OURS)}
        env |= {"SEGUE_ROUTER__DETECT": "false", "HTTP_PROXY": DEAD, "HTTPS_PROXY": DEAD, "http_proxy": DEAD}
        env |= {"IPYTHONDIR": str(folder / "ipython"), "JUPYTER_RUNTIME_DIR": str(folder / "runtime")}
        target = folder / "done.ipynb"
        command = [sys.executable, str(Path(__file__).with_name("execute.py")), str(NOTEBOOKS / name), str(target)]
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False)
        assert done.returncode == 0, done.stderr
        return read(target)

    return run


@pytest.fixture(scope="module")
def first(executed: Executed) -> Any:
    return executed("01_first_agent.ipynb")


@pytest.fixture(scope="module")
def documents(executed: Executed) -> Any:
    return executed("02_documents_with_citations.ipynb")


@pytest.fixture(scope="module")
def travel(executed: Executed) -> Any:
    return executed("03_approval_and_time_travel.ipynb")


@pytest.fixture(scope="module")
def nightly(executed: Executed) -> Any:
    return executed("04_a_nightly_job.ipynb")


@pytest.fixture(scope="module")
def evals(executed: Executed) -> Any:
    return executed("05_evals_with_plots.ipynb")


def test_the_notebook_of_evals_compares_two_results_and_says_what_was_fixed_and_what_broke(evals: Any) -> None:
    printed = "".join(each.get("text/plain", "") for each in outputs(evals))

    assert "3 fixed, 1 broken of 9 cases; chance alone would do as much (p = 0.62)" in printed
    assert "fixed: ['sum', 'window', 'window-only-reads']" in printed
    assert "broken: ['refund-refused']" in printed
    assert "wrong.jsonl:1: expects: there is no such key" in printed
    assert len([each for each in outputs(evals) if each.get("image/png")]) == 2


def test_the_notebook_of_evals_makes_a_case_of_a_run_that_passes(evals: Any) -> None:
    printed = [each.get("text/plain", "") for each in outputs(evals)]
    kept = next(text for text in printed if text.startswith('{"id":"kept"'))

    assert '"calls":[{"tool":"search_handbook"' in kept
    assert kept.rstrip().endswith("1.0") or printed[printed.index(kept) + 1].strip() == "1.0"


def test_the_first_notebook_draws_its_graphs(first: Any) -> None:
    shown = list(outputs(first))

    assert any("generate -.-> act" in each.get("text/vnd.mermaid", "") for each in shown)
    assert len([each for each in shown if each.get("image/png")]) == 2


def test_the_first_notebook_shows_its_runs_as_tables(first: Any) -> None:
    tables = [each["text/html"] for each in outputs(first) if "<table>" in each.get("text/html", "")]

    assert len(tables) == 3
    assert all(">status</th><td><pre>completed<" in table for table in tables)


def test_the_first_notebook_waits_for_an_approval_and_then_refunds(first: Any) -> None:
    printed = [each.get("text/plain", "") for each in outputs(first)]

    asked = next(text for text in printed if text.startswith("waiting | refund_order {'order_id': 1042}"))
    assert asked.splitlines()[1] == "delivered"
    assert printed[printed.index(asked) + 1].strip() == "refunded"


def test_the_first_notebook_prints_why_each_edge_was_taken(first: Any) -> None:
    (trace,) = [text for each in outputs(first) if (text := each.get("text/plain", "")).startswith("run        clerk")]

    assert "generate → act (the model asked for find_order)" in trace
    assert "act → generate (1 tool result)" in trace


def test_the_documents_notebook_shows_the_scores_of_a_search_best_first(documents: Any) -> None:
    (found,) = [rows for rows in tables(documents) if "score" in rows[0]]

    scores = [float(row["score"]) for row in found]
    assert len(scores) > 1
    assert scores == sorted(scores, reverse=True)
    assert found[0]["citation"] == "[handbook/lanterns.md:11-13]"
    assert "Broken glass is not covered" in found[0]["last line"]
    assert pictures(documents) == 1


def test_the_documents_notebook_opens_each_citation_of_the_answer_and_finds_what_it_quotes(documents: Any) -> None:
    (answer, *_) = [text for text in printed(documents) if text.startswith("offline/rules-1")]
    opened, invented = [rows for rows in tables(documents) if "quoted" in rows[0]]

    assert [row["citation"] for row in opened] == re.findall(r"\[handbook/\S+\]", answer)
    assert all(row["quoted"] == "yes" and row["stands there"] in answer for row in opened)
    assert {row["quoted"] for row in invented} == {"no"}
    assert all(row["stands there"].startswith("nothing: ") for row in invented)


def test_the_documents_notebook_embeds_only_the_changed_page_again(documents: Any) -> None:
    (all_of_it,) = [text for text in printed(documents) if "passages were embedded" in text]
    (again,) = [text for text in printed(documents) if text.startswith("changed 1, unchanged 3")]

    headings = [line.strip() for line in again.splitlines() if line.startswith("    ")]
    assert all_of_it == "4 pages are new, 13 passages were embedded\n"
    assert headings == ["---", "Returns", "Returns > Damaged goods", "Returns > Refunds"]
    assert again.splitlines()[-1] == "[handbook/returns.md:13-15] → [handbook/returns.md:15-17]"


def test_the_documents_notebook_narrows_a_search_by_filters(documents: Any) -> None:
    (rows,) = [rows for rows in tables(documents) if "filter" in rows[0]]
    pages = {name: re.findall(r"(\w+)\.md", cited) for name, cited in (row.values() for row in rows)}

    assert pages["none"] == ["lanterns", "stoves", "shipping"]
    assert pages["team is repair"] == ["lanterns", "stoves"]
    assert pages["year from 2025 on"] == ["stoves", "shipping"]
    assert pages["both"] == ["stoves"]


def test_the_documents_notebook_says_so_where_nothing_is_found(documents: Any) -> None:
    last = printed(documents)[-1]

    assert last.splitlines()[:2] == ["passages: []", "citations: []"]
    assert "no passage of handbook has anything to do with this query" in last


def test_the_travel_notebook_waits_for_two_approvals_and_runs_what_they_say(travel: Any) -> None:
    (asked,) = [rows for rows in tables(travel) if "why" in rows[0]]
    (told,) = [rows for rows in tables(travel) if "the model reads" in rows[0]]
    waits, waits_on, done = printed(travel)[:3]

    assert [row["tool"] for row in asked] == ["refund", "refund"]
    assert waits == "waiting {}\n"
    assert waits_on == "waiting [{'order_id': 1043, 'amount_eur': 14.9}] {}\n"
    assert done == "completed {1042: 1} {1042: 50.0}\n"
    assert told[0] == {"call": "refund", "failed": "False", "the model reads": "EUR 50.00 for order 1042"}
    assert told[1]["the model reads"].endswith("a person rejected refund: it has not come back yet")


def test_the_travel_notebook_resumes_a_run_without_repeating_an_effect(travel: Any) -> None:
    (counted,) = [text for text in printed(travel) if text.startswith("stopped cancelled")]

    assert counted.splitlines() == [
        "stopped cancelled {'Ann': 1, 'Bo': 1}",
        "completed {'Ann': 1, 'Bo': 2} letters: ['Ann', 'Bo']",
    ]


def test_the_travel_notebook_forks_from_a_checkpoint_and_compares_both_branches(travel: Any) -> None:
    (steps,) = [rows for rows in tables(travel) if "step" in rows[0]]
    (sides,) = [rows for rows in tables(travel) if "branch" in rows[0]]
    (asked,) = [text for text in printed(travel) if text.startswith("waiting refund")]

    assert [row["step"] for row in steps] == ["3", "2", "1", "0", "-1"]
    assert asked.endswith("this run is a fork; run RUN did this already, outside this branch\n")
    assert "completed {1042: 2} {1042: 64.9}\n" in printed(travel)
    assert "both come from step 0 | other values: messages, output\n" in printed(travel)
    assert [row["effects"] for row in sides] == [
        "refund {'order_id': 1042, 'amount_eur': 50.0}, by ann",
        "refund {'order_id': 1042, 'amount_eur': 14.9}, by ann",
    ]
    assert "order 1043" in sides[0]["only here"]
    assert "order 1043" not in sides[1]["only here"]
    assert pictures(travel) == 1


def test_the_nightly_notebook_fires_once_in_a_night_without_half_past_two(nightly: Any) -> None:
    (ticks,) = [rows for rows in tables(nightly) if "in UTC" in rows[0]]

    assert [row["in Berlin"][-5:] for row in ticks] == ["02:30", "03:00", "02:30", "02:30"]
    assert [row["hours since the one before"] for row in ticks] == ["", "23.5", "23.5", "24.0"]
    assert pictures(nightly) == 1


def test_the_nightly_notebook_stops_a_firing_at_its_budget_and_pays_nothing_twice(nightly: Any) -> None:
    (stopped,) = [text for text in printed(nightly) if text.startswith("Sat 28 Mar 02:30")]
    (went_on,) = [text for text in printed(nightly) if text.startswith("completed $0.09")]

    assert "| stopped | the next call could take cost_usd to 0.07, above the budget of 0.06" in stopped
    assert stopped.splitlines()[1] == "spent $0.06, paid: [1003, 1004, 1005, 1006, 1007]"
    assert went_on.endswith("paid: [1003, 1004, 1005, 1006, 1007, 1008, 1009]\n")


def test_the_nightly_notebook_waits_for_an_approval_that_is_given_a_day_later(nightly: Any) -> None:
    (waits,) = [text for text in printed(nightly) if text.startswith("Sun 29 Mar 03:00")]

    assert waits.splitlines() == [
        "Sun 29 Mar 03:00 | waiting | refund {'order_id': 1042, 'amount_eur': 64.9}",
        "Mon 30 Mar 02:30 | skipped | sched-nightly-20260329T010000Z still goes on",
    ]
    assert "Mon 30 Mar 09:00 | completed | Settled: 2 of 2. paid: [1010, 1042]\n" in printed(nightly)


def test_the_nightly_notebook_retries_a_dead_letter_where_it_was(nightly: Any) -> None:
    (dead,) = [rows for rows in tables(nightly) if "attempts" in rows[0]]

    assert [(row["job"], row["attempts"]) for row in dead] == [("sched-nightly-20260331T003000Z", "2")]
    assert "'night-model' cannot be reached" in dead[0]["reason"]
    (mended,) = [text for text in printed(nightly) if "still dead" in text]
    assert mended.splitlines() == [
        "completed | Settled: 2 of 2. paid: [1043, 1044]",
        "still dead: [] | paid twice: 0",
    ]


def test_the_nightly_notebook_shows_what_was_decided_about_each_night(nightly: Any) -> None:
    (history,) = [rows for rows in tables(nightly) if "decided" in rows[0]]

    assert [row["decided"] for row in history] == ["fired", "fired", "fired", "left out", "fired"]
    assert [row["its job"] for row in history] == ["completed", "completed", "completed", "", "completed"]
    assert history[0]["why"] == "by hand"


every_notebook = pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.name)


@every_notebook
def test_a_notebook_prints_what_is_kept_of_it_and_names_no_folder(path: Path, executed: Executed) -> None:
    kept, fresh = read(path), executed(path.name)

    assert printed(fresh) == printed(kept)
    places = {tempfile.gettempdir(), str(Path.home()), str(NOTEBOOKS.parent)}
    shown = "".join(
        text for notebook in (kept, fresh) for each in outputs(notebook) for text in map(str, each.values())
    )
    assert [place for place in places if f"{place}/" in shown] == []


@every_notebook
def test_a_notebook_is_kept_with_its_outputs_and_without_a_warning(path: Path) -> None:
    notebook = read(path)

    assert any("image/png" in each for each in outputs(notebook))
    kept = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert [output for output in kept if output.output_type == "error" or output.get("name") == "stderr"] == []
