"""The application: a workspace and who may come in, in; an ASGI application with every route, out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from segue._version import __version__
from segue.agents.runnable import Runnable
from segue.base.errors import SegueError
from segue.server import openai_api
from segue.server.dispatch import Deps
from segue.server.door import Door
from segue.server.errors import answer
from segue.server.pages import add_pages
from segue.server.routes import ROUTERS
from segue.server.serving import Server, Setup, serving
from segue.workspace.sections import ServerSection
from segue.workspace.settings import read
from segue.workspace.workspace import Workspace

_ABOUT = "Agents, threads and runs. Every error has one shape: {error: {type, message, way_out, error_id}}."


def app(
    workspace: Workspace | Path | str = ".",
    *,
    agents: Iterable[Runnable] = (),
    login: bool = True,
    deps: Deps | None = None,
    settings: ServerSection | None = None,
    reload: bool = False,
    jobs: bool = False,
) -> FastAPI:
    """Agents over HTTP, as an ASGI application.

    Args:
        workspace: One that is open, which is not closed; or the folder of one, opened while it serves.
        agents: What is served; without any, what `[server] agents` names, else what the folder's files define.
        login: Whether every request needs a key. Without, only requests of this machine are let in, as its single user.
        deps: Makes the `deps` of runs from the principal; may be async.
        settings: Instead of the workspace's `[server]`.
        reload: Whether the folder's Python files are imported anew when they change.
        jobs: Whether jobs are worked off and schedules are fired in this process, too.

    Raises:
        ConfigError: A setting is unusable.
    """
    held = workspace if isinstance(workspace, Workspace) else Path(workspace)
    section = settings or (held.settings if isinstance(held, Workspace) else read(held)).server
    setup = Setup(
        workspace=held, agents=tuple(agents), deps=deps, settings=section, login=login, reload=reload, jobs=jobs
    )  # fmt: skip

    @asynccontextmanager
    async def lifespan(made: FastAPI) -> AsyncIterator[None]:
        async with serving(setup) as server:
            made.state.server = server
            yield

    made = FastAPI(
        title="Segue", version=__version__, description=_ABOUT, lifespan=lifespan, openapi_url="/api/openapi.json",
        docs_url=None, redoc_url=None, generate_unique_id_function=lambda route: route.name,
    )  # fmt: skip
    made.state.setup = setup
    for router in (*ROUTERS, openai_api.router):
        made.include_router(router)
    add_pages(made)
    for kind in (SegueError, HTTPException, RequestValidationError, Exception):
        made.add_exception_handler(kind, _answer)

    def server() -> Server:
        found: Server = made.state.server
        return found

    made.add_middleware(Door, keys=lambda: server().keys, settings=section, login=login, now=lambda: server().now())
    if section.cors_origins:
        made.add_middleware(
            CORSMiddleware, allow_origins=list(section.cors_origins), allow_methods=["*"], allow_headers=["*"]
        )
    return made


async def _answer(request: Request, error: Exception) -> Response:
    return answer(error, request.url.path)
