"""A vLLM server in the foreground: started, waited for, told of signals, and ended with its exit code."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from segue.base.errors import OperatorError
from segue.router.errors import AttemptError
from segue.router.sessions import Sessions
from segue.router.settings import DeploymentSettings
from segue.router.vllm_servers.asking import Server
from segue.router.vllm_servers.command import ServerOptions, server_environment

_LOOK_S = 1.0
_END_S = 10.0


def shown(command: Sequence[str], options: ServerOptions) -> str:
    """The command as one can paste it into a shell; of the key it shows where it comes from."""
    line = " ".join(f"\\\n    {each}" if each.startswith("--") else each for each in map(shlex.quote, command))
    kind, _, where = options.api_key.partition(":")
    if not kind:
        return line
    value = f'"${where}"' if kind == "env" else f'"$(cat {shlex.quote(where)})"'
    return f"VLLM_API_KEY={value} {line}"


async def serve(command: Sequence[str], options: ServerOptions, *, environ: Mapping[str, str], wait_s: float) -> int:
    """Run a server to its end; its exit code. SIGINT and SIGTERM are passed on to it.

    Raises:
        ConfigError: The key that it should ask for is not there.
        OperatorError: Its port is taken, it does not start, it ends before it is healthy, or `wait_s` passes first.
    """
    variables = server_environment(options, environ)
    await _refuse_taken(_own_host(options), options.port)
    try:
        # A session of its own: what the terminal sends to this process, it gets from this process alone, and once.
        process = await asyncio.create_subprocess_exec(
            *command, env=variables, stdin=asyncio.subprocess.DEVNULL, start_new_session=True
        )
    except OSError as error:
        raise OperatorError(f"{command[0]} does not start: {error.strerror or error}.") from error
    told: list[int] = []
    try:
        with _passing_on(process, told):
            await _until_healthy(process, options, told, wait_s)
            return _code(await process.wait(), told)
    finally:
        await _ended(process)


async def _until_healthy(process: Process, options: ServerOptions, told: Sequence[int], wait_s: float) -> None:
    """Wait for `/health`; comes back early where the server was told to end."""
    host = _own_host(options)
    url = f"http://{f'[{host}]' if ':' in host else host}:{options.port}/v1"
    sessions = Sessions()
    server = Server("the server", DeploymentSettings(engine="vllm", endpoint=url, model="-"), sessions=sessions)
    try:
        async with asyncio.timeout(wait_s):
            while not await _is_healthy(server):
                if await _ends_within(process, _LOOK_S):
                    break
    except TimeoutError:
        raise OperatorError(
            f"the server was not healthy within {wait_s:g} s.", way_out="Give it more time with --wait-s."
        ) from None
    finally:
        await sessions.aclose()
    if process.returncode is not None and not told:
        raise OperatorError(
            f"the server ended with {process.returncode} before it was healthy.", way_out="See what it said above."
        )
    if process.returncode is None:
        print(f"ready at {url}; segue vllm check {url} looks at it", file=sys.stderr, flush=True)


async def _is_healthy(server: Server) -> bool:
    try:
        return (await server.get("/health")).status == 200
    except AttemptError:
        return False


async def _ends_within(process: Process, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await process.wait()
    return process.returncode is not None


async def _refuse_taken(host: str, port: int) -> None:
    """Another server on the port would pass for this one."""
    try:
        async with asyncio.timeout(_LOOK_S):
            _, writer = await asyncio.open_connection(host, port)
    except (TimeoutError, OSError):
        return
    writer.close()
    raise OperatorError(f"port {port} is taken: something answers there.", way_out="Choose another with --port.")


def _own_host(options: ServerOptions) -> str:
    """The address at which this machine reaches the server."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)


@contextmanager
def _passing_on(process: Process, told: list[int]) -> Iterator[None]:
    def pass_on(number: int) -> None:
        told.append(number)
        if process.returncode is None:
            process.send_signal(number)

    loop, numbers = asyncio.get_running_loop(), (signal.SIGINT, signal.SIGTERM)
    for number in numbers:
        loop.add_signal_handler(number, pass_on, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _code(returned: int, told: Sequence[int]) -> int:
    """Its exit code; one that was told to end and did so has done well."""
    if told and returned in (0, *(-number for number in told), *(128 + number for number in told)):
        return 0
    return returned if returned >= 0 else 128 - returned


async def _ended(process: Process) -> None:
    """Leave no server behind, nor its workers, which are in its session."""
    if process.returncode is None:
        process.terminate()
        await _ends_within(process, _END_S)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
