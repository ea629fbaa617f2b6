"""What a request needs of a model, and who lacks it.

In: a request; a deployment with what its settings say that it can. Out: what is lacking, in words. What the settings do
not say is taken to be there: then the server itself has the last word.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from segue.router.deployment import Deployment
from segue.router.errors import CannotServe
from segue.router.types import GenerationRequest

_SURE = 1.25
"""A conversation counts as too long where it is, by an estimate that is off, longer than the context by that."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a request needs."""

    tools: bool
    images: bool
    schema: bool
    tokens: int
    """About how long it is."""


def needs_of(request: GenerationRequest, tokens: int) -> Needs:
    """What this request needs; `tokens` is about how long it is."""
    return Needs(bool(request.tools), _has_images(request), request.output_schema is not None, tokens)


def lacks(deployment: Deployment, needs: Needs) -> str:
    """What of it the deployment lacks, in words; empty where it lacks nothing, or nobody says."""
    can = deployment.can
    if needs.images and can.get("images") is False:
        return "takes no images"
    if needs.tools and can.get("tools") is False:
        return "calls no tools"
    if needs.schema and can.get("structured") is False:
        return "keeps to no schema"
    if deployment.context_tokens and needs.tokens > deployment.context_tokens * _SURE:
        return f"takes {deployment.context_tokens} tokens, and the conversation is about {needs.tokens}"
    return ""


def able(route: str, groups: Iterable[Sequence[Deployment]], needs: Needs) -> list[list[Deployment]]:
    """The groups without those that lack something.

    Raises:
        CannotServe: Nobody is left; the message says of each what it lacks.
    """
    lacking: dict[str, str] = {}
    found = []
    for group in groups:
        left = []
        for each in group:
            if why := lacks(each, needs):
                lacking[each.name] = why
            else:
                left.append(each)
        found.append(left)
    if lacking and not any(found):
        raise CannotServe(route, lacking)
    return found


def _has_images(request: GenerationRequest) -> bool:
    return any(
        part.get("type") in ("image_url", "image", "input_image")
        for message in request.messages
        if isinstance(content := message.get("content"), list)
        for part in content
    )
