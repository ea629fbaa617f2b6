"""The command that serves a model with vLLM, set up for agents, and the lines of `segue.toml` that reach it.

In: a model and what is wanted of its server. Out: arguments, variables and text; running them is the command line's
business (`segue vllm up`). A key is never an argument, which everybody on the machine can read: it goes into the
server's environment, as `VLLM_API_KEY`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from segue.base.errors import BadInput
from segue.router.secrets import check_reference, resolve
from segue.router.vllm_servers.families import family_of
from segue.router.vllm_servers.installed import MODULE, Installed

NONE = "none"
"""In place of a parser's name: none, whatever the model is."""


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """What is wanted of a server beside its model."""

    host: str = "127.0.0.1"
    port: int = 8000
    served_name: str = ""
    """What requests call the model; empty is the model's own name."""
    tool_parser: str = ""
    """Empty goes by the model's family; `none` is none."""
    reasoning_parser: str = ""
    """As `tool_parser`."""
    max_model_len: int | None = None
    tensor_parallel: int = 1
    kv_dtype: str = ""
    """Such as `fp8`; empty leaves it to vLLM."""
    api_key: str = field(default="", repr=False)
    """A reference to the key that clients must give; empty for none."""
    loras: Mapping[str, str] = field(default_factory=dict)
    """Adapters: the name that requests call each by, and where it lies."""
    max_lora_rank: int | None = None
    extra: tuple[str, ...] = ()
    """Further arguments, put at the end as they stand."""

    def __post_init__(self) -> None:
        if self.api_key:
            try:
                check_reference(self.api_key)
            except ValueError as error:
                raise BadInput(f"--api-key: {error}") from None
        for name, path in self.loras.items():
            if not name or not path:
                raise BadInput(f"--lora wants NAME=PATH, not {f'{name}={path}'!r}.")


def server_command(model: str, options: ServerOptions, installed: Installed) -> list[str]:
    """The command, argument by argument; `installed` says which vLLM it is for."""
    tools, reasoning = parsers(model, options)
    command = [installed.script, "serve", model] if installed.script else [installed.python, "-m", MODULE]
    if not installed.script:
        command += ["--model", model]
    command += ["--host", options.host, "--port", str(options.port)]
    if options.served_name:
        command += ["--served-model-name", options.served_name]
    if tools:
        command += ["--enable-auto-tool-choice", "--tool-call-parser", tools]
        if installed.knows_strict_level:
            command += ["--tool-strict-level", "parameter"]
    if reasoning:
        command += ["--reasoning-parser", reasoning]
    command += ["--enable-prefix-caching", "--enable-prompt-tokens-details"]
    if options.max_model_len is not None:
        command += ["--max-model-len", str(options.max_model_len)]
    if options.tensor_parallel != 1:
        command += ["--tensor-parallel-size", str(options.tensor_parallel)]
    if options.kv_dtype:
        command += ["--kv-cache-dtype", options.kv_dtype]
    if options.loras:
        command += ["--enable-lora"]
        if options.max_lora_rank is not None:
            command += ["--max-lora-rank", str(options.max_lora_rank)]
        command += ["--lora-modules", *(f"{name}={path}" for name, path in options.loras.items())]
    return [*command, *options.extra]


def server_environment(options: ServerOptions, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of the server: the given one, with the key in it where there is one.

    Raises:
        ConfigError: The key that is referred to is not there.
    """
    if not options.api_key:
        return dict(environ)
    return {**environ, "VLLM_API_KEY": resolve(options.api_key, environ, wanted_by="the server's --api-key")}


def parsers(model: str, options: ServerOptions) -> tuple[str, str]:
    """The tool parser and the reasoning parser: as wanted, else the family's, else empty."""
    family = family_of(model)
    return (
        _parser(options.tool_parser, family.tools if family else ""),
        _parser(options.reasoning_parser, family.reasoning if family else ""),
    )


def notes(model: str, options: ServerOptions) -> list[str]:
    """What the reader of the command should know of it, a sentence each."""
    family, (tools, _) = family_of(model), parsers(model, options)
    out = []
    if not tools and options.tool_parser != NONE:
        out.append(
            f"No tool parser is known for {model!r}, so its server refuses agents with tools: "
            "name one with --tool-parser, or --tool-parser none to do without."
        )
    if family and family.template and tools == family.tools and "--chat-template" not in options.extra:
        out.append(
            f"vLLM recommends a chat template for tools with this model, {family.template} of the examples in its "
            "repository: add -- --chat-template PATH."
        )
    return out


def settings_lines(model: str, options: ServerOptions) -> str:
    """Tables for `segue.toml`: a deployment and a route for the model, and for each adapter."""
    host = f"[{options.host}]" if ":" in options.host else options.host
    if host in ("0.0.0.0", "[::]"):
        host = "127.0.0.1"
    names = _table_names(options.served_name or model, options.loras)
    lines: list[str] = []
    for name, served in names.items():
        lines += [
            f"[deployments.{name}]",
            'engine = "vllm"',
            f'endpoint = "http://{host}:{options.port}/v1"',
            f"model = {_text(served)}",
            *([f"context_tokens = {options.max_model_len}"] if options.max_model_len else []),
            *([f"api_key = {_text(options.api_key)}"] if options.api_key else []),
            "",
        ]
    for number, name in enumerate(names):  # without routes, an adapter would stand in for the model
        if options.loras:
            lines += [f"[routes.{name if number else 'default'}]", f'deployments = ["{name}"]', ""]
    return "\n".join(lines).strip() + "\n"


def _parser(wanted: str, own: str) -> str:
    return "" if wanted == NONE else wanted or own


def _table_names(model: str, loras: Mapping[str, str]) -> dict[str, str]:
    """For the model and each adapter a name that TOML takes bare, each one once."""
    out: dict[str, str] = {}
    for served in (model, *loras):
        stem = re.sub(r"[^a-z0-9]+", "-", re.split(r"[/\\]", served.rstrip("/\\"))[-1].lower()).strip("-") or "vllm"
        name, number = stem, 2
        while name in out or (out and name == "default"):
            name, number = f"{stem}-{number}", number + 1
        out[name] = served
    return out


def _text(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
