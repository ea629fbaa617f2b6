"""One vLLM server, asked over HTTP outside its generations: its health, its metrics, its list of models, a probe.

In: the settings of a deployment. Out: a status and a body; what never came to an answer is an `AttemptError`. What
generations take is in `segue.router.wire`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from segue.router.errors import AttemptError, EndpointFailed, EndpointTimeout, EndpointUnreachable
from segue.router.faults import read_fault, reason, to_error
from segue.router.secrets import cause, is_reference, resolve
from segue.router.sessions import Sessions, proxy_for, read_at_most
from segue.router.settings import DeploymentSettings

_MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a server answered."""

    status: int
    body: bytes
    took_s: float

    def json(self) -> Any:
        """The body as JSON; `None` where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None

    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")


class Server:
    """The server of a deployment."""

    def __init__(
        self,
        name: str,
        settings: DeploymentSettings,
        *,
        sessions: Sessions,
        environ: Mapping[str, str] | None = None,
        timeout_s: float = 2.0,
    ) -> None:
        """`name` is what errors call it; `timeout_s` bounds each question, from connecting to the last byte."""
        self.name = name
        self.settings = settings
        self.url = settings.url
        self.base = self.url.removesuffix("/v1")
        """The address without `/v1`, where vLLM has its health and its metrics."""
        self._sessions = sessions
        self._environ = environ
        self._timeout_s = timeout_s

    async def get(self, path: str) -> Said:
        """`GET`; a path that begins with `/v1/` is one of the endpoint, any other one of the server.

        Raises:
            AttemptError: There was no answer: unreachable, too late, or broken off.
            ConfigError: A secret that the deployment refers to is not there.
        """
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: Mapping[str, Any]) -> Said:
        """`POST` of JSON; else as `get`."""
        return await self._ask("POST", path, orjson.dumps(body))

    def error(self, said: Said) -> AttemptError:
        """The error that an answer stands for which is not 200."""
        fault = read_fault(said.status, said.body)
        _, secrets = self._headers()
        return to_error(fault, deployment=self.name, model=self.settings.model, secrets=secrets)

    async def _ask(self, method: str, path: str, data: bytes | None) -> Said:
        import aiohttp

        headers, secrets = self._headers()
        url = f"{self.url}{path.removeprefix('/v1')}" if path.startswith("/v1/") else f"{self.base}{path}"
        timeout = aiohttp.ClientTimeout(total=None, connect=self.settings.connect_s)
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                session = await self._sessions.get()
                async with session.request(
                    method,
                    url,
                    data=data,
                    headers=headers,
                    proxy=proxy_for(url),
                    timeout=timeout,
                    allow_redirects=False,
                ) as response:
                    body = await read_at_most(response.content, _MAX_BYTES)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL) as error:
            raise EndpointUnreachable(
                self.name,
                f"cannot be reached at {self.url}",
                detail=reason(error, secrets),
                way_out="Start the server there, or mend `endpoint` in its settings.",
            ) from cause(error, secrets)
        except TimeoutError:
            raise EndpointTimeout(self.name, f"gave no answer at {url} within {self._timeout_s:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise EndpointFailed(self.name, f"gave no answer at {url}", detail=reason(error, secrets)) from cause(
                error, secrets
            )
        return Said(status=response.status, body=body, took_s=time.monotonic() - begun)

    def _headers(self) -> tuple[dict[str, str], list[str]]:
        """The headers of a question, and the secrets in them."""
        wanted_by, secrets = f"deployment {self.name!r}", list[str]()
        headers = {"Content-Type": "application/json"}
        if self.settings.api_key is not None:
            secrets.append(resolve(self.settings.api_key, self._environ, wanted_by=wanted_by))
            headers["Authorization"] = f"Bearer {secrets[0]}"
        for name, value in self.settings.headers.items():
            if is_reference(value):
                value = resolve(value, self._environ, wanted_by=wanted_by)
                secrets.append(value)
            headers[name] = value
        return headers, secrets
