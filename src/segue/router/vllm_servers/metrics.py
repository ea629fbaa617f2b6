"""The figures of a vLLM server: the text of its `/metrics` in, what a router reads of it out.

Summed over the engines and models of the server. Names of older versions (`gpu_cache_usage_perc`,
`gpu_prefix_cache_*`) count where the newer ones are missing; families that are not read here are passed over.
The text is scanned for a dozen names: the parser of `prometheus_client` reads everything and takes many times as long.
What the names mean: https://docs.vllm.ai/en/stable/usage/metrics.html.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from segue.base.patterns import lazy_pattern
from segue.router.errors import EndpointFailed
from segue.router.sessions import Sessions
from segue.router.settings import DeploymentSettings
from segue.router.vllm_servers.asking import Server

_RUNNING = ("num_requests_running",)
_WAITING = ("num_requests_waiting",)
_KV_USAGE = ("kv_cache_usage_perc", "gpu_cache_usage_perc")
_GENERATION = ("generation_tokens_total",)
_PROMPT = ("prompt_tokens_total",)
_QUERIES = ("prefix_cache_queries_total", "gpu_prefix_cache_queries_total")
_HITS = ("prefix_cache_hits_total", "gpu_prefix_cache_hits_total")
_PREEMPTIONS = ("num_preemptions_total",)
_REJECTIONS = ("admission_rejections_total",)
_CACHE = "cache_config_info"
_SLEEP = "engine_sleep_state"

_READ = (
    *_RUNNING, *_WAITING, *_KV_USAGE, *_GENERATION, *_PROMPT, *_QUERIES, *_HITS, *_PREEMPTIONS, *_REJECTIONS, _CACHE,
    _SLEEP,
)  # fmt: skip
_SAMPLE = lazy_pattern(rf"^vllm:({'|'.join(_READ)})(?:\{{(.*)\}})? ([^ \n]+)", re.MULTILINE)
_LABEL = lazy_pattern(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, kw_only=True)
class VllmMetrics:
    """What a vLLM server says of itself at one moment. Counters start at 0 with the server."""

    running: int = 0
    """Requests in the batch."""
    waiting: int = 0
    """Requests in the server's own queue."""
    kv_usage: float = 0.0
    """How much of the KV cache is taken, 0 to 1; the mean of its engines."""
    generation_tokens: int = 0
    """Counter: tokens generated."""
    prompt_tokens: int = 0
    """Counter: tokens of prompts, cached ones too."""
    prefix_queries: int = 0
    """Counter: tokens that were looked up in the prefix cache."""
    prefix_hits: int = 0
    """Counter: tokens that were found there."""
    preemptions: int = 0
    """Counter: requests put back because the KV cache was full."""
    rejections: int = 0
    """Counter: requests that were not admitted."""
    kv_tokens: int | None = None
    """Tokens that fit into the KV cache; `None` where it is not told."""
    block_size: int | None = None
    """Tokens of a block of the KV cache: what is cached is whole blocks. `None` where it is not told."""
    prefix_caching: bool | None = None
    """`None` where it is not told."""
    asleep: bool = False
    """Whether an engine was put to sleep: its weights are out of the way, and it answers nothing."""
    engines: int = 0
    """How many engines the server has; 0 says that these are no figures of vLLM."""

    @property
    def hit_rate(self) -> float | None:
        """The part of looked-up tokens that were found since the start; `None` before the first look."""
        return self.prefix_hits / self.prefix_queries if self.prefix_queries else None


@dataclass
class _Sum:
    """One family, summed over its samples."""

    value: float = 0.0
    samples: int = 0

    def add(self, value: float) -> None:
        self.value += value
        self.samples += 1


@dataclass
class _Read:
    """What the scan has found so far."""

    sums: dict[str, _Sum] = field(default_factory=dict)
    caches: list[dict[str, str]] = field(default_factory=list)
    asleep: bool = False

    def total(self, names: tuple[str, ...]) -> int:
        return int(self._sum(names).value)

    def mean(self, names: tuple[str, ...]) -> float:
        found = self._sum(names)
        return found.value / found.samples if found.samples else 0.0

    def samples(self, names: tuple[str, ...]) -> int:
        return self._sum(names).samples

    def _sum(self, names: tuple[str, ...]) -> _Sum:
        return next((self.sums[name] for name in names if name in self.sums), _Sum())


def read_metrics(text: str) -> VllmMetrics:
    """The figures in the text of a `/metrics`; what is missing is 0 or `None`, what is no number counts as 0."""
    read = _Read()
    for name, labels, number in _SAMPLE.findall(text):
        value = _number(number)
        if name == _CACHE:
            read.caches.append(_labels(labels))
        elif name == _SLEEP:
            read.asleep = read.asleep or _says_asleep(_labels(labels), value)
        else:
            read.sums.setdefault(name, _Sum()).add(value)
    return VllmMetrics(
        running=read.total(_RUNNING),
        waiting=read.total(_WAITING),
        kv_usage=read.mean(_KV_USAGE),
        generation_tokens=read.total(_GENERATION),
        prompt_tokens=read.total(_PROMPT),
        prefix_queries=read.total(_QUERIES),
        prefix_hits=read.total(_HITS),
        preemptions=read.total(_PREEMPTIONS),
        rejections=read.total(_REJECTIONS),
        kv_tokens=_kv_tokens(read.caches),
        block_size=next((size for cache in read.caches if (size := _whole(cache.get("block_size")))), None),
        prefix_caching=_prefix_caching(read.caches),
        asleep=read.asleep,
        engines=read.samples(_RUNNING),
    )


async def scrape(
    settings: DeploymentSettings,
    *,
    name: str,
    sessions: Sessions,
    environ: Mapping[str, str] | None = None,
    timeout_s: float = 2.0,
) -> VllmMetrics:
    """Read the figures of a deployment's server; `name` is what errors call it.

    Raises:
        AttemptError: There is no answer within `timeout_s`, it is no 200, or there is nothing of vLLM in it.
        ConfigError: A secret that the deployment refers to is not there.
    """
    server = Server(name, settings, sessions=sessions, environ=environ, timeout_s=timeout_s)
    said = await server.get("/metrics")
    if said.status != 200:
        raise server.error(said)
    metrics = read_metrics(said.text())
    if not metrics.engines:
        raise EndpointFailed(
            name,
            f"gives no figures of vLLM at {server.base}/metrics",
            way_out="Is it a vLLM server, and not started with --disable-log-stats?",
        )
    return metrics


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _labels(text: str) -> dict[str, str]:
    return dict(_LABEL.findall(text))


def _says_asleep(labels: Mapping[str, str], value: float) -> bool:
    """One sample for each state an engine may be in; that of its state is 1."""
    return value >= 1 and labels.get("sleep_state", "awake") != "awake"


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdigit() else None


def _kv_tokens(caches: list[dict[str, str]]) -> int | None:
    told = [size for cache in caches if (size := _kv_tokens_of(cache))]
    return sum(told) if told else None


def _kv_tokens_of(cache: Mapping[str, str]) -> int | None:
    """As newer versions tell it themselves; else by its blocks, which is the same unless layers differ."""
    blocks, size = _whole(cache.get("num_gpu_blocks")), _whole(cache.get("block_size"))
    return _whole(cache.get("kv_cache_size_tokens")) or (blocks * size if blocks and size else None)


def _prefix_caching(caches: list[dict[str, str]]) -> bool | None:
    told = [cache["enable_prefix_caching"] == "True" for cache in caches if "enable_prefix_caching" in cache]
    return all(told) if told else None
