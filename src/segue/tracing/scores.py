"""Scores: what somebody or something thinks of a run or of one span in it, sent to Langfuse off the hot path.

In: a trace id, a name, a value. Out: posts to Langfuse's scores endpoint, in batches, by a thread of their own; what is
not delivered is counted (`dropped`) and said in the log.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from segue._version import __version__
from segue.base.errors import BadInput
from segue.base.ids import new_id
from segue.tracing.redaction import Redactor, redactor
from segue.tracing.spans import SpanRow

if TYPE_CHECKING:
    from segue.tracing.delivery import Delivery, Limits, Post
    from segue.tracing.post import Answer

_MOST_BYTES = 900_000
"""Of one post; the endpoint takes 1 MiB."""


class Scores:
    """Sends scores to one Langfuse project; without a project it takes them and does nothing.

    Args:
        host: Of Langfuse; empty where there is none.
        public_key: Of the project.
        secret_key: Of the project.
        environment: As the traces say it.
        redact: What takes out of comments and texts what must not leave; `None` takes secrets and personal data.
        limits: How much may wait, and how long is tried.
    """

    def __init__(
        self,
        host: str = "",
        public_key: str = "",
        secret_key: str = "",
        *,
        environment: str = "",
        redact: Redactor | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.host = host.rstrip("/")
        """Of Langfuse; empty where there is none."""
        self._environment = environment
        self._redact = redact or redactor()
        self.delivery: Delivery[dict[str, Any]] | None = None
        if host:
            from segue.tracing.delivery import Delivery
            from segue.tracing.langfuse import SCORES_PATH, credentials

            headers = {"Content-Type": "application/json", "User-Agent": f"segue/{__version__}"}
            headers |= credentials(public_key, secret_key)
            url = host.rstrip("/") + SCORES_PATH
            self.delivery = Delivery("langfuse scores", url, headers, _pack, accepted=_accepted, limits=limits)

    @property
    def dropped(self) -> int:
        """Scores that were not delivered."""
        return self.delivery.dropped if self.delivery else 0

    def post_score(
        self,
        trace_id: str,
        name: str,
        value: float | bool | str,
        comment: str = "",
        observation_id: str = "",
    ) -> str:
        """Queue one score and return its id. Never waits, and does not say whether it arrives.

        Args:
            trace_id: Of the run: `run.trace_id`.
            name: What is judged: `helpful`, `faithful`.
            value: A number, yes or no, or a word out of a set.
            comment: Why.
            observation_id: A span of the trace, where it is not about the whole.

        Raises:
            BadInput: No trace id or no name, or the value is none.
        """
        if not trace_id or not name:
            raise BadInput(f"a score needs a trace id and a name; it was given {trace_id!r} and {name!r}")
        if not isinstance(value, bool | int | float | str):
            raise BadInput(f"the score {name!r} is a number, a yes or no, or a word, not {type(value).__name__}")
        score = {
            "id": new_id("score"), "traceId": trace_id, "observationId": observation_id or None,
            "name": self._redact(name), "value": self._redact(value) if isinstance(value, str) else float(value),
            "dataType": _data_type(value), "comment": self._redact(comment) if comment else None,
            "environment": self._environment or None, "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        }  # fmt: skip
        if self.delivery is not None:
            self.delivery.put({key: held for key, held in score.items() if held is not None}, 500 + len(comment))
        return str(score["id"])

    def flush(self, timeout_s: float = 5.0) -> bool:
        """Wait until what was posted is sent or dropped; false where that took longer."""
        return self.delivery.flush(timeout_s) if self.delivery else True

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what waits, for `timeout_s` at most, and drop the rest."""
        if self.delivery is not None:
            self.delivery.close(timeout_s)


class VerdictScores:
    """A sink that makes a score of each rail's verdict, so that traces can be found and counted by it."""

    def __init__(self, scores: Scores) -> None:
        self._scores = scores

    def write(self, rows: Sequence[SpanRow]) -> None:
        """Post a score for each verdict among the spans."""
        for row in rows:
            verdict = row.attributes.get("segue.verdict")
            if row.kind == "verdict" and verdict:
                why = str(row.attributes.get("segue.reason") or "")
                self._scores.post_score(row.trace_id, f"rail {row.name}", str(verdict), why, row.span_id)

    def close(self) -> None:
        """Nothing is held."""


def _data_type(value: float | bool | str) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    return "CATEGORICAL" if isinstance(value, str) else "NUMERIC"


def _pack(scores: Sequence[dict[str, Any]]) -> Iterator[Post]:
    """JSON lists, as the endpoint takes them."""
    from segue.tracing.delivery import Post

    held: list[bytes] = []
    size = 0
    for score in scores:
        encoded = orjson.dumps(score)
        if held and size + len(encoded) > _MOST_BYTES:
            yield Post(body=b"[" + b",".join(held) + b"]", items=len(held))
            held, size = [], 0
        held.append(encoded)
        size += len(encoded) + 1
    if held:
        yield Post(body=b"[" + b",".join(held) + b"]", items=len(held))


def _accepted(post: Post, answer: Answer) -> int:
    """Of a batch that was taken in part (207) the endpoint says how many were rejected."""
    if answer.status != 207:
        return post.items
    try:
        rejected = int(orjson.loads(answer.body)["rejected"])
    except (ValueError, KeyError, TypeError):
        rejected = post.items
    return post.items - min(post.items, max(0, rejected))
