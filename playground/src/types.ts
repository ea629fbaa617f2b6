// What the server tells under /api/v1, as far as the page reads it.

export interface Usage {
  input_tokens: number;
  output_tokens: number;
  model_calls: number;
  tool_calls: number;
  cost_usd: number | null;
}

export interface Agent {
  name: string;
  kind: "agent" | "team";
  description: string;
  source: string;
  tools: Tool[];
}

export interface Tool {
  agent: string;
  name: string;
  description: string;
  effect: string;
  reach: string;
  approval: boolean;
  parameters: Schema;
}

export type RunStatus = "queued" | "running" | "completed" | "waiting" | "stopped" | "failed";

export interface Interrupt {
  id: string;
  run_id: string;
  run_agent: string;
  kind: "approval" | "question" | "effect";
  agent: string;
  tool: string;
  arguments: Record<string, unknown>;
  question: string;
  reason: string;
  options: unknown[] | null;
  answer_schema: Schema | null;
  expired: boolean;
}

export interface Run {
  id: string;
  thread_id: string;
  agent: string;
  status: RunStatus;
  stop_reason: string | null;
  error: string;
  input: { role: string; content: unknown }[];
  output: unknown;
  partial: string;
  usage: Usage;
  interrupts: Interrupt[];
  started_at: number;
  updated_at: number;
  duration_s: number;
  branch: string;
  forked_from: Record<string, string> | null;
}

export interface Thread {
  id: string;
  title: string;
  runs: number;
  updated_at: number;
}

export interface Checkpoint {
  id: string;
  parent_id: string;
  run_id: string;
  branch: string;
  step: number;
  source: string;
  next: string[];
  at: number;
  changed: Record<string, number>;
}

export interface Span {
  span_id: string;
  kind: string;
  name: string;
  status: string;
  start_ns: number;
  duration_s: number;
  attributes: Record<string, unknown>;
  usage: Usage;
  children: Span[];
}

export interface Graph {
  nodes: { id: string; name: string }[];
  edges: { source: string; target: string; conditional: boolean; label: string }[];
}

export interface Passage {
  citation: string;
  path: string;
  start_line: number;
  end_line: number;
  heading: string;
  text: string;
}

export interface Collection {
  name: string;
  description: string;
  agents: string[];
  pages: number;
  note: string;
}

export interface Page {
  path: string;
  title: string;
  size: number;
  note: string;
  uploaded: boolean;
}

export interface Schedule {
  name: string;
  agent: string;
  input: unknown;
  user: string;
  cron: string;
  at: number | null;
  timezone: string;
  overlap: string;
  catch_up: string;
  paused: boolean;
  next_at: number | null;
}

export interface Firing {
  run_id: string;
  tick: number;
  outcome: string;
  note: string;
  at: number;
  status: string;
  error: string;
}

export interface DeadLetter {
  run_id: string;
  agent: string;
  request: string;
  reason: string;
  error_id: string;
  attempts: number;
  schedule: string;
  at: number | null;
}

export interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  enum?: unknown[];
  const?: unknown;
  description?: string;
  default?: unknown;
  minimum?: number;
  maximum?: number;
  format?: string;
  items?: Schema;
  anyOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
}

export interface State {
  checkpoint: Checkpoint;
  values: Record<string, unknown>;
}

export interface Message {
  id?: string;
  role: string;
  content: unknown;
  tool_calls?: { id: string; name: string; arguments: unknown }[];
}

export interface Deployment {
  name: string;
  engine: string;
  model: string;
  endpoint: string;
  api_key: string;
  offline: boolean;
  generations: number;
  input_tokens: number;
  output_tokens: number;
  cost_usd: number | null;
  median_s: number | null;
  median_first_token_s: number | null;
  last_at: number | null;
  now: {
    breaker: "closed" | "open" | "half-open";
    opens_in_s: number;
    in_flight: number;
    limit_wait_s: number;
    read_tokens_s: number | null;
    write_tokens_s: number | null;
    first_token_s: number | null;
    running: number | null;
    waiting: number | null;
    kv_usage: number | null;
    hit_rate: number | null;
  };
}

export interface Models {
  default_route: string;
  chosen: string;
  routes: { name: string; deployments: string[]; policy: string; fallbacks: string[] }[];
  deployments: Deployment[];
  looked_at: number;
  failed: number;
  last_error: string;
}

export interface Settings {
  segue: string;
  python: string;
  platform: string;
  packages: Record<string, string>;
  checks: { name: string; ok: boolean; detail: string }[];
  settings: { name: string; value: unknown; source: string }[];
  langfuse: string;
}

export interface EvalResult {
  id: string;
  suite: string;
  agent: string;
  label: string;
  started_at: number;
  duration_s: number;
  parts: string[];
  cases: number;
  trials: number;
  passed: number;
  pass_rate: number;
  low: number;
  high: number;
  models: string[];
  offline: boolean;
  cost_usd: number | null;
  tokens: number;
}

export interface CaseRow {
  id: string;
  request: string[];
  tags: string[];
  passed: boolean;
  trials: number;
  value: number;
  whys: string[];
  tool_calls: number;
  tokens: number;
  cost_usd: number | null;
  duration_s: number;
}

export interface EvalCase {
  id: string;
  request: string[];
  expect: Record<string, unknown>;
  tags: string[];
  note: string;
}

export interface Trial {
  number: number;
  run_id: string;
  status: string;
  output: string;
  error: string;
  passed: boolean;
  scores: { name: string; passed: boolean; value: number; why: string }[];
  calls: { tool: string; arguments: Record<string, unknown>; failed: boolean }[];
  asked: { tool: string; question: string; answer: string }[];
  spans: Span[];
  duration_s: number;
  cost_usd: number | null;
  tokens: number;
}

export interface Comparison {
  verdict: string;
  common: number;
  fixed: string[];
  broken: string[];
  only_before: string[];
  only_after: string[];
  changed: string[];
  differences: { name: string; before: number; after: number; low: number; high: number; shown: boolean }[];
}

export interface Task {
  id: string;
  worker: string;
  task: string;
  depends_on: string[];
}

/** What a run tells while it goes. */
export type Event = { run_id: string; at: number } & (
  | { type: "run_started"; thread_id: string; agent: string; resumed: boolean }
  | { type: "plan_made"; tasks: Task[] }
  | { type: "task_started"; task_id: string; worker: string; task: string; wave: number }
  | { type: "task_finished"; task_id: string; worker: string; failed: boolean; result: string }
  | { type: "text_added"; agent: string; text: string; task_id: string }
  | { type: "text_reset"; agent: string; reason: string; task_id: string }
  | {
      type: "generation_finished";
      agent: string;
      model: string;
      deployment: string;
      usage: Usage;
      duration_s: number;
      text: string;
      tool_calls: { id: string; name: string; arguments: string }[];
      task_id: string;
    }
  | {
      type: "tool_called";
      agent: string;
      call_id: string;
      tool: string;
      effect: string;
      arguments: Record<string, unknown>;
      reason: string;
      task_id: string;
    }
  | {
      type: "tool_finished";
      agent: string;
      call_id: string;
      tool: string;
      failed: boolean;
      result: string;
      duration_s: number;
      task_id: string;
      reason: string;
    }
  | {
      type: "interrupt_asked";
      interrupt_id: string;
      kind: string;
      agent: string;
      tool: string;
      arguments: Record<string, unknown>;
      question: string;
      reason: string;
    }
  | { type: "edge_taken"; source: string; target: string; reason: string; step: number }
  | { type: "run_finished"; status: RunStatus; stop_reason: string | null; usage: Usage; error: string }
);
