// Events of a run in, what the page shows of it out: text, tool calls, the plan, what is asked, which nodes were reached.
import type { Event, RunStatus, Task, Usage } from "../types";

export type TaskState = "open" | "running" | "done" | "failed";

export type Block =
  | { kind: "text"; key: string; agent: string; taskId: string; text: string; open: boolean }
  | { kind: "tool"; key: string; agent: string; taskId: string; call: ToolCall }
  | { kind: "plan"; key: string; tasks: (Task & { state: TaskState; wave: number; result: string })[] }
  | { kind: "asked"; key: string; id: string; tool: string; question: string };

export interface ToolCall {
  id: string;
  tool: string;
  effect: string;
  arguments: Record<string, unknown> | null;
  reason: string;
  result: string | null;
  failed: boolean;
  seconds: number | null;
}

export interface Step {
  source: string;
  target: string;
  reason: string;
  step: number;
  at: number;
}

export interface RunView {
  id: string;
  agent: string;
  seq: number;
  blocks: Block[];
  steps: Step[];
  active: string[];
  model: string;
  wanted: Record<string, Record<string, unknown>>;
  status: RunStatus;
  stopReason: string | null;
  error: string;
  usage: Usage | null;
}

export function fresh(id: string, agent: string): RunView {
  return {
    id,
    agent,
    seq: 0,
    blocks: [],
    steps: [],
    active: [],
    model: "",
    wanted: {},
    status: "queued",
    stopReason: null,
    error: "",
    usage: null,
  };
}

/** The view after one more event. What did not change is the same object, so that only what did is drawn anew. */
export function after(view: RunView, event: Event, seq: number): RunView {
  if (seq && seq <= view.seq) return view;
  const next = { ...view, seq: seq || view.seq };
  switch (event.type) {
    case "run_started":
      return { ...next, agent: event.agent, status: "running", stopReason: null, error: "" };
    case "plan_made":
      return { ...next, blocks: [...view.blocks, planned(view, event.tasks)] };
    case "task_started":
      return { ...next, blocks: tasked(view.blocks, event.task_id, { state: "running", wave: event.wave }) };
    case "task_finished": {
      const state = event.failed ? "failed" : "done";
      return { ...next, blocks: tasked(view.blocks, event.task_id, { state, result: event.result }) };
    }
    case "text_added":
      return { ...next, blocks: spoken(view, event.agent, event.task_id, (held) => held + event.text, true) };
    case "text_reset":
      return { ...next, blocks: reset(view.blocks, event.agent, event.task_id) };
    case "generation_finished":
      return {
        ...next,
        model: event.model || event.deployment,
        wanted: event.tool_calls.reduce(
          (held, each) => ({ ...held, [`${event.task_id} ${each.id}`]: read(each.arguments) }),
          view.wanted,
        ),
        blocks: event.text
          ? spoken(view, event.agent, event.task_id, () => event.text, false)
          : reset(view.blocks, event.agent, event.task_id),
      };
    case "tool_called":
      return { ...next, blocks: called(view.blocks, event) };
    case "tool_finished":
      return { ...next, blocks: finished(view, event) };
    case "interrupt_asked": {
      const { interrupt_id: id, tool, question } = event;
      if (view.blocks.some((each) => each.kind === "asked" && each.id === id)) return next;
      return { ...next, blocks: [...view.blocks, { kind: "asked", key: `a-${id}`, id, tool, question }] };
    }
    case "edge_taken": {
      const { source, target, reason, step, at } = event;
      const same = view.steps.at(-1)?.step === step;
      const active = same ? [...view.active, target] : [target];
      return { ...next, steps: [...view.steps, { source, target, reason, step, at }], active };
    }
    case "run_finished":
      return {
        ...next,
        status: event.status,
        stopReason: event.stop_reason,
        error: event.error,
        usage: event.usage,
        active: [],
        blocks: view.blocks.map((each) => (each.kind === "text" && each.open ? { ...each, open: false } : each)),
      };
    default:
      return next;
  }
}

function planned(view: RunView, tasks: Task[]): Block {
  const held = tasks.map((each) => ({ ...each, state: "open" as TaskState, wave: 0, result: "" }));
  return { kind: "plan", key: `p-${view.blocks.length}`, tasks: held };
}

function tasked(blocks: Block[], id: string, more: { state: TaskState; wave?: number; result?: string }): Block[] {
  const at = blocks.findLastIndex((each) => each.kind === "plan" && each.tasks.some((task) => task.id === id));
  return blocks.map((each, index) =>
    index === at && each.kind === "plan"
      ? { ...each, tasks: each.tasks.map((task) => (task.id === id ? { ...task, ...more } : task)) }
      : each,
  );
}

function openText(blocks: Block[], agent: string, taskId: string): number {
  return blocks.findLastIndex(
    (each) => each.kind === "text" && each.open && each.agent === agent && each.taskId === taskId,
  );
}

function spoken(
  view: RunView,
  agent: string,
  taskId: string,
  change: (held: string) => string,
  open: boolean,
): Block[] {
  const at = openText(view.blocks, agent, taskId);
  if (at < 0) {
    const key = `t-${view.blocks.length}-${agent}`;
    return [...view.blocks, { kind: "text", key, agent, taskId, text: change(""), open }];
  }
  return view.blocks.map((each, index) =>
    index === at && each.kind === "text" ? { ...each, text: change(each.text), open } : each,
  );
}

/** What was shown of unfinished text is void; without an agent, of all of them. */
function reset(blocks: Block[], agent: string, taskId: string): Block[] {
  return blocks.filter(
    (each) => !(each.kind === "text" && each.open && (!agent || (each.agent === agent && each.taskId === taskId))),
  );
}

function called(blocks: Block[], event: Extract<Event, { type: "tool_called" }>): Block[] {
  const call: ToolCall = {
    id: event.call_id,
    tool: event.tool,
    effect: event.effect,
    arguments: event.arguments,
    reason: event.reason,
    result: null,
    failed: false,
    seconds: null,
  };
  const key = `c-${blocks.length}-${event.call_id}`;
  return [...blocks, { kind: "tool", key, agent: event.agent, taskId: event.task_id, call }];
}

/** Arguments as a model wrote them; nothing where that is no JSON. */
function read(text: string): Record<string, unknown> {
  try {
    const held: unknown = JSON.parse(text);
    return held && typeof held === "object" ? (held as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function finished(view: RunView, event: Extract<Event, { type: "tool_finished" }>): Block[] {
  const { blocks } = view;
  const at = blocks.findLastIndex(
    (each) =>
      each.kind === "tool" &&
      each.call.id === event.call_id &&
      each.taskId === event.task_id &&
      each.agent === event.agent &&
      each.call.result === null,
  );
  const came = { result: event.result, failed: event.failed, seconds: event.duration_s };
  if (at < 0) {
    const call: ToolCall = {
      id: event.call_id,
      tool: event.tool,
      effect: "",
      arguments: view.wanted[`${event.task_id} ${event.call_id}`] ?? null,
      reason: event.reason,
      ...came,
    };
    const key = `c-${blocks.length}-${event.call_id}`;
    return [...blocks, { kind: "tool", key, agent: event.agent, taskId: event.task_id, call }];
  }
  return blocks.map((each, index) =>
    index === at && each.kind === "tool"
      ? { ...each, call: { ...each.call, ...came, reason: event.reason || each.call.reason } }
      : each,
  );
}
