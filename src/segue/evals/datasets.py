"""Datasets of Langfuse: cases in, items out; and items in, cases out.

A case that went there comes back as it was. An item that somebody made there becomes a case with what can be known of
it: its input is the request, a short text that is expected must stand in the answer, a longer one is what a judge holds
the answer against.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

import orjson
from pydantic import ValidationError

from segue.base.errors import BadInput, EndpointError
from segue.base.ids import derived_id
from segue.evals.case import Case, Expect, JudgeExpected
from segue.tracing.langfuse_api import langfuse_api
from segue.tracing.redaction import redactor

_KEY = "segue_case"
_PAGE = 100
_SHORT = 80
"""Characters of an expected text that must stand in the answer as it is."""
_DEADLINE_S = 10.0


def push_cases(cases: Sequence[Case], dataset: str, *, deadline_s: float = _DEADLINE_S) -> int:
    """Put cases into a dataset, made where there is none; those that went there before are changed. How many.

    Secrets are taken out first. `deadline_s` is for each request.

    Raises:
        EndpointError: Langfuse cannot be reached or refuses. What was put there before stays.
    """
    redact = redactor(["secrets"])
    with langfuse_api(f"dataset {dataset!r}", deadline_s=deadline_s) as api:
        _asked(dataset, lambda: api.datasets.create(name=dataset))
        for case in cases:
            held = orjson.loads(redact(orjson.dumps(case.model_dump(mode="json", exclude_defaults=True)).decode()))
            item: dict[str, Any] = {
                "id": derived_id("case", dataset, case.id),
                "input": held["request"],
                "expected_output": held.get("expect"),
                "metadata": {_KEY: held},
            }
            _asked(dataset, lambda item=item: api.dataset_items.create(dataset_name=dataset, **item))
    return len(cases)


def pull_cases(dataset: str, *, deadline_s: float = _DEADLINE_S) -> list[Case]:
    """The cases of a dataset, without those that were archived.

    Raises:
        EndpointError: Langfuse cannot be reached, refuses, or has no such dataset.
        BadInput: An item is no case, or there is none.
    """
    found = [_case(item) for item in _items(dataset, deadline_s)]
    if not found:
        raise BadInput(f"the dataset {dataset!r} has no item.")
    if twice := sorted({case.id for case in found if sum(each.id == case.id for each in found) > 1}):
        raise BadInput(f"the dataset {dataset!r} has two items with the id {twice[0]!r}")
    return found


def _items(dataset: str, deadline_s: float) -> Iterator[Any]:
    with langfuse_api(f"dataset {dataset!r}", deadline_s=deadline_s) as api:
        _asked(dataset, lambda: api.datasets.get(quote(dataset, safe="")))
        page, pages = 1, 1
        while page <= pages:
            got = _asked(dataset, partial(api.dataset_items.list, dataset_name=dataset, page=page, limit=_PAGE))
            yield from (item for item in got.data if str(getattr(item.status, "value", item.status)) != "ARCHIVED")
            page, pages = page + 1, got.meta.total_pages


def _case(item: Any) -> Case:
    metadata = item.metadata if isinstance(item.metadata, dict) else {}
    try:
        if _KEY in metadata:
            return Case.model_validate(metadata[_KEY])
        return Case(id=str(item.id), request=_text(item.input), expect=_expected(item.expected_output))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise BadInput(f"item {item.id} is no case: {where}: {first['msg']}") from None


def _expected(wanted: Any) -> Expect:
    if wanted is None or wanted == "":
        return Expect()
    text = _text(wanted)
    if len(text) <= _SHORT:
        return Expect(contains=[text])
    return Expect(judge=JudgeExpected(criteria=f"It says the same as this: {text}"))


def _text(value: Any) -> str:
    """The words of an item: a text, what stands under the usual names, or the JSON of all of it."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        for name in ("request", "question", "input", "query", "prompt", "text", "answer", "output"):
            if isinstance(value.get(name), str):
                return str(value[name])
    return orjson.dumps(value).decode()


def _asked(dataset: str, ask: Any) -> Any:
    from langfuse.api.core.api_error import ApiError

    try:
        return ask()
    except ApiError as error:
        raise EndpointError(f"dataset {dataset!r}: Langfuse answered {error.status_code}.") from error
    except Exception as error:
        raise EndpointError(f"dataset {dataset!r}: Langfuse cannot be reached: {type(error).__name__}.") from error
