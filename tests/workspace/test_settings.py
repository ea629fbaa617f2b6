"""Settings: which source wins, and what is said when one is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from segue import Agent, ConfigError, UserError, Workspace
from segue.testing import ScriptedModel
from segue.workspace.settings import environment, read, sources


def toml(folder: Path, text: str) -> None:
    (folder / "segue.toml").write_text(text, encoding="utf-8")


def test_the_environment_wins_over_dotenv_over_toml_over_defaults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert read(tmp_path).tracing.capacity == 65_536
    toml(tmp_path, "[tracing]\ncapacity = 10\nenabled = false\n")
    assert read(tmp_path).tracing.capacity == 10
    (tmp_path / ".env").write_text("SEGUE_TRACING__CAPACITY=20\n")
    assert read(tmp_path).tracing.capacity == 20
    assert sources(tmp_path)["tracing"] == ".env"
    monkeypatch.setenv("SEGUE_TRACING__CAPACITY", "30")

    settings = read(tmp_path)

    assert (settings.tracing.capacity, settings.tracing.enabled) == (30, False)
    assert sources(tmp_path)["tracing"] == "environment SEGUE_TRACING__CAPACITY"
    assert sources(tmp_path)["data_dir"] == "default"


def test_dotenv_may_hold_what_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=sk-1\nDATABASE_URL=x\nSEGUE_DATA_DIR=here\n")

    assert read(tmp_path).data_dir == Path("here")
    assert environment(tmp_path)["OPENAI_API_KEY"] == "sk-1"


def test_the_process_wins_over_dotenv_for_references_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("OPENAI_API_KEY=file\n")
    monkeypatch.setenv("OPENAI_API_KEY", "process")

    assert environment(tmp_path)["OPENAI_API_KEY"] == "process"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[tracing\n", r"segue\.toml is not valid TOML: .*line 1"),
        ("data_dri = 'x'\n", r"data_dri: there is no such setting; did you mean 'data_dir'\?"),
        ("[tracing]\nenabeld = true\n", r"tracing\.enabeld: there is no such setting; did you mean 'enabled'\?"),
        ("[deployments.a]\nmodle = 'x'\n", r"\[deployments\.a\] has an unknown key 'modle'; the keys are: .*model"),
        ("[tracing]\ncapacity = 'many'\n", r"tracing\.capacity: Input should be a valid integer"),
        ("[tracing]\ncapacity = 0\n", r"tracing\.capacity: .*greater than or equal to 1"),
        ("tracing = 3\n", "tracing"),
    ],
)
def test_a_broken_setting_is_told_with_its_place_and_the_mend(tmp_path: Path, text: str, says: str) -> None:
    toml(tmp_path, text)

    with pytest.raises(ConfigError, match=says):
        read(tmp_path)


def test_a_file_that_is_no_text_is_told(tmp_path: Path) -> None:
    (tmp_path / "segue.toml").write_bytes(b"\xff\xfe\x00")

    with pytest.raises(ConfigError, match=r"segue\.toml"):
        read(tmp_path)


def test_a_message_does_not_show_the_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_TRACING__CAPACITY", "sk-secret")

    with pytest.raises(ConfigError) as wrong:
        read(tmp_path)

    assert "sk-secret" not in str(wrong.value)


async def test_a_workspace_on_a_broken_file_opens_nothing(tmp_path: Path) -> None:
    toml(tmp_path, "data_dri = 'x'\n")

    with pytest.raises(ConfigError, match="data_dir"):
        async with Workspace.open(tmp_path):
            pass

    assert [path.name for path in tmp_path.iterdir()] == ["segue.toml"]


async def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no folder .*nowhere"):
        async with Workspace.open(tmp_path / "nowhere"):
            pass


async def test_a_data_dir_that_cannot_be_written_does_not_stop_a_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "taken").write_text("a file")

    async with Workspace.open(tmp_path, data_dir=tmp_path / "taken") as ws:
        run = await ws.run(Agent("a", model=ScriptedModel(["x"])), "go")

    assert run.output == "x"
    assert "taken cannot be written" in caplog.text


async def test_a_path_with_a_space_and_letters_of_other_languages_works(tmp_path: Path) -> None:
    folder = tmp_path / "my Büro ü"
    folder.mkdir()

    async with Workspace.open(folder) as ws:
        run = await ws.run(Agent("a", model=ScriptedModel(["x"])), "go")

        assert run.output == "x"
        assert ws.data_dir == folder / ".segue"


async def test_tracing_can_be_turned_off(tmp_path: Path) -> None:
    toml(tmp_path, "[tracing]\nenabled = false\n")

    async with Workspace.open(tmp_path) as ws:
        run = await ws.run(Agent("a", model=ScriptedModel(["x"])), "go")

        assert run.output == "x"
        assert await ws.trace(run.id) == []


async def test_two_workspaces_at_once_share_a_folder(tmp_path: Path) -> None:
    agent = Agent("a", model=ScriptedModel(["x", "y", "z"]))
    async with Workspace.open(tmp_path) as one, Workspace.open(tmp_path) as two:
        first = await one.run(agent, "go", thread_id="t")
        second = await two.run(agent, "go on", thread_id="t")

        assert one.get(second.id).output == two.get(second.id).output == "y"
        assert two.get(first.id).output == "x"
        assert len(await one.messages("t", agent=agent)) == 4


async def test_a_workspace_that_is_not_open_says_so(tmp_path: Path) -> None:
    ws = Workspace.open(tmp_path)
    with pytest.raises(UserError, match="not open"):
        ws.get("run_1")
    async with ws:
        run = await ws.run(Agent("a", model=ScriptedModel(["x"])), "go")

    with pytest.raises(UserError, match="not open"):
        ws.runs()
    with pytest.raises(UserError, match="not open"):
        await ws.trace(run.id)


async def test_a_workspace_can_be_opened_again(tmp_path: Path) -> None:
    agent = Agent("a", model=ScriptedModel(["x", "y"]))
    ws = Workspace.open(tmp_path)
    async with ws:
        await ws.run(agent, "go", thread_id="t")
    async with ws:
        run = await ws.run(agent, "go on", thread_id="t")

        assert run.output == "y"
        assert len(await ws.messages("t", agent=agent)) == 4
