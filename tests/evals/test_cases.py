"""Files of cases: what may stand in a line, and what is said of one that is wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segue.base.errors import BadInput
from segue.evals import Case, load_cases, write_cases
from segue.evals.case import chosen, read_cases

FULL = {
    "id": "refund", "request": ["order 7", "refund it"], "tags": ["refund"], "note": "why",
    "answers": [{"type": "edit", "tool": "refund", "arguments": {"amount": 1}}, {"type": "reject", "reason": "no"}],
    "budget": {"cost_usd": 0.5, "wall_s": 3},
    "expect": {
        "status": "waiting", "equals": {"a": 1}, "fields": {"a": 1}, "contains": ["x"], "lacks": ["y"], "matches": "z+",
        "numbers": [{"value": 64.9, "within": 0.01}], "citations": [{"source": "returns.md", "holds": "30 days"}],
        "grounded": True, "calls": [{"tool": "refund", "arguments": {"order": 7}}], "order": "exact",
        "never": [{"tool": "delete"}], "asks": [{"tool": "refund"}], "limits": {"cost_usd": 1, "tokens": 5},
        "judge": {"criteria": "kind"},
    },
}  # fmt: skip


def test_a_case_says_everything_and_comes_back_from_a_file_as_it_was(tmp_path: Path) -> None:
    held = [Case.model_validate(FULL), Case(id="b", request="hello")]

    write_cases(tmp_path / "cases.jsonl", held)

    assert load_cases(tmp_path / "cases.jsonl") == held
    assert (tmp_path / "cases.jsonl").read_text().splitlines()[1] == '{"id":"b","request":"hello"}'


def test_names_paths_and_figures_alone_are_calls_citations_and_numbers() -> None:
    (case,) = read_cases(
        ['{"id": "a", "request": "x", "expect": {"calls": ["find"], "citations": ["a.md"], "numbers": [7]}}'], "f"
    )

    assert case.expect.calls[0].tool == "find"
    assert case.expect.citations[0].source == "a.md"
    assert case.expect.numbers[0].value == 7


def test_empty_lines_and_remarks_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text('# a remark\n\n{"id": "a", "request": "x"}\n', encoding="utf-8")

    assert [case.id for case in load_cases(tmp_path / "c.jsonl")] == ["a"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": "b", "request": "x", "expects": {}}', "f:2: expects: there is no such key"),
        ('{"id": "b"}', "f:2: request: it is missing"),
        ('{"id": "b", "request": "x", "expect": {"contains": "y"}}', "f:2: expect.contains: "),
        ('{"id": "b", "request": "x", "expect": {"matches": "("}}', "expect.matches: no regular expression"),
        ('{"id": "b", "request": "x", "expect": {"status": "done"}}', "f:2: expect.status: "),
        ('{"id": "a", "request": "x"}', "f:2: the id 'a' stands on line 1 already"),
        ('{"id": "b", "request": ', "f:2: no JSON object"),
        ("[1]", "f:2: "),
        ('{"id": "b", "request": []}', "f:2: request"),
    ],
)
def test_a_wrong_line_is_named_with_what_is_wrong(line: str, said: str) -> None:
    with pytest.raises(BadInput) as error:
        read_cases(['{"id": "a", "request": "x"}', line], "f")

    assert said in str(error.value)


def test_every_wrong_line_is_named_at_once() -> None:
    with pytest.raises(BadInput) as error:
        read_cases(["{", '{"id": 1}', "["], "f")

    assert [line.split(": ")[0] for line in str(error.value).splitlines()] == ["f:1", "f:2", "f:2", "f:3"]


def test_a_file_that_is_missing_empty_or_no_text_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe")

    for name, said in (("gone.jsonl", "No such file"), ("empty.jsonl", "no case"), ("bytes.jsonl", "no UTF-8")):
        with pytest.raises(BadInput, match=said):
            load_cases(tmp_path / name)


def test_cases_are_chosen_by_id_or_tag() -> None:
    held = [Case(id="a", request="x", tags=["t"]), Case(id="b", request="x"), Case(id="c", request="x", tags=["t"])]

    assert [case.id for case in chosen(held, ["t"])] == ["a", "c"]
    assert [case.id for case in chosen(held, ["b", "c"])] == ["b", "c"]
    with pytest.raises(BadInput, match="no case has the id or tag 'z'; tags are: t"):
        chosen(held, ["z"])


@given(st.text(max_size=40))
def test_no_line_does_anything_but_be_a_case_or_be_refused(line: str) -> None:
    with contextlib.suppress(BadInput):
        read_cases([line], "f")
