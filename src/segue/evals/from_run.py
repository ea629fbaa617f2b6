"""A run made a case: somebody liked it, and it should stay so; or did not, and it should become another."""

from __future__ import annotations

from segue.agents.run import RunRecord
from segue.base.citations import citations_in
from segue.base.errors import BadInput
from segue.base.messages import text_of
from segue.evals.calls import calls_of
from segue.evals.case import AnswerRule, CallExpected, Case, Citation, Expect
from segue.evals.trial import Trial, as_text


def case_of(record: RunRecord, *, good: bool, comment: str = "", case_id: str = "") -> Case:
    """The case of a run that has ended, or waits.

    Of a good one it expects the calls that it made, in any order, and what it cited. Of a bad one it expects that the
    answer is another. Either is a beginning: what matters about the answer is known to people. What people answered
    in the run is answered in the case, too.

    Args:
        record: Of the run.
        good: Whether it is to stay as it was.
        comment: Becomes the case's note.
        case_id: Empty names it by its request and run.

    Raises:
        BadInput: The run is still going on, or nothing was asked in words.
    """
    if record.status in ("queued", "running"):
        raise BadInput(f"run {record.run_id} is {record.status}; a case can be made of it when it has ended")
    asked = [text_of(each) for each in record.request if each.get("role", "user") == "user"]  # type: ignore[arg-type]
    if not any(text.strip() for text in asked):
        raise BadInput(f"run {record.run_id} was asked nothing in words: no case can be made of it")
    return Case(
        id=case_id or f"{_slug(asked[0])}-{record.run_id[-6:]}",
        request=asked[0] if len(asked) == 1 else "\n\n".join(asked),
        expect=_good(record) if good else _bad(record),
        answers=[_rule(each) for each in record.answers.values() if each.get("type") in _TYPES],
        tags=["kept", "good" if good else "bad"],
        note=comment,
    )


_TYPES = ("approve", "edit", "reject", "answer")
_MOST_CHARS = 400


def _good(record: RunRecord) -> Expect:
    trial = Trial(case_id="", number=1, output=record.output, trajectory=record.trajectory)
    calls = [CallExpected(tool=each.tool, arguments=each.arguments) for each in calls_of(trial) if not each.failed]
    sources = dict.fromkeys(each.source for each in citations_in(trial.text))
    status = record.status if record.status in ("completed", "waiting", "stopped", "failed") else "completed"
    return Expect(status=status, calls=calls, citations=[Citation(source=source) for source in sources])


def _bad(record: RunRecord) -> Expect:
    answer = " ".join(as_text(record.output if record.status == "completed" else record.partial).split())
    return Expect(lacks=[answer[:_MOST_CHARS]] if answer else [])


def _rule(answer: dict[str, object]) -> AnswerRule:
    fields = {name: answer[name] for name in ("arguments", "reason", "value") if answer.get(name) not in (None, "")}
    return AnswerRule.model_validate({"type": answer["type"], "tool": answer.get("tool") or "", **fields})


def _slug(text: str) -> str:
    words = "".join(char if char.isalnum() and char.isascii() else " " for char in text.lower()).split()
    return "-".join(words[:6])[:48] or "run"
