"""How a generation came about: everything about it that is said after the fact.

In: what was asked, what was tried, who answered. Out: the `Generation`, with one sentence that says why it is that
deployment's.
"""

from __future__ import annotations

from segue.router.attempts import Attempts
from segue.router.deployment import Deployment
from segue.router.types import GIVEN_UP, Generation, Reply

_WORTH_TELLING_S = 0.05


def told(
    deployment: Deployment, reply: Reply, attempts: Attempts, *, asked: str, name: str, rule: str, alone: bool,
    duration_s: float,
) -> Generation:  # fmt: skip
    """The generation; `asked` is the route as it was asked for, `name` the configured one behind it."""
    return Generation(
        message=reply.message,
        usage=reply.usage,
        finish_reason=reply.finish_reason,
        deployment=deployment.name,
        model=reply.model or deployment.model,
        route=asked,
        first_token_s=_first_token_s(reply, duration_s, attempts),
        duration_s=duration_s,
        attempts=tuple(attempts.made),
        why=_why(asked, name, rule, deployment, attempts, alone=alone),
    )


def _first_token_s(reply: Reply, duration_s: float, attempts: Attempts) -> float | None:
    """From the start of the whole call, so that a failed attempt shows in it."""
    if reply.first_token_s is None:
        return None
    return min(duration_s, duration_s - attempts.made[-1].duration_s + reply.first_token_s)


def _why(asked: str, name: str, rule: str, deployment: Deployment, attempts: Attempts, *, alone: bool) -> str:
    route = f"route {asked!r}"
    if asked != name:
        route += " (the default route)" if name == "default" else f" (the default route, {name!r})"
    if rule:
        route += f", {rule},"
    why = f"{route} took {deployment.name!r}, {'its only deployment' if alone else attempts.why}"
    if len(attempts.made) > 1:
        before = attempts.made[:-1]
        if failed := [f"{each.deployment!r} ({each.outcome})" for each in before if each.outcome != GIVEN_UP]:
            why += f", after {', '.join(failed)} had failed"
        if late := [repr(each.deployment) for each in before if each.outcome == GIVEN_UP]:
            why += f", and sooner than {', '.join(late)}"
    if attempts.waited_s >= _WORTH_TELLING_S:
        why += f", and after {attempts.waited_s:.2g} s in line for a limit"
    return f"{why}."
