"""An endpoint that cannot be one is refused when it is set."""

from __future__ import annotations

import pytest

from segue.base.errors import ConfigError
from segue.router import DeploymentSettings


def test_a_query_in_an_endpoint_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="endpoint: ") as caught:
        DeploymentSettings(endpoint="http://127.0.0.1:8000/v1?key=hush-hush", model="m")

    assert "hush" not in str(caught.value)


def test_a_fragment_in_an_endpoint_is_refused() -> None:
    with pytest.raises(ConfigError, match="endpoint: "):
        DeploymentSettings(endpoint="http://127.0.0.1:8000/v1#x", model="m")


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/v1", "http://a:b/v1", "http://a b/v1", "http://a..b/v1"])
def test_a_host_or_port_that_cannot_be_is_refused_when_it_is_set(url: str) -> None:
    with pytest.raises(ConfigError, match="endpoint: "):
        DeploymentSettings(endpoint=url, model="m")
