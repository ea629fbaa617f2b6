"""Prompts of Langfuse's prompt management: a name in, what stands there within a deadline out."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from segue.agents.template_file import Parsed, TemplateError, check_body, declared
from segue.agents.template_variables import Variable
from segue.base.errors import EndpointError
from segue.tracing.langfuse_api import langfuse_api


def fetched(
    name: str,
    *,
    label: str | None,
    version: int | None,
    variables: tuple[Variable, ...] | None,
    deadline_s: float,
    client: Any,
) -> Parsed:
    """A text prompt as it is now.

    Its variables are what its config declares, else `variables`, else a text for each name in it.

    Raises:
        EndpointError: It did not come, or not in time.
        TemplateError: It is no text prompt, or its variables do not agree.
    """
    place = f"langfuse:{name}"
    got = _within(lambda: _ask(name, label, version, deadline_s, client), deadline_s, place)
    if not isinstance(got.prompt, str):
        raise TemplateError(place, 0, "this is a chat prompt.", way_out="Make it a text prompt there.")
    table = got.config.get("variables") if isinstance(got.config, Mapping) else None
    if table is not None:
        variables = declared(table, place)
    elif variables is None:
        found = dict.fromkeys(re.findall(r"(?<!\\)\{\{\s*([A-Za-z_]\w*)\s*\}\}", got.prompt))
        variables = tuple(Variable(name=each) for each in found)
    body = got.prompt.replace("\r\n", "\n").strip("\n")
    check_body(body, variables, place)
    labels = tuple(got.labels or ())
    return Parsed(name=name, version=str(got.version), labels=labels, variables=variables, body=body)


def _ask(name: str, label: str | None, version: int | None, deadline_s: float, client: Any) -> Any:
    """Ask Langfuse; the SDK's own client only where one is given, since it is one for the whole process."""
    wanted: dict[str, Any] = {"version": version} if version is not None else {"label": label or "production"}
    if client is not None:
        seconds = max(1, int(deadline_s))
        return client.get_prompt(name, type="text", max_retries=0, fetch_timeout_seconds=seconds, **wanted)
    with langfuse_api(f"langfuse:{name}", deadline_s=deadline_s) as api:
        return api.prompts.get(quote(name, safe=""), request_options={"max_retries": 0}, **wanted)


def _within(work: Callable[[], Any], deadline_s: float, place: str) -> Any:
    """What `work` gives, waited for in another thread, so that no library's own idea of a timeout prolongs it."""
    got: list[Any] = []
    wrong: list[BaseException] = []

    def run() -> None:
        try:
            got.append(work())
        except BaseException as error:
            wrong.append(error)

    thread = threading.Thread(target=run, name="segue-prompt", daemon=True)
    thread.start()
    thread.join(deadline_s)
    if got:
        return got[0]
    if not wrong:
        raise EndpointError(f"{place} did not come within {deadline_s:g} s.")
    if isinstance(wrong[0], EndpointError):
        raise wrong[0]
    status = getattr(wrong[0], "status_code", None)
    why = f"the answer was {status}" if status else type(wrong[0]).__name__
    raise EndpointError(f"{place} could not be had: {why}.") from wrong[0]
