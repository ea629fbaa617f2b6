// Runs by words, agent and status; one of them with its graph and its trace.
import { useDeferredValue, useState } from "react";
import { query } from "../api";
import { TraceView } from "../trace/trace";
import { href } from "../route";
import type { Run } from "../types";
import { useGet } from "../ui/hooks";
import { Badge, Empty, field, Frame, Trouble } from "../ui/parts";
import { ago, asked, cost, moment, seconds, shown, tokens } from "../ui/say";

const STATUSES = ["", "running", "waiting", "completed", "stopped", "failed"];

export function tone(status: string): "good" | "bad" | "warn" | "plain" {
  return status === "completed" ? "good" : status === "failed" ? "bad" : status === "running" ? "plain" : "warn";
}

export default function Runs({ id }: { id: string }) {
  return id ? <One id={id} /> : <List />;
}

function List() {
  const [words, setWords] = useState("");
  const [status, setStatus] = useState("");
  const late = useDeferredValue(words);
  const { data, error } = useGet<{ runs: Run[] }>(`/traces${query({ q: late, status, limit: 100 })}`, 5_000);
  return (
    <Frame
      title="Runs"
      about="Each run, with what it came to and what it cost."
      tools={
        <div className="flex flex-wrap gap-2">
          <input
            aria-label="Words of what was asked"
            placeholder="Words of what was asked"
            className={`${field} !w-56`}
            value={words}
            onChange={(event) => setWords(event.target.value)}
          />
          <select aria-label="Status" className={`${field} !w-36`} value={status} onChange={(event) => setStatus(event.target.value)}>
            {STATUSES.map((each) => (
              <option key={each} value={each}>
                {each || "any status"}
              </option>
            ))}
          </select>
        </div>
      }
    >
      {error !== null && <Trouble error={error} />}
      {data && !data.runs.length && (
        <Empty title={words || status ? "Nothing fits" : "Nothing has run yet"}>
          {words || status ? "Try other words." : "Ask an agent something, and the run stands here."}
        </Empty>
      )}
      <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-panel empty:hidden">
        {data?.runs.map((run) => (
          <li key={run.id}>
            <a href={href("runs", run.id)} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2.5 hover:bg-sunk">
              <Badge tone={tone(run.status)}>{run.status}</Badge>
              <span className="min-w-0 grow basis-60 truncate">{asked(run) || run.id}</span>
              <span className="text-xs text-soft">{run.agent}</span>
              <span className="text-xs text-soft">{seconds(run.duration_s)}</span>
              <span className="text-xs text-soft">{cost(run.usage.cost_usd)}</span>
              <span className="text-xs text-soft">{ago(run.started_at)}</span>
            </a>
          </li>
        ))}
      </ul>
    </Frame>
  );
}

function One({ id }: { id: string }) {
  const { data: run, error } = useGet<Run>(`/runs/${id}`, 3_000);
  if (error !== null && !run)
    return (
      <Frame title="Run">
        <Trouble error={error} />
      </Frame>
    );
  if (!run) return <p className="p-6 text-soft">Loads…</p>;
  return (
    <div className="flex h-full flex-col">
      <div className="space-y-1 border-b border-line px-4 py-3">
        <h1 className="flex flex-wrap items-center gap-2 text-lg font-semibold">
          <span className="min-w-0 truncate">{asked(run) || run.id}</span>
          <Badge tone={tone(run.status)}>{run.status}</Badge>
        </h1>
        <p className="text-sm text-soft">
          {run.agent} · {moment(run.started_at)} · {seconds(run.duration_s)} · {tokens(run.usage)} ·{" "}
          <span data-cost>{cost(run.usage.cost_usd)}</span> ·{" "}
          <a className="underline" href={href("chat", run.thread_id)}>
            conversation
          </a>
        </p>
        {run.error && <Trouble error={run.error} />}
        {run.output !== null && (
          <details className="text-sm">
            <summary>Answer</summary>
            <pre tabIndex={0} className="mt-2 max-h-60 overflow-auto rounded-lg bg-sunk p-3 font-mono text-[13px] break-words whitespace-pre-wrap">
              {shown(run.output)}
            </pre>
          </details>
        )}
      </div>
      <div className="min-h-0 grow">
        <TraceView key={`${run.id} ${run.status}`} runId={run.id} threadId={run.thread_id} />
      </div>
    </div>
  );
}
