"""A fleet: where the deployments are, told by a file or by DNS, and told anew while the router runs.

In: a path or `dns://HOST:PORT`. Out: the deployments by name, and for each change what was added, removed and changed.
A source that is broken changes nothing: what was there stays, and the problem is said. What a router does with a
change is its own business.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
import tomllib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from segue.base.errors import ConfigError, OperatorError, SegueError
from segue.router.settings import DeploymentSettings, named

logger = logging.getLogger("segue.router")

EVERY_S = 5.0
RESOLVE_S = 5.0

Fleet = dict[str, DeploymentSettings]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


@dataclass(frozen=True, kw_only=True)
class FleetChange:
    """From one fleet to the next."""

    fleet: Fleet
    """All deployments as they are now."""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Those that are still there, with other settings."""

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


OnChange = Callable[[FleetChange], Awaitable[None] | None]


class Discovery(ABC):
    """Where a fleet is told."""

    source: str
    """What messages call it."""
    problem: str = ""
    """Why the last look failed; empty where it did not."""

    @abstractmethod
    async def load(self) -> Fleet:
        """The deployments as they are told now; at least one.

        Raises:
            ConfigError: The source holds something unusable, or nothing.
            OperatorError: The source cannot be reached.
        """

    async def watch(self, on_change: OnChange, *, fleet: Fleet | None = None, every_s: float = EVERY_S) -> None:
        """Look every `every_s` seconds and tell of each change, until cancelled.

        `fleet` is what the caller has; without one, the first look tells of everything as added. A look that fails is
        logged once for each new problem and stands in `problem`; the fleet stays as it is.
        """
        held = dict(fleet or {})
        while True:
            change = await self._look(held)
            if change:
                held = change.fleet
                told = on_change(change)
                if inspect.isawaitable(told):
                    await told
            await asyncio.sleep(every_s)

    async def _look(self, held: Fleet) -> FleetChange:
        try:
            change = compare(held, await self.load())
        except SegueError as error:
            if error.message != self.problem:
                logger.warning("%s The %d deployments that there were stay.", error, len(held))
            self.problem = error.message
            return FleetChange(fleet=held)
        if self.problem:
            logger.warning("%s can be read again.", self.source)
        self.problem = ""
        return change


class FileFleet(Discovery):
    """A TOML or JSON file with a list of deployments.

    TOML holds `[[deployments]]` tables, each with a `name`, or `[deployments.NAME]` tables; JSON a list, or an object
    with the key `deployments`. The other keys are those of `[deployments.NAME]` in `segue.toml`.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.source = str(path)

    async def load(self) -> Fleet:
        """Read the file."""
        try:
            data = await asyncio.to_thread(self.path.read_bytes)
        except OSError as error:
            raise OperatorError(f"the fleet {self.source} cannot be read: {error.strerror or error}.") from error
        try:
            return _fleet_of(self._parsed(data))
        except ConfigError as error:
            raise ConfigError(f"the fleet {self.source}: {error.message}", way_out=error.way_out) from None

    def _parsed(self, data: bytes) -> Any:
        try:
            if self.path.suffix == ".toml":
                return tomllib.loads(data.decode("utf-8"))
            return orjson.loads(data)
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, orjson.JSONDecodeError) as error:
            raise ConfigError(f"{'TOML' if self.path.suffix == '.toml' else 'JSON'} is broken: {error}.") from error


class DnsFleet(Discovery):
    """One deployment for each address that a name has: A and AAAA records, as a headless service gives them."""

    def __init__(self, url: str, template: DeploymentSettings, *, resolve: Resolve | None = None) -> None:
        """`template` is what they have in common; its endpoint is replaced by each address.

        Raises:
            ConfigError: The URL is not `dns://HOST:PORT`.
        """
        self._host, self._port = _host_and_port(url)
        self._template = template
        self._resolve = resolve or addresses_of
        self.source = url

    async def load(self) -> Fleet:
        """Look the name up."""
        try:
            async with asyncio.timeout(RESOLVE_S):
                found = await self._resolve(self._host, self._port)
        except TimeoutError:
            raise OperatorError(f"the fleet {self.source} got no answer from DNS within {RESOLVE_S:g} s.") from None
        except OSError as error:
            raise OperatorError(f"the fleet {self.source} is not known to DNS: {error.strerror or error}.") from error
        addresses = sorted(set(found))
        if not addresses:
            raise OperatorError(f"the fleet {self.source} has no address in DNS.")
        return {f"{self._host}-{address}": self._at(address) for address in addresses}

    def _at(self, address: str) -> DeploymentSettings:
        host = f"[{address}]" if ":" in address else address
        return self._template.model_copy(update={"endpoint": f"http://{host}:{self._port}/v1"})


def discovery(source: str, template: DeploymentSettings | None = None) -> Discovery:
    """The discovery that a source names: `dns://HOST:PORT`, or a path.

    Raises:
        ConfigError: DNS without a template, or a scheme that is not known.
    """
    if "://" not in source:
        return FileFleet(source)
    if template is None:
        raise ConfigError(f"the fleet {source} gives addresses only: say `model` and what else they have in common.")
    return DnsFleet(source, template)


def compare(before: Mapping[str, DeploymentSettings], after: Mapping[str, DeploymentSettings]) -> FleetChange:
    """What is new, gone and other, each in the order of its fleet."""
    return FleetChange(
        fleet=dict(after),
        added=tuple(name for name in after if name not in before),
        removed=tuple(name for name in before if name not in after),
        changed=tuple(name for name in after if name in before and before[name] != after[name]),
    )


async def addresses_of(host: str, port: int) -> list[str]:
    """The addresses of a name, as this machine's resolver has them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


def _fleet_of(data: Any) -> Fleet:
    entries = data.get("deployments") if isinstance(data, Mapping) else data
    if isinstance(entries, Mapping):
        entries = [{"name": name, **entry} for name, entry in entries.items() if isinstance(entry, Mapping)]
    if not isinstance(entries, list):
        raise ConfigError('a list of deployments is wanted: [[deployments]] in TOML, [{"name": …}] in JSON.')
    if not entries:
        raise ConfigError("it holds no deployment.")
    tables: dict[str, Any] = {}
    for number, entry in enumerate(entries, 1):
        name = entry.get("name") if isinstance(entry, Mapping) else None
        if not name or not isinstance(name, str):
            raise ConfigError(f"deployment {number} has no `name`.")
        if name in tables:
            raise ConfigError(f"two deployments are called {name!r}.")
        tables[name] = {key: value for key, value in entry.items() if key != "name"}
    fleet: Fleet = named("deployments", DeploymentSettings, tables)
    return fleet


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    if parts.scheme != "dns" or not parts.hostname or not port or parts.path not in ("", "/"):
        raise ConfigError(f"a fleet in DNS is dns://HOST:PORT, not {url!r}.")
    return parts.hostname, port
