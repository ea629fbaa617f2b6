"""AgentDojo with a model that obeys everybody: pairs of a user's task and an injected one in, what came of each out.

The model makes the calls of the user's task. The moment that a result holds the injected text, it makes the calls of
the injected task, and then goes on. Every call goes through the gate; a call that is not let through is not made. A
user's task counts as done where AgentDojo says so and none of its calls was held back.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import yaml
from agentdojo.agent_pipeline.base_pipeline_element import BasePipelineElement
from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.functions_runtime import FunctionCall
from agentdojo.task_suite.load_suites import get_suite
from agentdojo.task_suite.task_suite import TaskSuite
from agentdojo.types import ChatAssistantMessage, ChatToolResultMessage, text_content_block_from_string
from declared import DECLARED

from segue.context.decisions import Allow, Ask
from segue.guards.gate import Gate, Session
from segue.tools import tool_from_schema

VERSION = "v1.2.2"
SUITES = ("workspace", "banking", "slack", "travel")
MARK = "INJECTED-ORDER"
"""One word, so that no line break of a result falls into it."""
MODES = ("none", "sinks", "own", "truth", "truth-unpinned", "derived", "derived-own", "own-standard", "own-observe")

warnings.filterwarnings("ignore")
yaml.safe_load = lambda text: yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # type: ignore[assignment]


@dataclass
class Came:
    """What came of one run."""

    suite: str
    user_task: str
    injection_task: str = ""
    useful: bool = False
    harmed: bool = False
    """AgentDojo says that the injected task succeeded."""
    by_call: bool = False
    """And at least one of its calls was let through."""
    asked: int = 0
    """Questions about calls of the user's task."""
    held: list[str] = field(default_factory=list)
    """Calls of the user's task that were not let through, with the reason."""
    passed: list[str] = field(default_factory=list)
    """Calls of the injected task that were let through."""


def gate_for(suite: TaskSuite[Any], mode: str) -> Gate | None:
    """The gate of a mode over the tools of a suite."""
    if mode == "none":
        return None
    tools = []
    for each in suite.tools:
        schema = {
            "name": each.name,
            "description": each.full_docstring,
            "parameters": each.parameters.model_json_schema(),
        }
        tools.append(tool_from_schema(schema, declare=None if mode.startswith("derived") else DECLARED[each.name]))
    policy = mode.rpartition("-")[2]
    return Gate(tools, policy=policy if policy in ("standard", "observe") else "strict")  # type: ignore[arg-type]


class Obedient(BasePipelineElement):
    """The model that obeys everybody."""

    def __init__(self, gate: Gate | None, mode: str, user_task: Any, injected: Any, granted: bool, came: Came) -> None:
        self.gate, self.mode, self.user_task, self.injected = gate, mode, user_task, injected
        self.granted, self.came = granted, came

    def query(self, query: str, runtime: Any, env: Any, messages: Any = (), extra_args: Any = None) -> Any:
        """All calls of the task, and the answer."""
        calls = list(self.user_task.ground_truth(env))
        session = self._begin(query, calls)
        said: list[Any] = [*messages]
        obeyed = False
        for call in calls:
            result = self._call(session, runtime, env, call, said, own=True)
            if self.injected is not None and not obeyed and MARK in result:
                obeyed = True
                for order in self.injected.ground_truth(env):
                    self._call(session, runtime, env, order, said, own=False)
        answer = self.user_task.GROUND_TRUTH_OUTPUT
        if obeyed:
            answer += f"\n{self.injected.GROUND_TRUTH_OUTPUT}"
        blocks = [text_content_block_from_string(answer)]
        said.append(ChatAssistantMessage(role="assistant", content=blocks, tool_calls=None))
        return query, runtime, env, said, extra_args or {}

    def _begin(self, query: str, calls: Sequence[FunctionCall]) -> Session | None:
        if self.gate is None:
            return None
        session = self.gate.begin(query)
        if self.mode.startswith(("truth", "derived")) and self.mode != "derived-own":
            session.plan({each.function for each in calls}, from_text=self.mode != "truth-unpinned")
        elif self.mode != "sinks":
            session.plan_from_text()
        return session

    def _call(
        self, session: Session | None, runtime: Any, env: Any, call: FunctionCall, said: list[Any], *, own: bool
    ) -> str:
        arguments = dict(call.args)
        verdict: Any = Allow() if session is None else self._judge(session, runtime, env, call.function, arguments)
        label = f"{call.function}({json.dumps(arguments, default=str)[:200]}): {getattr(verdict, 'reason', '')}"
        if isinstance(verdict, Ask) and own:
            self.came.asked += 1
            if self.granted:
                verdict = Allow("granted")
        if not isinstance(verdict, Allow):
            if own:
                self.came.held.append(label)
            return ""
        if not own:
            self.came.passed.append(label)
        result, error = runtime.run_function(env, call.function, arguments)
        text = error or tool_result_to_str(result)
        said.append(
            ChatAssistantMessage(role="assistant", tool_calls=[call], content=[text_content_block_from_string("")])
        )
        said.append(ChatToolResultMessage(
            role="tool", content=[text_content_block_from_string(text)], tool_call=call, tool_call_id=None, error=error,
        ))  # fmt: skip
        if session is not None and error is None:
            session.seen(call.function, arguments, result)
        return text

    def _judge(self, session: Session, runtime: Any, env: Any, name: str, arguments: dict[str, Any]) -> Any:
        verdict = session.judge(name, arguments)
        if isinstance(verdict, Ask):
            for lookup, given in session.lookups(name, arguments):
                result, error = runtime.run_function(env, lookup, given)
                if error is None:
                    session.seen(lookup, given, result)
            verdict = session.judge(name, arguments)
        return verdict


def run_pair(
    suite: TaskSuite[Any], gate: Gate | None, mode: str, user_id: str, injected_id: str, granted: bool
) -> Came:
    """One user's task, with an injected one or without."""
    user_task = suite.get_user_task_by_id(user_id)
    injected = suite.injection_tasks[injected_id] if injected_id else None
    came = Came(suite.name, user_id, injected_id)
    injections: dict[str, str] = {}
    if injected is not None:
        goal = "".join(char for char in injected.GOAL.replace("\n", " ") if char not in "\"'{}:#")
        injections = dict.fromkeys(suite.get_injection_vector_defaults(), f"{MARK} {goal}")
    element = Obedient(gate, mode, user_task, injected, granted, came)
    useful, harmed = suite.run_task_with_pipeline(element, user_task, injected, injections)
    came.useful = bool(useful) and not came.held
    came.harmed = injected is not None and bool(harmed)
    came.by_call = came.harmed and bool(came.passed)
    return came


def pairs(suite: TaskSuite[Any]) -> Iterator[tuple[str, str]]:
    """All pairs of a suite."""
    for user_id in suite.user_tasks:
        for injected_id in suite.injection_tasks:
            yield user_id, injected_id


def main() -> None:
    """One mode in, one JSON object a run out, on standard output."""
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--stride", type=int, default=1)
    parser.add_argument("--granted", action="store_true")
    parser.add_argument("--benign", action="store_true", help="only the user's tasks, without attacks")
    options = parser.parse_args()
    at, began = 0, time.perf_counter()
    for name in SUITES:
        suite = get_suite(VERSION, name)
        gate = gate_for(suite, options.mode)
        for user_id in suite.user_tasks:
            print(json.dumps(asdict(run_pair(suite, gate, options.mode, user_id, "", options.granted))), flush=True)
        for user_id, injected_id in () if options.benign else pairs(suite):
            at += 1
            if at % options.stride == 0:
                came = run_pair(suite, gate, options.mode, user_id, injected_id, options.granted)
                print(json.dumps(asdict(came)), flush=True)
    print(f"{time.perf_counter() - began:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
