from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from segue.base.errors import ConfigError, OperatorError
from segue.router import DeploymentSettings
from segue.router.discovery import Discovery, DnsFleet, FileFleet, FleetChange, addresses_of, compare, discovery

TEMPLATE = DeploymentSettings(engine="vllm", model="m", api_key="env:KEY", weight=2)


def entry(name: str, **more: object) -> dict[str, object]:
    return {"name": name, "engine": "vllm", "endpoint": f"http://{name}:8000/v1", "model": "m", **more}


def write(path: Path, *entries: dict[str, object]) -> Path:
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


class Names:
    """What DNS says, in the test's hand."""

    def __init__(self, *addresses: str) -> None:
        self.addresses: Sequence[str] | OSError = addresses

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        if isinstance(self.addresses, OSError):
            raise self.addresses
        return self.addresses


class Watched:
    """A discovery that is watched, and what it told."""

    def __init__(self, source: Discovery, fleet: dict[str, DeploymentSettings] | None = None) -> None:
        self.told: asyncio.Queue[FleetChange] = asyncio.Queue()
        self.source = source
        self._task = asyncio.ensure_future(source.watch(self.told.put, fleet=fleet, every_s=0.005))

    async def __aenter__(self) -> Watched:
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self._task

    async def next(self) -> FleetChange:
        async with asyncio.timeout(10):
            return await self.told.get()

    async def problem(self, wanted: bool) -> str:
        async with asyncio.timeout(10):
            while bool(self.source.problem) is not wanted:  # noqa: ASYNC110 - no event, but what a look leaves behind
                await asyncio.sleep(0.001)
        return self.source.problem


async def test_a_fleet_is_read_from_json_as_a_list_or_under_deployments(tmp_path: Path) -> None:
    listed = write(tmp_path / "a.json", entry("a"), entry("b", weight=2))
    under = tmp_path / "b.json"
    under.write_text(json.dumps({"deployments": [entry("a"), entry("b", weight=2)]}), encoding="utf-8")

    fleet = await FileFleet(listed).load()

    assert list(fleet) == ["a", "b"]
    assert (fleet["b"].url, fleet["b"].weight, fleet["b"].engine) == ("http://b:8000/v1", 2, "vllm")
    assert await FileFleet(under).load() == fleet


@pytest.mark.parametrize("head", ['[[deployments]]\nname = "a"', "[deployments.a]"])
async def test_a_fleet_is_read_from_toml(tmp_path: Path, head: str) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(f'{head}\nendpoint = "http://a:8000/v1"\nmodel = "m"\n', encoding="utf-8")

    assert list(await FileFleet(path).load()) == ["a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "JSON is broken"),
        ("[]", "it holds no deployment"),
        ("3", "a list of deployments is wanted"),
        ('{"servers": []}', "a list of deployments is wanted"),
        ('[{"model": "m"}]', "deployment 1 has no `name`"),
        ("[3]", "deployment 1 has no `name`"),
        (json.dumps([entry("a"), entry("a")]), "two deployments are called 'a'"),
        (json.dumps([entry("a", wieght=2)]), r"\[deployments.a\] has an unknown key 'wieght'"),
        (json.dumps([entry("a", api_key="s3cret-literal")]), "a secret must not stand in the settings"),
    ],
)
async def test_a_file_that_is_unusable_is_named_with_what_is_wrong_in_it(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "fleet.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError, match=f"the fleet .*fleet.json: .*{said}") as refused:
        await FileFleet(path).load()
    assert "s3cret-literal" not in str(refused.value)


async def test_a_file_that_is_not_there_is_an_operators_error(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match=r"none\.json cannot be read: No such file"):
        await FileFleet(tmp_path / "none.json").load()


async def test_a_name_in_dns_is_one_deployment_for_each_of_its_addresses() -> None:
    names = Names("10.0.0.2", "10.0.0.1", "fd00::1", "10.0.0.1")

    fleet = await DnsFleet("dns://vllm.internal:8000", TEMPLATE, resolve=names).load()

    assert {name: each.url for name, each in fleet.items()} == {
        "vllm.internal-10.0.0.1": "http://10.0.0.1:8000/v1",
        "vllm.internal-10.0.0.2": "http://10.0.0.2:8000/v1",
        "vllm.internal-fd00::1": "http://[fd00::1]:8000/v1",
    }
    assert {(each.model, each.api_key, each.weight) for each in fleet.values()} == {("m", "env:KEY", 2)}


async def test_a_name_without_an_address_keeps_nobody_guessing() -> None:
    names = Names()
    fleet = DnsFleet("dns://vllm.internal:8000", TEMPLATE, resolve=names)

    with pytest.raises(OperatorError, match=r"dns://vllm\.internal:8000 has no address"):
        await fleet.load()
    names.addresses = OSError(-2, "Name or service not known")
    with pytest.raises(OperatorError, match="is not known to DNS: Name or service not known"):
        await fleet.load()


async def test_the_machines_own_resolver_is_asked() -> None:
    assert set(await addresses_of("localhost", 80)) & {"127.0.0.1", "::1"}


@pytest.mark.parametrize("url", ["dns://host", "dns://:80", "dns+srv://_vllm._tcp.x", "http://a:1", "dns://a:1/v1"])
def test_a_source_of_another_shape_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="a fleet in DNS is dns://HOST:PORT"):
        discovery(url, TEMPLATE)


def test_a_source_is_a_path_or_dns_which_needs_to_know_the_model() -> None:
    assert isinstance(discovery("fleet.toml"), FileFleet)
    assert isinstance(discovery("dns://a:80", TEMPLATE), DnsFleet)
    with pytest.raises(ConfigError, match="say `model`"):
        discovery("dns://a:80")


async def test_a_change_says_what_was_added_removed_and_changed(tmp_path: Path) -> None:
    path = write(tmp_path / "fleet.json", entry("a"), entry("b"))
    async with Watched(FileFleet(path)) as watched:
        first = await watched.next()
        write(path, entry("b", weight=3), entry("c"))

        second = await watched.next()

    assert (first.added, first.removed, first.changed) == (("a", "b"), (), ())
    assert (second.added, second.removed, second.changed) == (("c",), ("a",), ("b",))
    assert second.fleet["b"].weight == 3
    assert watched.told.empty()


async def test_a_fleet_that_the_caller_has_already_is_not_told_again(tmp_path: Path) -> None:
    path = write(tmp_path / "fleet.json", entry("a"))
    source = FileFleet(path)
    async with Watched(source, await source.load()) as watched:
        write(path, entry("a"), entry("b"))

        change = await watched.next()

    assert (change.added, change.removed, change.changed) == (("b",), (), ())


async def test_a_broken_file_keeps_the_fleet_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write(tmp_path / "fleet.json", entry("a"))
    caplog.set_level(logging.WARNING, "segue.router")
    async with Watched(FileFleet(path)) as watched:
        await watched.next()
        path.write_text("[{", encoding="utf-8")
        problem = await watched.problem(True)
        await asyncio.sleep(0.03)  # some more looks at the same trouble
        write(path, entry("a"))
        await watched.problem(False)
        write(path, entry("a"), entry("b"))

        change = await watched.next()

    assert "JSON is broken" in problem
    assert change.added == ("b",)
    said = [record.getMessage() for record in caplog.records]
    assert len([each for each in said if "The 1 deployments that there were stay" in each]) == 1
    assert said[-1].endswith("can be read again.")


async def test_a_callback_may_be_a_plain_function() -> None:
    told: list[FleetChange] = []
    names = Names("10.0.0.1")
    source = DnsFleet("dns://a:80", TEMPLATE, resolve=names)
    seen = asyncio.Event()

    def take(change: FleetChange) -> None:
        told.append(change)
        seen.set()

    task = asyncio.ensure_future(source.watch(take, every_s=0.005))
    async with asyncio.timeout(10):
        await seen.wait()
        seen.clear()
        names.addresses = ("10.0.0.2",)
        await seen.wait()
    task.cancel()

    assert [(each.added, each.removed) for each in told] == [
        (("a-10.0.0.1",), ()),
        (("a-10.0.0.2",), ("a-10.0.0.1",)),
    ]


def test_fleets_that_are_alike_are_no_change() -> None:
    assert not compare({"a": TEMPLATE}, {"a": TEMPLATE.model_copy()})
