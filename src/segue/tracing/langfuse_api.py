"""Langfuse's public API by its own SDK, for what is asked for and not sent along: prompts and datasets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from segue.base.errors import EndpointError

CLOUD = "https://cloud.langfuse.com"


@contextmanager
def langfuse_api(what: str, *, deadline_s: float) -> Iterator[Any]:
    """A client with the keys of the environment; `what` is what it is wanted for, in errors.

    Raises:
        EndpointError: The keys are not set.
    """
    import httpx
    from langfuse.api import LangfuseAPI

    keys = [os.environ.get(f"LANGFUSE_{each}_KEY", "") for each in ("PUBLIC", "SECRET")]
    if not all(keys):
        raise EndpointError(f"{what} needs the environment variables LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY.")
    url = os.environ.get("LANGFUSE_BASE_URL") or os.environ.get("LANGFUSE_HOST") or CLOUD
    with httpx.Client(timeout=deadline_s) as http:
        yield LangfuseAPI(base_url=url.rstrip("/"), username=keys[0], password=keys[1], httpx_client=http)
