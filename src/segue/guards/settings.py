"""Settings of the guards: `[guards]`."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class GuardsSection(BaseModel):
    """`[guards]`: how the gate judges tool calls in runs."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    gate: Literal["strict", "standard", "observe"] = "standard"
    """`standard`: the calls of tools that declare something are judged by what they declare, once the run has read
    what others could have written. `strict`: every tool is, by what it declares and what is derived, from the first
    call on, within a plan that is read out of the request. `observe`: as `strict`, and nothing is held back."""
    tools: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """`[guards.tools.NAME]`: what a tool declares, over what its code says. See `segue.tools.Declaration`."""
