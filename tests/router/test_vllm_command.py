from __future__ import annotations

import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from segue.base.errors import BadInput, ConfigError
from segue.router import RouterSettings
from segue.router.vllm_servers.command import ServerOptions, notes, server_command, server_environment, settings_lines
from segue.router.vllm_servers.families import FAMILIES, family_of
from segue.router.vllm_servers.installed import Installed, find_installed

VLLM = Installed()


def flags(command: list[str]) -> dict[str, str]:
    """Each flag with what follows it; empty for a flag alone."""
    following = [*command[1:], "--"]
    pairs = zip(command, following, strict=True)
    return {flag: "" if value.startswith("--") else value for flag, value in pairs if flag.startswith("--")}


@pytest.mark.parametrize(
    ("model", "tools", "reasoning"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", "hermes", ""),
        ("Qwen/Qwen3-32B", "hermes", "qwen3"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "hermes", ""),
        ("Qwen/Qwen3-30B-A3B-Thinking-2507", "hermes", "qwen3"),
        ("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3_coder", ""),
        ("Qwen/Qwen3.5-27B", "qwen3_coder", "qwen3"),
        ("Qwen/QwQ-32B", "hermes", "deepseek_r1"),
        ("NousResearch/Hermes-3-Llama-3.1-8B", "hermes", ""),
        ("meta-llama/Llama-3.1-8B-Instruct", "llama3_json", ""),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama3_json", ""),
        ("meta-llama/Llama-4-Scout-17B-16E-Instruct", "llama4_pythonic", ""),
        ("mistralai/Mistral-Small-3.2-24B-Instruct-2506", "mistral", ""),
        ("mistralai/Ministral-8B-Instruct-2410", "mistral", ""),
        ("mistralai/Magistral-Small-2506", "mistral", "mistral"),
        ("deepseek-ai/DeepSeek-V3-0324", "deepseek_v3", ""),
        ("deepseek-ai/DeepSeek-V3.1", "deepseek_v31", "deepseek_v3"),
        ("deepseek-ai/DeepSeek-V3.2", "deepseek_v32", "deepseek_v3"),
        ("deepseek-ai/DeepSeek-R1-0528", "deepseek_v3", "deepseek_r1"),
        ("deepseek-ai/DeepSeek-R1-Distill-Qwen-7B", "", "deepseek_r1"),
        ("openai/gpt-oss-120b", "openai", "openai_gptoss"),
        ("moonshotai/Kimi-K2-Instruct", "kimi_k2", ""),
        ("zai-org/GLM-4.5-Air", "glm45", "glm45"),
        ("zai-org/GLM-4.7", "glm47", "glm45"),
        ("MiniMaxAI/MiniMax-M2", "minimax_m2", "minimax_m2_append_think"),
        ("ibm-granite/granite-4.0-h-small", "granite4", ""),
        ("ibm-granite/granite-3.1-8b-instruct", "granite", ""),
        ("microsoft/Phi-4-mini-instruct", "phi4_mini_json", ""),
        ("/models/Qwen2.5-7B-Instruct/", "hermes", ""),
    ],
)
def test_a_model_gets_the_parsers_of_its_family(model: str, tools: str, reasoning: str) -> None:
    given = flags(server_command(model, ServerOptions(), VLLM))

    assert (given.get("--tool-call-parser", ""), given.get("--reasoning-parser", "")) == (tools, reasoning)
    assert ("--enable-auto-tool-choice" in given) is bool(tools)


def test_no_family_hides_behind_a_wider_one() -> None:
    hidden = [
        later.pattern
        for at, later in enumerate(FAMILIES)
        if any(earlier.pattern == later.pattern for earlier in FAMILIES[:at])
    ]

    assert hidden == []
    assert family_of("somebody/unheard-of-7b") is None


def test_a_command_has_what_agents_need_and_what_was_asked_for() -> None:
    options = ServerOptions(
        host="0.0.0.0",
        port=9000,
        served_name="main",
        max_model_len=32768,
        tensor_parallel=2,
        kv_dtype="fp8",
        loras={"sql": "/adapters/sql", "mail": "/adapters/mail"},
        max_lora_rank=32,
        extra=("--gpu-memory-utilization", "0.9"),
    )

    command = server_command("Qwen/Qwen3-32B", options, Installed(knows_strict_level=True))

    assert command == [
        "vllm", "serve", "Qwen/Qwen3-32B", "--host", "0.0.0.0", "--port", "9000", "--served-model-name", "main",
        "--enable-auto-tool-choice", "--tool-call-parser", "hermes", "--tool-strict-level", "parameter",
        "--reasoning-parser", "qwen3", "--enable-prefix-caching", "--enable-prompt-tokens-details",
        "--max-model-len", "32768", "--tensor-parallel-size", "2", "--kv-cache-dtype", "fp8",
        "--enable-lora", "--max-lora-rank", "32", "--lora-modules", "sql=/adapters/sql", "mail=/adapters/mail",
        "--gpu-memory-utilization", "0.9",
    ]  # fmt: skip


def test_a_version_that_does_not_know_the_strict_level_is_not_given_it() -> None:
    assert "--tool-strict-level" not in server_command("Qwen/Qwen3-32B", ServerOptions(), VLLM)


def test_where_the_vllm_command_does_not_work_its_module_is_run() -> None:
    command = server_command("m", ServerOptions(), Installed(python="/opt/python", script=""))

    assert command[:5] == ["/opt/python", "-m", "vllm.entrypoints.openai.api_server", "--model", "m"]


def test_a_parser_can_be_named_or_left_out() -> None:
    named = ServerOptions(tool_parser="pythonic", reasoning_parser="none")

    given = flags(server_command("Qwen/Qwen3-32B", named, VLLM))

    assert given["--tool-call-parser"] == "pythonic"
    assert "--reasoning-parser" not in given


def test_what_the_reader_must_know_is_said() -> None:
    assert "No tool parser is known for 'unheard-of'" in notes("unheard-of", ServerOptions())[0]
    assert notes("unheard-of", ServerOptions(tool_parser="none")) == []
    llama = "meta-llama/Llama-3.1-8B-Instruct"
    assert "tool_chat_template_llama3.1_json.jinja" in notes(llama, ServerOptions())[0]
    assert notes(llama, ServerOptions(extra=("--chat-template", "mine.jinja"))) == []
    assert notes("Qwen/Qwen3-32B", ServerOptions()) == []


def test_a_key_stands_in_the_servers_environment_and_nowhere_else() -> None:
    options = ServerOptions(api_key="env:KEY")
    environ = {"KEY": "s3cret", "HOME": "/h"}

    assert server_environment(options, environ) == {**environ, "VLLM_API_KEY": "s3cret"}
    assert not any("s3cret" in each or "KEY" in each for each in server_command("m", options, VLLM))
    assert "KEY" not in repr(options)
    with pytest.raises(ConfigError, match="needs the environment variable KEY"):
        server_environment(options, {})


def test_a_literal_key_and_a_half_adapter_are_refused() -> None:
    with pytest.raises(BadInput, match="--api-key: a secret must not stand in the settings itself") as refused:
        ServerOptions(api_key="s3cret")
    assert "s3cret" not in str(refused.value)
    with pytest.raises(BadInput, match="NAME=PATH"):
        ServerOptions(loras={"sql": ""})


def test_the_lines_for_the_settings_reach_the_model_and_each_adapter_on_routes_of_their_own() -> None:
    options = ServerOptions(
        host="0.0.0.0", port=9000, max_model_len=4096, api_key="env:KEY", loras={"sql v2": "/a", "qwen3-32b": "/b"}
    )

    settings = RouterSettings.from_tables(tomllib.loads(settings_lines("Qwen/Qwen3-32B", options)))

    assert {name: each.model for name, each in settings.deployments.items()} == {
        "qwen3-32b": "Qwen/Qwen3-32B",
        "sql-v2": "sql v2",
        "qwen3-32b-2": "qwen3-32b",
    }
    assert {name: each.deployments for name, each in settings.routes.items()} == {
        "default": ("qwen3-32b",),
        "sql-v2": ("sql-v2",),
        "qwen3-32b-2": ("qwen3-32b-2",),
    }
    first = settings.deployments["qwen3-32b"]
    assert (first.engine, first.url, first.context_tokens) == ("vllm", "http://127.0.0.1:9000/v1", 4096)
    assert first.api_key == "env:KEY"


def test_without_adapters_no_route_is_written_and_any_name_is_quoted() -> None:
    settings = RouterSettings.from_tables(tomllib.loads(settings_lines('C:\\m\\odd "name"', ServerOptions(host="::1"))))

    assert settings.routes == {}
    assert settings.deployments["odd-name"].model == 'C:\\m\\odd "name"'
    assert settings.deployments["odd-name"].url == "http://[::1]:8000/v1"


def test_a_python_is_asked_for_its_vllm_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "vllm"
    (package / "tool_parsers").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    found = find_installed(sys.executable)
    (package / "tool_parsers" / "tool_strict_level.py").touch()
    newer = find_installed(sys.executable)

    assert found is not None
    assert newer is not None
    assert (found.script, found.knows_strict_level, newer.knows_strict_level) == ("", False, True)


def test_a_python_without_vllm_has_none_and_one_that_does_not_run_is_an_error() -> None:
    if find_spec("vllm") is None:
        assert find_installed(sys.executable) is None
    with pytest.raises(ConfigError, match=r"cannot be asked for its vLLM.*--python"):
        find_installed("/nowhere/python")
