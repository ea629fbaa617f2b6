"""A double of Weaviate's server: it speaks the REST and the gRPC of weaviate-client, and stores, searches and deletes.

It is no Weaviate. What it knows is what `WeaviateIndex` asks for; anything else is refused. Its answers are computed
(`weaviate_store`), so that a test through it shows that the adapter asks the right questions in the client's own
protocol, not how a real server ranks, scales or fails.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from aiohttp import web
from tests.doubles.weaviate_store import MAX_RESULTS, Klass, Refused, Stored

VERSION = "1.33.0"


class WeaviateDouble:
    """What the server holds, and how it is told to misbehave."""

    def __init__(self, api_key: str = "") -> None:
        self.api_key = api_key
        self.classes: dict[str, Klass] = {}
        self.calls: list[str] = []
        """The names of what was asked for, in order."""
        self.before: Callable[[str], Awaitable[None]] | None = None
        """Awaited with the name of each call before it is answered; it may wait, or raise `Refused`."""
        self.url = ""

    async def called(self, name: str) -> None:
        self.calls.append(name)
        if self.before is not None:
            await self.before(name)

    def klass(self, name: str) -> Klass:
        if name not in self.classes:
            raise Refused(f"could not find class {name} in schema")
        return self.classes[name]

    def objects(self) -> list[Stored]:
        """All that lies here."""
        shards = [shard for klass in self.classes.values() for shard in klass.shards.values()]
        return [stored for shard in shards for stored in shard.objects.values()]


@asynccontextmanager
async def serving(double: WeaviateDouble | None = None) -> AsyncIterator[WeaviateDouble]:
    """A double that listens on two ports of loopback; its `url` says which."""
    import grpc.aio  # type: ignore[import-untyped]

    double = double or WeaviateDouble()
    runner = web.AppRunner(_application(double))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([_handlers(double)])
    grpc_port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    double.url = f"weaviate://127.0.0.1:{port}?grpc={grpc_port}"
    try:
        yield double
    finally:
        await server.stop(None)
        await runner.cleanup()


def _application(double: WeaviateDouble) -> web.Application:
    @web.middleware
    async def guarded(request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> Any:
        if double.api_key and request.headers.get("Authorization") != f"Bearer {double.api_key}":
            return _error(401, "unauthorized: invalid api key, please provide a valid api key")
        try:
            await double.called(f"{request.method} {request.path.split('/')[2]}")
            return await handler(request)
        except Refused as error:
            return _error(422, str(error))

    async def meta(_: web.Request) -> web.Response:
        return web.json_response({"hostname": "double", "version": VERSION, "grpcMaxMessageSize": 104858000})

    async def shown(request: web.Request) -> web.Response:
        held = double.classes.get(request.match_info["name"])
        return _error(404, "class not found") if held is None else web.json_response(held.schema)

    async def made(request: web.Request) -> web.Response:
        klass = Klass(await request.json())
        if klass.name in double.classes:
            raise Refused(f"class name {klass.name} already exists")
        double.classes[klass.name] = klass
        return web.json_response(klass.schema)

    async def merged(request: web.Request) -> web.Response:
        body = await request.json()
        klass = double.klass(request.match_info["name"])
        held = klass.shard(body.get("tenant", "")).objects.get(UUID(request.match_info["id"]))
        if held is None:
            return _error(404, "no object with this id")
        held.properties.update(klass.typed(body["properties"]))
        return web.Response(status=204)

    application = web.Application(middlewares=[guarded])
    application.router.add_get("/v1/meta", meta)
    application.router.add_get("/v1/schema/{name}", shown)
    application.router.add_post("/v1/schema", made)
    application.router.add_patch("/v1/objects/{name}/{id}", merged)
    return application


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"error": [{"message": message}]}, status=status)


def _handlers(double: WeaviateDouble) -> Any:
    import grpc
    from weaviate.proto.v1 import aggregate_pb2, batch_delete_pb2, batch_pb2, search_get_pb2, tenants_pb2

    methods: dict[str, tuple[Callable[[WeaviateDouble, Any], Any], Any]] = {
        "Search": (_search, search_get_pb2.SearchRequest),
        "BatchObjects": (_batch, batch_pb2.BatchObjectsRequest),
        "BatchDelete": (_delete, batch_delete_pb2.BatchDeleteRequest),
        "TenantsGet": (_tenants, tenants_pb2.TenantsGetRequest),
        "Aggregate": (_aggregate, aggregate_pb2.AggregateRequest),
    }

    def handler(name: str) -> Any:
        answer, request_type = methods[name]

        async def behave(request: Any, context: Any) -> Any:
            sent = dict(context.invocation_metadata())
            if double.api_key and sent.get("authorization") != f"Bearer {double.api_key}":
                await context.abort(grpc.StatusCode.UNAUTHENTICATED, "unauthorized: invalid api key")
            try:
                await double.called(name)
                return answer(double, request)
            except Refused as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.unary_unary_rpc_method_handler(
            behave,
            request_deserializer=request_type.FromString,
            response_serializer=lambda reply: reply.SerializeToString(),
        )

    return grpc.method_handlers_generic_handler("weaviate.v1.Weaviate", {name: handler(name) for name in methods})


def _search(double: WeaviateDouble, request: Any) -> Any:
    from weaviate.proto.v1 import search_get_pb2

    klass = double.klass(request.collection)
    where = request.filters if request.HasField("filters") else None
    limit = request.limit or 10
    if limit > MAX_RESULTS or request.offset:
        raise Refused(f"query maximum results exceeded: {request.offset}+{limit}")
    if request.HasField("bm25_search"):
        asked = request.bm25_search
        found = [each for each, _ in klass.bm25(request.tenant, asked.query, asked.properties, where)]
    elif request.HasField("near_vector"):
        found = [each for each, _ in klass.near(request.tenant, _near(request.near_vector), where)]
    elif request.after:
        if where is not None:
            raise Refused("cursor api: filters cannot be set with after")
        found = [each for each in klass.found(request.tenant, None) if str(each.id) > request.after]
    else:
        found = klass.found(request.tenant, where)
    return search_get_pb2.SearchReply(results=[_result(klass, each, request) for each in found[:limit]])


def _near(asked: Any) -> tuple[float, ...]:
    return _floats(asked.vectors[0].vector_bytes if asked.vectors else asked.vector_bytes)


def _floats(data: bytes) -> tuple[float, ...]:
    return struct.unpack(f"<{len(data) // 4}f", data)


def _result(klass: Klass, stored: Stored, request: Any) -> Any:
    from weaviate.proto.v1 import properties_pb2, search_get_pb2

    chosen = request.properties
    every = not request.HasField("properties") or chosen.return_all_nonref_properties
    fields = {}
    for name in klass.properties if every else chosen.non_ref_properties:
        if (value := stored.properties.get(name)) is not None:
            kind = "text" if isinstance(value, str) else "int" if isinstance(value, int) else "number"
            fields[name] = properties_pb2.Value(**{f"{kind}_value": value})
    metadata = search_get_pb2.MetadataResult(id=str(stored.id), id_as_bytes=stored.id.bytes)
    if request.metadata.vector:
        metadata.vector_bytes = struct.pack(f"<{len(stored.vector)}f", *stored.vector)
    properties = search_get_pb2.PropertiesResult(non_ref_props=properties_pb2.Properties(fields=fields))
    return search_get_pb2.SearchResult(metadata=metadata, properties=properties)


def _batch(double: WeaviateDouble, request: Any) -> Any:
    from weaviate.proto.v1 import batch_pb2

    errors = []
    for at, each in enumerate(request.objects):
        try:
            klass = double.klass(each.collection)
            vector = _floats(each.vectors[0].vector_bytes if each.vectors else each.vector_bytes)
            properties = klass.typed(_plain(each.properties))
            klass.shard(each.tenant, writes=True).put(Stored(UUID(each.uuid), properties, vector))
        except Refused as error:
            errors.append(batch_pb2.BatchObjectsReply.BatchError(index=at, error=str(error)))
    return batch_pb2.BatchObjectsReply(errors=errors)


def _plain(properties: Any) -> Mapping[str, Any]:
    from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

    held: Mapping[str, Any] = MessageToDict(properties.non_ref_properties)
    return held


def _delete(double: WeaviateDouble, request: Any) -> Any:
    from weaviate.proto.v1 import batch_delete_pb2

    klass = double.klass(request.collection)
    found = klass.found(request.tenant, request.filters)[:MAX_RESULTS]
    for each in found:
        del klass.shard(request.tenant).objects[each.id]
    return batch_delete_pb2.BatchDeleteReply(matches=len(found), successful=len(found))


def _tenants(double: WeaviateDouble, request: Any) -> Any:
    from weaviate.proto.v1 import tenants_pb2

    shards = double.klass(request.collection).shards
    names = [name for name in request.names.values if name in shards] if request.HasField("names") else list(shards)
    active = tenants_pb2.TENANT_ACTIVITY_STATUS_HOT
    return tenants_pb2.TenantsGetReply(
        tenants=[tenants_pb2.Tenant(name=name, activity_status=active) for name in names]
    )


def _aggregate(double: WeaviateDouble, request: Any) -> Any:
    from weaviate.proto.v1 import aggregate_pb2

    klass = double.klass(request.collection)
    found = klass.found(request.tenant, request.filters if request.HasField("filters") else None)
    group = aggregate_pb2.AggregateReply.Aggregations
    sums = [
        group.Aggregation(
            property=each.property,
            int=group.Aggregation.Integer(sum=sum(stored.properties.get(each.property, 0) for stored in found)),
        )
        for each in request.aggregations
    ]
    single = aggregate_pb2.AggregateReply.Single(objects_count=len(found), aggregations=group(aggregations=sums))
    return aggregate_pb2.AggregateReply(single_result=single)
