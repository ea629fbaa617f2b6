"""What a host can do: reading, writing, side by side, in memory, and what it costs.

In: a TOML or JSON file, or nothing. Out: `HostFigures`, with the place that they are known from. The figures that stand
here are of the order of a model of 30 billion parameters on one H100. They are assumptions: compare alternatives by
them, and do not read their seconds as a forecast before they are learned from generations of one's own.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from segue.base.errors import ConfigError, names

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]

ASSUMED = "assumed"


class HostFigures(BaseModel):
    """One host."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    kind: Literal["served", "hosted"] = "served"
    """`served` batches on its own hardware, as vLLM does; `hosted` is an API that is as fast however much it has."""
    speed: Positive = 1.0
    """All its times are divided by this."""
    max_seqs: int = Field(default=96, ge=1)
    """Requests side by side in its batch; more wait in its queue."""
    kv_tokens: int = Field(default=400_000, ge=1024)
    """Tokens that fit into its memory: of requests that run, and of earlier ones that it still holds."""
    chunk_tokens: int = Field(default=2048, ge=1)
    """Tokens that are read in one step of its batch."""
    read_tokens_s: Positive = 14_000.0
    """Tokens that it reads in a second, beside the fixed cost of a step."""
    token_s: Positive = 0.010
    """Seconds for a token of an answer where it has nothing else to do: the fixed cost of a step."""
    beside_s: NotNegative = 0.00012
    """Seconds that each request in the batch adds to a step."""
    held_s: NotNegative = 2.5e-8
    """Seconds that each token of the requests in the batch adds to a step."""
    first_token_s: NotNegative = 0.0
    """Seconds before the first token that have nothing to do with reading: the way there, a queue of others."""
    usd_per_hour: NotNegative = 0.0
    """What the host costs, whether it has work or not."""
    input_usd_per_mtok: NotNegative | None = None
    """`None` takes the price of its deployment."""
    output_usd_per_mtok: NotNegative | None = None
    cached_usd_per_mtok: NotNegative | None = None
    source: str = ASSUMED
    """Where the figures are known from."""


HOSTED = HostFigures(kind="hosted", kv_tokens=4_000_000, read_tokens_s=20_000.0, token_s=0.012, first_token_s=0.4)
"""An API that somebody else runs; as much an assumption."""


def read_figures(path: Path, *, source: str = "") -> dict[str, dict[str, Any]]:
    """What a file says of hosts, by name: the tables `[simulate.hosts.NAME]` of TOML, or the same in JSON.

    Each table is checked by itself and may leave out what it does not know. `source` is said of those that say none.

    Raises:
        ConfigError: It cannot be read, or a figure does not fit. The message names the file, the host and the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, UnicodeDecodeError) as error:
        kind = "JSON" if path.suffix == ".json" else "TOML"
        raise ConfigError(f"{path} is not valid {kind}: {error}.") from None
    section = data.get("simulate") if isinstance(data, Mapping) else None
    tables = section.get("hosts") if isinstance(section, Mapping) else None
    if not isinstance(tables, Mapping):
        raise ConfigError(f"{path} has no tables [simulate.hosts.NAME].")
    out: dict[str, dict[str, Any]] = {}
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            raise ConfigError(f"{path}: [simulate.hosts.{name}] is a table, not {type(table).__name__}.")
        figures(f"{path}: [simulate.hosts.{name}]", HostFigures(), table)
        out[name] = {"source": source or path.name, **table}
    return out


def figures(where: str, usual: HostFigures, known: Mapping[str, Any]) -> HostFigures:
    """The usual figures with those that are known instead; `where` is what errors name.

    Raises:
        ConfigError: One does not fit.
    """
    try:
        return HostFigures.model_validate({**usual.model_dump(), **known})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise ConfigError(f"{where} has no figure {key!r}; there are: {names(HostFigures.model_fields)}.") from None
        raise ConfigError(f"{where} {key}: {first['msg']}.") from None


def as_toml(held: Mapping[str, HostFigures]) -> str:
    """The figures as `read_figures` reads them."""
    lines = []
    for name, each in held.items():
        lines.append(f"[simulate.hosts.{json.dumps(name)}]")
        lines += [f"{key} = {json.dumps(value)}" for key, value in each.model_dump(exclude_none=True).items()]
        lines.append("")
    return "\n".join(lines)
