from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from segue.base.errors import ConfigError
from segue.router import DeploymentSettings, Router, RouterSettings
from segue.router.secrets import resolve

GOOD = """
[router]
default_route = "smart"

[deployments.local]
engine = "vllm"
endpoint = "http://127.0.0.1:8000/v1/"
model = "qwen"
context_tokens = 32768

[deployments.hosted]
model = "gpt-5-mini"
api_key = "env:OPENAI_API_KEY"
price = { input_usd_per_mtok = 0.25, output_usd_per_mtok = 2.0 }
headers = { X-Title = "segue" }

[routes.smart]
deployments = ["hosted", "local"]
policy = "weighted"
fallbacks = ["fast"]

[routes.fast]
deployments = ["local"]
temperature = 0.0

[tools.sql]
other = "room"
"""


def test_tables_become_settings_and_other_rooms_are_left_alone() -> None:
    settings = RouterSettings.from_tables(tomllib.loads(GOOD))

    assert settings.deployments["local"].url == "http://127.0.0.1:8000/v1"
    assert settings.deployments["hosted"].url == "https://api.openai.com/v1"
    assert settings.routes["smart"].fallbacks == ("fast",)
    assert Router(settings).default_route == "smart"


def deployments(**keys: Any) -> dict[str, Any]:
    return {"deployments": {"a": {"model": "m", **keys}}}


def routes(**keys: Any) -> dict[str, Any]:
    return {**deployments(), "routes": {"r": {"deployments": ["a"], **keys}}}


BAD: list[tuple[dict[str, Any], str]] = [
    (
        deployments(engine="antropic"),
        r"segue.toml: \[deployments.a\] engine: there is no engine 'antropic'; choose",
    ),
    (deployments(modell="m"), r"\[deployments.a\] has an unknown key 'modell'; the keys are: .*model"),
    (deployments(model=""), r"\[deployments.a\] engine 'openai' needs `model`"),
    (deployments(weight=0), r"\[deployments.a\] weight: "),
    (deployments(endpoint="127.0.0.1:8000"), r"endpoint: a URL such as http://127.0.0.1:8000/v1 is wanted"),
    (deployments(endpoint="https://me:secret@host/v1"), r"endpoint: a URL must not hold a password"),
    (deployments(engine="langchain"), r"needs `target`"),
    (deployments(price={"input_usd_per_mtok": -1, "output_usd_per_mtok": 1}), r"price.input_usd_per_mtok: "),
    (deployments(headers={"X-Api-Key": "secret"}), r"header 'X-Api-Key' looks like a secret"),
    (deployments(api_key="sk-secret"), r'api_key: a secret must not stand in the settings itself. Write .*"env:NAME"'),
    ({"deployments": []}, r"\[deployments\] is a table of tables"),
    ({"router": 1}, r"\[router\] is a table, not int"),
    ({"router": {"defaultroute": "r"}}, r"unknown key 'defaultroute'"),
    (routes(deployments=["b"]), r"\[routes.r\] names no deployment 'b'; there are: a"),
    (routes(deployments=[]), r"\[routes.r\] deployments: "),
    (routes(policy="best"), r"\[routes.r\] policy: .*'predicted', 'fastest', 'first'"),
    (routes(fallbacks=["q"]), r"\[routes.r\] falls back to no route 'q'; there are: r"),
    (routes(fallbacks=["r"]), r"the fallbacks of route 'r' go round: r -> r"),
    ({**routes(), "router": {"default_route": "q"}}, r"default_route is no route 'q'; there are: r"),
]


@pytest.mark.parametrize(("tables", "message"), BAD, ids=[message[:50] for _, message in BAD])
def test_what_is_unusable_is_named_with_its_table_and_key_and_its_value_is_not_shown(
    tables: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        RouterSettings.from_tables(tables)

    assert "secret@" not in str(caught.value)
    assert "sk-secret" not in str(caught.value)


def test_a_deployment_made_in_code_is_checked_the_same_way() -> None:
    with pytest.raises(ConfigError, match="a secret must not stand"):
        DeploymentSettings(model="m", api_key="sk-secret")


def test_neither_key_nor_headers_are_in_the_repr() -> None:
    settings = DeploymentSettings(model="m", api_key="env:KEY", headers={"X-Team": "blue"})

    assert "KEY" not in repr(settings)
    assert "blue" not in repr(settings)


def test_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("abc\n", encoding="utf-8")

    assert resolve(f"file:{tmp_path / 'key'}") == "abc"


def test_a_secret_that_is_not_there_says_where_it_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()

    with pytest.raises(ConfigError, match=r"'a' needs a secret from the file .*nothing"):
        resolve(f"file:{tmp_path / 'nothing'}", wanted_by="deployment 'a'")
    with pytest.raises(ConfigError, match="which is empty"):
        resolve(f"file:{tmp_path / 'empty'}")
    with pytest.raises(ConfigError, match="environment variable NAME, which is not set"):
        resolve("env:NAME", {})
