// The states of a run, one a super-step: a slider over them, what each step changed, and a fork from any of them.
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import type { Turn } from "../chat/talk";
import type { Checkpoint, Message, State } from "../types";
import { useGet } from "../ui/hooks";
import { Badge, Button, Field, field, IconButton, Trouble } from "../ui/parts";
import { seconds, shown } from "../ui/say";

export type Fork = (thread: string, body: Record<string, unknown>) => Promise<unknown>;

interface Props {
  turn: Turn;
  /** A node that was asked for; the first step that runs it is shown. */
  node: string;
  onFork: Fork;
}

/** The checkpoints that lead to the newest one of a run, oldest first, with the one that it began from. */
function line(all: Checkpoint[], runId: string): Checkpoint[] {
  const byId = new Map(all.map((each) => [each.id, each]));
  const found: Checkpoint[] = [];
  for (let at = all.find((each) => each.run_id === runId); at; at = byId.get(at.parent_id)) {
    found.unshift(at);
    if (at.run_id !== runId) break;
  }
  return found;
}

export function StateView({ turn, node, onFork }: Props) {
  const thread = turn.run.thread_id;
  const path = `/threads/${encodeURIComponent(thread)}`;
  const { data, error, again } = useGet<{ checkpoints: Checkpoint[] }>(`${path}/checkpoints?limit=500`);
  const steps = useMemo(() => line(data?.checkpoints ?? [], turn.run.id), [data, turn.run.id]);
  const [at, setAt] = useState<number | null>(null);
  useEffect(again, [turn.run.status, again]);
  useEffect(() => {
    const first = node ? steps.findIndex((_, index) => steps[index - 1]?.next.includes(node)) : -1;
    setAt(first >= 0 ? first : null);
  }, [node, steps]);
  const index = Math.min(at ?? steps.length - 1, steps.length - 1);
  const now = steps[index];
  const before = steps[index - 1];
  const state = useGet<State>(now ? `${path}/state?checkpoint_id=${now.id}` : null);
  const earlier = useGet<State>(before ? `${path}/state?checkpoint_id=${before.id}` : null);
  if (error !== null) return <div className="p-4"><Trouble error={error} /></div>;
  if (!data) return <p className="p-4 text-soft">Loads…</p>;
  if (!now) return <p className="p-4 text-soft">No state is kept of this run yet.</p>;
  const ran = before?.next ?? [];
  return (
    <div className="space-y-4 p-4 text-sm" data-state-view={now.id}>
      <div>
        <div className="flex items-center gap-2">
          <IconButton label="One step back" disabled={index <= 0} onClick={() => setAt(index - 1)}>
            <ChevronLeft size={16} aria-hidden />
          </IconButton>
          <input
            type="range"
            className="grow accent-[var(--accent)]"
            aria-label="Step of the run"
            aria-valuetext={`state ${index + 1} of ${steps.length}`}
            min={0}
            max={steps.length - 1}
            value={index}
            onChange={(event) => setAt(Number(event.target.value))}
          />
          <IconButton label="One step on" disabled={index >= steps.length - 1} onClick={() => setAt(index + 1)}>
            <ChevronRight size={16} aria-hidden />
          </IconButton>
        </div>
        <p className="text-soft" role="status">
          State {index + 1} of {steps.length} · step {now.step}
          {before && ` · ${seconds(Math.max(0, now.at - before.at))} after the one before`}
        </p>
      </div>
      <dl className="grid grid-cols-[auto_1fr] gap-x-3 gap-y-1">
        <dt className="text-soft">ran</dt>
        <dd className="flex flex-wrap gap-1">{ran.length ? ran.map((each) => (
          <Badge key={each} tone="accent">
            {each}
          </Badge>
        )) : "the request came in"}</dd>
        <dt className="text-soft">next</dt>
        <dd className="flex flex-wrap gap-1">{now.next.length ? now.next.map((each) => <Badge key={each}>{each}</Badge>) : "nothing: the run ended here"}</dd>
      </dl>
      {state.error !== null && <Trouble error={state.error} />}
      {state.data && <Changes before={earlier.data?.values ?? {}} after={state.data.values} />}
      {state.data && <ForkForm key={now.id} thread={thread} state={state.data} onFork={onFork} />}
    </div>
  );
}

function Changes({ before, after }: { before: Record<string, unknown>; after: Record<string, unknown> }) {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const changed = names.filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]));
  const same = names.filter((name) => !changed.includes(name));
  return (
    <section aria-label="The state" className="space-y-2">
      <h3 className="font-semibold">What this step changed</h3>
      {!changed.length && <p className="text-soft">Nothing.</p>}
      {changed.map((name) => (
        <div key={name} className="rounded-lg border border-line p-2.5" data-channel={name}>
          <p className="font-mono text-[13px] font-semibold">{name}</p>
          {grown(before[name], after[name]) ? (
            <Value label={`after, new: ${count(after[name], before[name])}`} value={(after[name] as unknown[]).slice((before[name] as unknown[] | undefined)?.length ?? 0)} />
          ) : (
            <>
              {name in before && <Value label="before" value={before[name]} />}
              <Value label="after" value={after[name]} />
            </>
          )}
        </div>
      ))}
      {same.length > 0 && (
        <details>
          <summary className="text-soft">The rest of the state ({same.length})</summary>
          <div className="mt-2 space-y-2">
            {same.map((name) => (
              <div key={name} className="rounded-lg border border-line p-2.5">
                <Value label={name} value={after[name]} />
              </div>
            ))}
          </div>
        </details>
      )}
    </section>
  );
}

function grown(before: unknown, after: unknown): boolean {
  if (!Array.isArray(after)) return false;
  const old = Array.isArray(before) ? before : [];
  return after.length > old.length && JSON.stringify(after.slice(0, old.length)) === JSON.stringify(old);
}

function count(after: unknown, before: unknown): string {
  const more = (after as unknown[]).length - ((before as unknown[] | undefined)?.length ?? 0);
  return `${more} of ${(after as unknown[]).length}`;
}

function isMessages(value: unknown): value is Message[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each?.role === "string" && "content" in each);
}

function Messages({ held }: { held: Message[] }) {
  return (
    <ol className="space-y-1">
      {held.map((each, index) => (
        <li key={each.id ?? index} className="rounded bg-sunk p-2">
          <span className="text-xs font-semibold text-soft">{each.role}</span>
          <pre tabIndex={0} className="max-h-40 overflow-auto font-mono text-[12.5px] break-words whitespace-pre-wrap">
            {[shown(each.content), ...(each.tool_calls ?? []).map((call) => `→ ${called(call)}`)].filter(Boolean).join("\n")}
          </pre>
        </li>
      ))}
    </ol>
  );
}

function called(call: NonNullable<Message["tool_calls"]>[number]): string {
  const held = call as { name?: string; arguments?: unknown; function?: { name: string; arguments: unknown } };
  return `${held.function?.name ?? held.name}(${shown(held.function?.arguments ?? held.arguments ?? "")})`;
}

function Value({ label, value }: { label: string; value: unknown }) {
  return (
    <div className="mt-1">
      <p className="text-xs text-soft">{label}</p>
      {isMessages(value) ? (
        <Messages held={value} />
      ) : (
        <pre tabIndex={0} className="max-h-52 overflow-auto rounded bg-sunk p-2 font-mono text-[12.5px] break-words whitespace-pre-wrap">
          {value === undefined ? "(not there)" : shown(value)}
        </pre>
      )}
    </div>
  );
}

/** Go on from this state in a branch of its own: with another last message, another request, or any key changed. */
function ForkForm({ thread, state, onFork }: { thread: string; state: State; onFork: Fork }) {
  const messages = (state.values["messages"] as Message[] | undefined) ?? [];
  const last = messages.at(-1);
  const editable = last && typeof last.content === "string" && last.role !== "assistant" ? last : undefined;
  const [text, setText] = useState(editable ? String(editable.content) : "");
  const [request, setRequest] = useState("");
  const [json, setJson] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const ended = !state.checkpoint.next.length;
  const send = async () => {
    setError(null);
    let values: Record<string, unknown> = {};
    try {
      if (json.trim()) values = JSON.parse(json);
    } catch {
      setError("The keys to change are written as one JSON object.");
      return;
    }
    if (editable && text !== editable.content) values = { ...values, messages: [{ ...editable, content: text }] };
    setBusy(true);
    try {
      await onFork(thread, { checkpoint_id: state.checkpoint.id, values, ...(request.trim() ? { input: request.trim() } : {}) });
    } catch (caught) {
      setError(caught);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      aria-label="Fork from here"
      className="space-y-3 rounded-xl border border-line p-3"
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      <h3 className="font-semibold">Go on from here in a branch of its own</h3>
      {editable && (
        <Field label={`The last message (${editable.role})`}>
          <textarea className={field} rows={3} value={text} onChange={(event) => setText(event.target.value)} />
        </Field>
      )}
      <Field label="A new request" hint={ended ? undefined : "May be left out: what was to run next runs."}>
        <input className={field} value={request} onChange={(event) => setRequest(event.target.value)} />
      </Field>
      <details>
        <summary className="text-soft">Other keys of the state</summary>
        <label className="mt-2 block">
          <span className="mb-1 block text-soft">as JSON: {Object.keys(state.values).join(", ")}</span>
          <textarea
            className={`${field} font-mono`}
            rows={3}
            placeholder={'{"key": "value"}'}
            value={json}
            onChange={(event) => setJson(event.target.value)}
          />
        </label>
      </details>
      {error !== null && <Trouble error={error} />}
      <Button look="main" type="submit" disabled={busy || (ended && !request.trim())}>
        Fork from this state
      </Button>
    </form>
  );
}
