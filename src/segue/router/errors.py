"""What can go wrong with a model endpoint, each kind with its own way on.

    EndpointError                 (segue.base.errors)
    ├── EndpointUnreachable       no connection                              another deployment
    ├── EndpointTimeout           connected, but no first token in time      another deployment
    ├── EndpointRefused           401, 402, 403, 404: this one never will    another deployment
    ├── EndpointFailed            5xx, 408, 409, an answer that is none      another one, or the same once more
    ├── BrokenStream              began to answer and broke off              another one, or the same once more
    ├── RateLimited               429                                        another one, or wait when it is short
    ├── ContextOverflow           the conversation is too long for it        one with a longer context
    ├── BadRequest                400, 413, 422: wrong anywhere              nothing: mend the request
    ├── DeadlinePassed            the caller's own deadline                  nothing
    ├── BudgetSpent               a budget by tenant, user or deployment     nothing until it begins anew
    ├── CannotServe               no model of the route takes what the request has
    └── NoDeploymentLeft          all of a route have been tried

Every message names the deployment and is free of secrets.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from segue.base.errors import EndpointError
from segue.router.types import Attempt


class AttemptError(EndpointError):
    """One attempt on one deployment failed.

    Attributes:
        deployment: The name of the deployment.
        status: The HTTP status; `None` where there was no answer.
        detail: What the server said, bounded and without secrets.
    """

    outcome: ClassVar[str] = "failed"
    elsewhere: ClassVar[bool] = True
    """Whether another deployment may be tried."""
    again: ClassVar[bool] = False
    """Whether the same deployment may be tried once more, after the others."""

    def __init__(
        self, deployment: str, what: str, *, detail: str = "", status: int | None = None, way_out: str = ""
    ) -> None:
        sentence = f"deployment {deployment!r} {what}" + (f": {detail}" if detail else "")
        super().__init__(sentence if sentence[-1] in ".!?…" else f"{sentence}.", way_out=way_out)
        self.deployment = deployment
        self.status = status
        self.detail = detail


class EndpointUnreachable(AttemptError):
    """No connection: refused, no such host, no route, or not within `connect_s`."""

    outcome = "unreachable"


class EndpointTimeout(AttemptError):
    """The endpoint took the request and gave no first token within `first_token_s`."""

    outcome = "timeout"


class EndpointRefused(AttemptError):
    """The endpoint will not serve this: key, rights, quota, or no such model or path."""

    outcome = "refused"
    retryable = False


class EndpointFailed(AttemptError):
    """The server failed (5xx), or sent what is no answer."""

    outcome = "failed"
    again = True


class BrokenStream(AttemptError):
    """The answer began and broke off, stood still longer than `idle_s`, or was aborted by the server."""

    outcome = "broken_stream"
    again = True


class RateLimited(AttemptError):
    """Too many requests. `retry_after_s` is what the server asks to wait; `None` where it does not say."""

    outcome = "rate_limited"
    again = True

    def __init__(
        self, deployment: str, what: str, *, retry_after_s: float | None, detail: str = "", status: int | None = 429
    ) -> None:
        super().__init__(deployment, what, detail=detail, status=status)
        self.retry_after_s = retry_after_s


class ContextOverflow(AttemptError):
    """The conversation does not fit into the model's context."""

    outcome = "context_overflow"
    retryable = False


class BadRequest(AttemptError):
    """The request itself is wrong and would be wrong anywhere."""

    outcome = "bad_request"
    elsewhere = False
    retryable = False


class DeadlinePassed(AttemptError):
    """The caller's own deadline passed."""

    outcome = "deadline"
    elsewhere = False
    retryable = False


class CannotServe(EndpointError):
    """No deployment of a route can take what the request has, such as images; nobody was asked.

    Attributes:
        route: The route that was asked for.
        lacking: What each deployment lacks, by its name.
    """

    retryable = False

    def __init__(self, route: str, lacking: Mapping[str, str]) -> None:
        told = "; ".join(f"{name!r} {why}" for name, why in lacking.items())
        way_out = "Add a deployment that can, or say in its settings that it can: `images`, `tools`, `structured`, "
        super().__init__(
            f"route {route!r} has no deployment for this request: {told}.", way_out=f"{way_out}`context_tokens`."
        )
        self.route = route
        self.lacking = dict(lacking)


class BudgetSpent(EndpointError):
    """A budget of a tenant, a user or some deployments has no room for a request at any deployment of its route.

    Attributes:
        route: The route that was asked for.
        budget: The budget's name in the settings.
        whose: The tenant, the user, or both; empty for a budget of all.
        deployments: Those that were not asked.
        retry_after_s: Until the budget begins anew.
    """

    def __init__(
        self, route: str, budget: str, whose: str, deployments: Sequence[str], *, gone: str, period: str,
        retry_after_s: float,
    ) -> None:  # fmt: skip
        of = f" of {whose!r}" if whose else ""
        asked = ", ".join(map(repr, deployments))
        super().__init__(
            f"budget {budget!r}{of} has no room for this request: {gone} are spent in {period}. Not asked: {asked}.",
            way_out=f"Wait until it begins anew, raise [router.budgets.{budget}], or give route {route!r} a deployment "
            "that costs less.",
        )
        self.route = route
        self.budget = budget
        self.whose = whose
        self.deployments = tuple(deployments)
        self.retry_after_s = retry_after_s


class NoDeploymentLeft(EndpointError):
    """Every deployment of a route, and of its fallbacks, has been tried.

    Attributes:
        route: The route that was asked for.
        attempts: All tries, in their order.
        errors: What each try raised, in the same order.
        retry_after_s: The shortest wait that a server asked for; `None` where none did.
    """

    def __init__(
        self, route: str, attempts: Sequence[Attempt], errors: Sequence[AttemptError], *, retries_spent: bool = False
    ) -> None:
        tried = " ".join(f"{number}. {error.message}" for number, error in enumerate(errors, 1))
        ways = dict.fromkeys(error.way_out for error in errors if error.way_out)
        spent = " Nobody was asked once more: the retry budget is used up." if retries_spent else ""
        super().__init__(f"route {route!r} has no deployment left to try. {tried}{spent}", way_out=" ".join(ways))
        self.route = route
        self.attempts = tuple(attempts)
        self.errors = tuple(errors)
        self.retryable = any(error.retryable for error in errors)
        waits = [error.retry_after_s for error in errors if isinstance(error, RateLimited) and error.retry_after_s]
        self.retry_after_s = min(waits, default=None)
