"""Findings: what was seen of one property of a server, what it is for, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "missing", "unknown"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One property of a server."""

    name: str
    state: State
    detail: str
    """What was seen."""
    purpose: str
    """What it is for."""
    mend: str = ""
    """The flag or the setting that mends it; empty where it is ok."""


@dataclass(frozen=True, kw_only=True)
class Property:
    """What is looked for."""

    name: str
    purpose: str
    mend: str

    def ok(self, detail: str) -> Finding:
        """It is there."""
        return Finding(name=self.name, state="ok", detail=detail, purpose=self.purpose)

    def missing(self, detail: str, *, mend: str | None = None) -> Finding:
        """It is not there."""
        mend = self.mend if mend is None else mend
        return Finding(name=self.name, state="missing", detail=detail, purpose=self.purpose, mend=mend)

    def unknown(self, detail: str) -> Finding:
        """It could not be seen."""
        return Finding(name=self.name, state="unknown", detail=detail, purpose=self.purpose, mend=self.mend)


REACHABLE = Property(
    name="reachable",
    purpose="generations go to it",
    mend="Start the server, or mend `endpoint` in the settings.",
)
VERSION = Property(name="version", purpose="says what the server knows", mend="Is it a vLLM server?")
MODEL = Property(
    name="model",
    purpose="requests name it",
    mend="Mend `model` in the settings, or serve it: --served-model-name, --lora-modules.",
)
CONTEXT = Property(
    name="context",
    purpose="the router sends no conversation that does not fit",
    mend="Set `context_tokens` in the settings.",
)
METRICS = Property(
    name="metrics",
    purpose="the router sees load, a full KV cache and an engine that hangs",
    mend="Start it without --disable-log-stats.",
)
AWAKE = Property(name="awake", purpose="a sleeping engine answers nothing", mend="Wake it: POST /wake_up.")
PREFIX = Property(
    name="prefix caching",
    purpose="a turn of an agent computes only what is new in its prompt",
    mend="--enable-prefix-caching",
)
GENERATION = Property(
    name="one token", purpose="the engine answers at all, and how fast", mend="See the log of the server."
)
CACHED = Property(
    name="cached tokens",
    purpose="usage tells how much of a prompt was cached: for prices, and for choosing the host that has it",
    mend="--enable-prompt-tokens-details",
)
STREAM_USAGE = Property(
    name="usage in streams", purpose="tokens are counted, not estimated", mend="Update vLLM: stream_options is ignored."
)
TOOLS = Property(
    name="tools",
    purpose="arguments fit the tool's schema",
    mend="Update vLLM; see --structured-outputs-config.",
)
AUTO_TOOLS = Property(
    name="automatic tools",
    purpose="an agent chooses for itself whether it calls a tool",
    mend="--enable-auto-tool-choice --tool-call-parser NAME",
)
STRUCTURED = Property(
    name="structured output",
    purpose="typed answers and plans fit their schema",
    mend="See --structured-outputs-config.",
)
AFTER_ANSWER = (GENERATION, CACHED, STREAM_USAGE, TOOLS, AUTO_TOOLS, STRUCTURED)
"""What only generations show."""
