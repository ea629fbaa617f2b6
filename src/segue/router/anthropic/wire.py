"""The transport for Anthropic's Messages API: a body out, a stream of events back, one answer.

In: a body of `segue.router.anthropic.body`. Out: an `Answer`, or an error of `segue.router.errors`.
See https://platform.claude.com/docs/en/api/errors for what the kinds of its errors mean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from segue.router.anthropic.assemble import MessageAssembler
from segue.router.anthropic.schema import AnswerTool
from segue.router.errors import AttemptError
from segue.router.faults import Fault
from segue.router.reading import Answer
from segue.router.types import OnDelta
from segue.router.wire import HttpWire, encode

_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What an error in mid stream would have been as a status."""


class MessagesWire(HttpWire):
    """Messages of one endpoint."""

    path = "/messages"
    chunk = "event of a message"

    async def send(
        self,
        body: Mapping[str, Any],
        *,
        answer_tool: AnswerTool | None = None,
        on_delta: OnDelta | None,
        deadline: float | None,
        taken_ids: Collection[str] = (),
    ) -> Answer:
        """One generation. The input of `answer_tool` becomes its text.

        Raises:
            AttemptError: It failed, in one of the ways of `segue.router.errors`.
            ConfigError: A secret that the deployment refers to is not there.
        """
        headers, secrets = self._headers()
        exchange = self._exchange(MessageAssembler(answer_tool), secrets, on_delta, deadline)
        return await self._finished(exchange, self._run(encode(body), headers, exchange), taken_ids)

    def _fault(self, fault: Fault, secrets: Sequence[str], headers: Mapping[str, str] | None = None) -> AttemptError:
        if fault.status is None:
            fault = replace(fault, status=_STATUS.get(fault.kind.partition(" ")[0]))
        return super()._fault(fault, secrets, headers)
