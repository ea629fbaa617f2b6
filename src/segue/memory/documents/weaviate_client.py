"""The connection of `WeaviateIndex`: a URL in; collections that are as they should be, and calls that end, out.

Each event loop has a client of its own. Whatever goes wrong is told as a `StoreError` that says whether to try again.
The client's checks at start are left out, since one of them asks a package index on the internet for news.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit
from uuid import UUID

from segue.base.errors import ConfigError, StoreError

DEFAULT_COLLECTION = "SegueDocuments"
_CONNECT_S = 10
_OBJECTS = 200
_BYTES = 4_000_000
"""What one insertion carries at most; a single larger object goes alone."""
_DELETED = 10_000
"""What Weaviate deletes at most in one call."""
Row = tuple[UUID, Mapping[str, Any], list[float] | None]
"""An object to be written: id, properties, vector."""


@dataclass(frozen=True)
class Place:
    """Where a Weaviate server is, from its URL."""

    host: str
    port: int
    grpc_host: str
    grpc_port: int
    secure: bool
    collection: str

    def __str__(self) -> str:
        return f"Weaviate at {'https' if self.secure else 'http'}://{self.host}:{self.port} (gRPC {self.grpc_port})"


def place_of(url: str) -> Place:
    """The parts of `weaviate://host:8080?grpc=50051&collection=Name`.

    Raises:
        ConfigError: It is no such URL. The message does not repeat a password.
    """
    try:
        return _place(urlsplit(url))
    except ValueError as error:
        raise ConfigError(
            f"this is no URL of a Weaviate server: {error}.",
            way_out="Write weaviate://host:8080?grpc=50051, or weaviates:// for TLS; optional: grpc_host, collection.",
        ) from None


def _place(parts: SplitResult) -> Place:
    if parts.scheme not in ("weaviate", "weaviates") or not parts.hostname:
        raise ValueError(f"it begins with {parts.scheme}:// and names the host {parts.hostname or ''!r}")
    if parts.username or parts.password:
        raise ValueError("it holds a user or a password; a key is given apart, as a reference")
    asked = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
    if unknown := asked.keys() - {"grpc", "grpc_host", "collection"}:
        raise ValueError(f"it has a parameter {sorted(unknown)[0]!r}")
    if not asked.get("grpc", "1").isdigit():
        raise ValueError(f"grpc={asked['grpc']} is no port")
    collection = asked.get("collection", DEFAULT_COLLECTION)
    if not re.fullmatch(r"[A-Z][A-Za-z0-9_]*[A-Za-z_]", collection):
        raise ValueError(f"collection={collection} is no name of letters with a capital first and no digit last")
    secure = parts.scheme == "weaviates"
    return Place(
        parts.hostname,
        parts.port or (443 if secure else 8080),
        asked.get("grpc_host") or parts.hostname,
        int(asked.get("grpc") or (443 if secure else 50051)),
        secure,
        collection,
    )


@dataclass
class _Connection:
    """The client of one event loop, and which tenants it knows to be there."""

    loop: asyncio.AbstractEventLoop
    client: Any
    tenants: set[tuple[str, str]] = field(default_factory=set)


class WeaviateClient:
    """A server by its URL; it connects when first used.

    Raises:
        ConfigError: The URL is none, or weaviate-client is not installed.
    """

    def __init__(self, url: str, *, api_key: str = "", deadline_s: float = 60.0) -> None:
        self.place = place_of(url)
        self.collection = self.place.collection
        self._api_key = api_key
        self._deadline_s = deadline_s
        self._held: dict[int, _Connection] = {}
        if find_spec("weaviate") is None:
            raise ConfigError(
                "Weaviate is spoken to by weaviate-client, which is not installed.",
                way_out="Run: pip install 'segue[weaviate]'",
            )

    def filter(self, name: str) -> Any:
        """The beginning of a filter on a property."""
        from weaviate.classes.query import Filter

        return Filter.by_property(name)

    def by_id(self) -> Any:
        """The beginning of a filter on ids."""
        from weaviate.classes.query import Filter

        return Filter.by_id()

    def holds(self, term: str) -> Any:
        """A filter on passages with a term."""
        return self.filter("body_terms").contains_any([term]) | self.filter("heading_terms").contains_any([term])

    async def there(self, name: str, tenant: str) -> Any:
        """A tenant's part of a collection; `None` where either is not there."""
        held = await self._connection()
        collection = held.client.collections.use(name)
        if (name, tenant) not in held.tenants:
            if not await held.client.collections.exists(name):
                return None
            if tenant not in await collection.tenants.get_by_names([tenant]):
                return None
            held.tenants.add((name, tenant))
        return collection.with_tenant(tenant)

    async def made(self, schema: Mapping[str, Any], tenant: str) -> Any:
        """A tenant's part of a collection, made where it is not there.

        Raises:
            StoreError: The collection is there with another schema.
        """
        from weaviate.exceptions import UnexpectedStatusCodeError

        held, name = await self._connection(), schema["class"]
        if not await held.client.collections.exists(name):
            try:
                await held.client.collections.create_from_dict(dict(schema))
            except UnexpectedStatusCodeError:
                if not await held.client.collections.exists(name):  # else another process made it at this moment
                    raise
        self._check(schema, await held.client.collections.export_config(name))
        return held.client.collections.use(name).with_tenant(tenant)

    def _check(self, schema: Mapping[str, Any], found: Any) -> None:
        there = {each.name: each for each in found.properties}
        amiss = [] if found.multi_tenancy_config.enabled else ["it has no tenants"]
        for wanted in schema["properties"]:
            name, held = wanted["name"], there.get(wanted["name"])
            kind = None if held is None else str(getattr(held.data_type, "value", held.data_type))
            cut = None if held is None or held.tokenization is None else held.tokenization.value
            if kind != wanted["dataType"][0] or (kind == "text" and cut != wanted["tokenization"]):
                amiss.append(f"{name} is {kind or 'not there'}{f' ({cut})' if cut else ''}")
        if amiss or found.description != schema["description"]:
            amiss = amiss or [f"it is described as {found.description!r}, not {schema['description']!r}"]
            raise _final(
                f"{self.place} has a collection {schema['class']} of another schema: {'; '.join(amiss[:3])}.",
                "Name other collections with collection=… in the URL, or delete this one if it is ours: it holds only "
                "what can be read again from the documents.",
            )

    async def insert(self, held: Any, rows: Iterable[Row]) -> None:
        """Write objects, in the place of those with the same ids.

        Raises:
            StoreError: Weaviate refused one of them.
        """
        from weaviate.classes.data import DataObject

        for part in _parts(rows):
            answer = await held.data.insert_many(
                [DataObject(uuid=each, properties=dict(properties), vector=vector) for each, properties, vector in part]
            )
            if answer.has_errors:
                first = next(iter(answer.errors.values())).message
                raise StoreError(
                    f"{self.place} refused {len(answer.errors)} of {len(part)} objects: {first}.",
                    way_out="What was there before is still found; see the server's log, and try again.",
                )

    async def delete(self, name: str, tenant: str, where: Any) -> None:
        """Remove the objects of a tenant that fit."""
        held = await self.there(name, tenant)
        while held is not None and (await held.data.delete_many(where=where)).matches >= _DELETED:
            pass

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """What is done inside ends, in time, and fails with a `StoreError`."""
        import grpc  # type: ignore[import-untyped]
        import httpx
        from weaviate.exceptions import WeaviateBaseError

        try:
            async with asyncio.timeout(self._deadline_s):
                yield
        except TimeoutError as error:
            self._forget()
            raise StoreError(
                f"{self.place} gave no answer within {self._deadline_s:g} s.",
                way_out="See whether it is overloaded, and whether both of its ports can be reached; then try again.",
            ) from error
        except (WeaviateBaseError, grpc.RpcError, httpx.HTTPError, OSError) as error:
            self._forget()
            raise self._told(error) from error

    async def close(self) -> None:
        """Disconnect; closing twice does nothing."""
        held, self._held = list(self._held.values()), {}
        for each in held:
            if each.loop is asyncio.get_running_loop():
                await each.client.close()

    async def _connection(self) -> _Connection:
        loop = asyncio.get_running_loop()
        held = self._held.get(id(loop))
        if held is not None and held.loop is loop:
            return held
        client = self._new_client()
        try:
            await client.connect()
            _, writer = await asyncio.wait_for(
                asyncio.open_connection(self.place.grpc_host, self.place.grpc_port), _CONNECT_S
            )
            writer.close()
            await writer.wait_closed()
        except BaseException:
            await client.close()
            raise
        if (other := self._held.get(id(loop))) is not None and other.loop is loop:
            await client.close()
            return other
        self._held[id(loop)] = made = _Connection(loop, client)
        return made

    def _new_client(self) -> Any:
        from weaviate import WeaviateAsyncClient
        from weaviate.classes.init import AdditionalConfig, Auth, Timeout
        from weaviate.connect import ConnectionParams

        place = self.place
        timeout = Timeout(init=_CONNECT_S, query=self._deadline_s, insert=self._deadline_s)
        return WeaviateAsyncClient(
            connection_params=ConnectionParams.from_params(
                http_host=place.host,
                http_port=place.port,
                http_secure=place.secure,
                grpc_host=place.grpc_host,
                grpc_port=place.grpc_port,
                grpc_secure=place.secure,
            ),
            auth_client_secret=Auth.api_key(self._api_key) if self._api_key else None,
            additional_config=AdditionalConfig(timeout=timeout),
            skip_init_checks=True,
        )

    def _forget(self) -> None:
        """Look again at what is there: somebody may have deleted it."""
        for held in self._held.values():
            held.tenants.clear()

    def _told(self, error: BaseException) -> StoreError:
        said = " ".join(str(error).split())
        said = said.replace(self._api_key, "***") if self._api_key else said
        status = getattr(error, "status_code", None)
        if status in (401, 403) or re.search("unauthenticated|unauthorized|anonymous access|permission", said.lower()):
            return _final(
                f"{self.place} refused {'the key' if self._api_key else 'to work without a key'}: {said[:300]}",
                "Give the key that the server knows, with the right to make and write collections.",
            )
        found = StoreError(
            f"{self.place} cannot be read or written: {said[:500]}",
            way_out="See whether the server runs and has room, and try again.",
        )
        found.retryable = status is None or status >= 500 or status == 429
        return found


def _parts(rows: Iterable[Row]) -> Iterator[list[Row]]:
    part: list[Row] = []
    size = 0
    for row in rows:
        weight = sum(len(each) * 2 for each in row[1].values() if isinstance(each, str)) + 8 * len(row[2] or ())
        if part and (len(part) == _OBJECTS or size + weight > _BYTES):
            yield part
            part, size = [], 0
        part.append(row)
        size += weight
    if part:
        yield part


def _final(message: str, way_out: str) -> StoreError:
    found = StoreError(message, way_out=way_out)
    found.retryable = False
    return found
