"""The pytest plugin: a marker that makes one test of each case of a file, and the fixture that tries the case.

    @pytest.mark.eval_cases("desk.jsonl", agent="desk.py:fresh_desk", only=["refund"])
    def test_the_desk(eval_case):
        eval_case.check()

Loaded by every pytest run in whose environment Segue is installed, so it imports nothing before it is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from segue.evals.case import Case
    from segue.evals.experiment import Experiment
    from segue.evals.trial import Trial

_MARKER = "eval_cases"
_FIXTURE = "eval_case"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "eval_cases(path, *, agent, only=(), scorers=(), timeout_s=300, workspace='.', deps=None): a test for each "
        "case of a file of JSON lines; paths stand from the test's own file",
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test a case, named by its id."""
    marker = metafunc.definition.get_closest_marker(_MARKER)
    if marker is None or _FIXTURE not in metafunc.fixturenames:
        return
    from segue.base.errors import UserError
    from segue.evals.case import chosen, load_cases

    try:
        cases = chosen(load_cases(metafunc.definition.path.parent / _path(marker)), list(marker.kwargs.get("only", ())))
    except UserError as error:
        raise pytest.UsageError(str(error)) from None
    metafunc.parametrize(_FIXTURE, cases, indirect=True, ids=[case.id for case in cases])


def _path(marker: pytest.Mark) -> Any:
    if len(marker.args) != 1 or "agent" not in marker.kwargs:
        raise pytest.UsageError('eval_cases wants a file and an agent: eval_cases("cases.jsonl", agent="desk.py:desk")')
    return marker.args[0]


class EvalCase:
    """One case with the agent that it is tried on."""

    def __init__(self, case: Case, experiment: Experiment, folder: Path, data_dir: Path) -> None:
        self.case = case
        self._experiment, self._folder, self._data_dir = experiment, folder, data_dir

    async def run(self) -> Trial:
        """Try it once, in a workspace whose data lies in the test's own folder."""
        from segue.workspace import Workspace

        async with Workspace.open(self._folder, data_dir=self._data_dir) as ws:
            return await self._experiment.trial(ws, self.case)

    def check(self) -> Trial:
        """Try it, and fail the test where a scorer is not content."""
        import asyncio

        trial = asyncio.run(self.run())
        if not trial.passed:
            whys = "\n".join(f"  {why}" for why in trial.whys)
            pytest.fail(f"{self.case.id} did not pass:\n{whys}\nanswer: {trial.text or trial.error}", pytrace=False)
        return trial


@pytest.fixture
def eval_case(request: pytest.FixtureRequest, tmp_path: Path) -> EvalCase:
    """The case of this test: `check()` tries it and fails the test, `await run()` returns the trial."""
    from segue.evals.experiment import Experiment
    from segue.workspace.loading import load_or_maker

    marker = request.node.get_closest_marker(_MARKER)
    if marker is None or not hasattr(request, "param"):
        raise pytest.UsageError("the fixture eval_case needs the marker eval_cases on its test")
    given = dict(marker.kwargs)
    agent, here = given.pop("agent"), request.path.parent
    folder = here / given.pop("workspace", ".")
    given.pop("only", None)
    experiment = Experiment(
        agent=load_or_maker(agent, here) if isinstance(agent, str) else agent, cases=[request.param],
        scorers=given.pop("scorers", ()), **given,
    )  # fmt: skip
    return EvalCase(request.param, experiment, folder, tmp_path / "segue")
