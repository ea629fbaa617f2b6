"""Which parsers of vLLM a model needs: its name in, the names of its tool parser and its reasoning parser out.

Every family writes tool calls and thoughts in a way of its own, and vLLM is told which by a flag. The table follows
https://docs.vllm.ai/en/stable/features/tool_calling/ and https://docs.vllm.ai/en/stable/features/reasoning_outputs/.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Family:
    """Models that write alike."""

    pattern: str
    """Found in the lower-cased last part of the model's name."""
    tools: str = ""
    """For `--tool-call-parser`; empty where the family has none."""
    reasoning: str = ""
    """For `--reasoning-parser`; empty where the family does not think aloud."""
    template: str = ""
    """A chat template that vLLM's docs recommend; it lies in the `examples` of vLLM's repository, not in its wheel."""


FAMILIES: tuple[Family, ...] = tuple(
    Family(pattern=pattern, tools=tools, reasoning=reasoning, template=template)
    for pattern, tools, reasoning, template in (
        (r"hermes-(2-pro|2-theta|3|4)", "hermes", "", ""),
        (r"xlam", "xlam", "", ""),
        (r"toolace", "pythonic", "", "tool_chat_template_toolace.jinja"),
        (r"deepseek-r1-distill", "", "deepseek_r1", ""),
        (r"qwq", "hermes", "deepseek_r1", ""),
        (r"qwen3-coder", "qwen3_coder", "", ""),
        (r"qwen3\.[5-9]", "qwen3_coder", "qwen3", ""),
        (r"qwen3-.*instruct", "hermes", "", ""),
        (r"qwen3", "hermes", "qwen3", ""),
        (r"qwen2\.5", "hermes", "", ""),
        (r"gpt-oss", "openai", "openai_gptoss", ""),
        (r"llama-?4", "llama4_pythonic", "", "tool_chat_template_llama4_pythonic.jinja"),
        (r"llama-?3\.2", "llama3_json", "", "tool_chat_template_llama3.2_json.jinja"),
        (r"llama-?3\.[13]", "llama3_json", "", "tool_chat_template_llama3.1_json.jinja"),
        (r"magistral", "mistral", "mistral", ""),
        (r"mistral|ministral|mixtral|devstral", "mistral", "", ""),
        (r"deepseek-v4\.1", "deepseek_v41", "deepseek_v41", ""),
        (r"deepseek-v4", "deepseek_v4", "deepseek_v4", ""),
        (r"deepseek-v3\.2", "deepseek_v32", "deepseek_v3", ""),
        (r"deepseek-v3\.1", "deepseek_v31", "deepseek_v3", "tool_chat_template_deepseekv31.jinja"),
        (r"deepseek-v3", "deepseek_v3", "", "tool_chat_template_deepseekv3.jinja"),
        (r"deepseek-r1", "deepseek_v3", "deepseek_r1", "tool_chat_template_deepseekr1.jinja"),
        (r"kimi-k3", "kimi_k3", "kimi_k3", ""),
        (r"kimi-k2.*thinking", "kimi_k2", "kimi_k2", ""),
        (r"kimi-k2", "kimi_k2", "", ""),
        (r"glm-4\.7", "glm47", "glm45", ""),
        (r"glm-4\.[56]", "glm45", "glm45", ""),
        (r"minimax-m3", "minimax_m3", "minimax_m3", ""),
        (r"minimax-m2", "minimax_m2", "minimax_m2_append_think", ""),
        (r"granite-20b-functioncalling", "granite-20b-fc", "", "tool_chat_template_granite_20b_fc.jinja"),
        (r"granite-4", "granite4", "", ""),
        (r"granite-3\.0", "granite", "", "tool_chat_template_granite.jinja"),
        (r"granite-3", "granite", "", ""),
        (r"internlm2", "internlm", "", "tool_chat_template_internlm2_tool.jinja"),
        (r"jamba", "jamba", "", ""),
        (r"hunyuan-a13b", "hunyuan_a13b", "hunyuan_a13b", ""),
        (r"command-a-reasoning", "cohere_command3", "cohere_command3", ""),
        (r"command-a-plus", "cohere_command4", "cohere_command4", ""),
        (r"longcat", "longcat", "", ""),
        (r"functiongemma", "functiongemma", "", "tool_chat_template_functiongemma.jinja"),
        (r"gemma-4", "gemma4", "gemma4", ""),
        (r"olmo-?3.*think", "olmo3", "olmo3", ""),
        (r"olmo-?3", "olmo3", "", ""),
        (r"gigachat3", "gigachat3", "", ""),
        (r"apertus", "apertus", "", "tool_chat_template_apertus.jinja"),
        (r"phi-4-mini", "phi4_mini_json", "", ""),
        (r"seed-oss", "seed_oss", "seed_oss", ""),
        (r"ernie-4\.5", "ernie45", "ernie45", ""),
    )
)
"""The first that fits counts: a narrower pattern stands before a wider one."""


def family_of(model: str) -> Family | None:
    """The family of a model by its name or its path; `None` where none fits."""
    name = re.split(r"[/\\]", model.rstrip("/\\"))[-1].lower()
    return next((family for family in FAMILIES if re.search(family.pattern, name)), None)
