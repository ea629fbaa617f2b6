// The trace of a run as a waterfall: what took how long, inside what, at which cost.
import { useMemo, useState, type ReactNode } from "react";
import type { Event, Message, Span } from "../types";
import { useGet } from "../ui/hooks";
import { Trouble } from "../ui/parts";
import { cost, seconds, shown } from "../ui/say";

interface Row {
  span: Span;
  depth: number;
}

const TONES: Record<string, string> = {
  generation: "bg-accent",
  tool: "bg-warn",
  edge: "bg-line",
  verdict: "bg-bad",
};
const ROW = 34;
const AHEAD = 20;

function flat(spans: Span[], depth = 0): Row[] {
  return spans.flatMap((span) => [{ span, depth }, ...flat(span.children, depth + 1)]);
}

interface Trace {
  trace_id: string;
  spans: Span[];
  langfuse_url: string;
}

/** The trace of a run, with what each generation read and said. */
export function TraceView({ runId, threadId }: { runId: string; threadId?: string }) {
  const { data, error } = useGet<Trace>(`/runs/${runId}/trace`);
  const said = useSaid(data ? runId : null, data?.spans);
  if (error) return <div className="p-4"><Trouble error={error} /></div>;
  if (!data) return <p className="p-4 text-soft">Loads…</p>;
  return (
    <Waterfall id={runId} spans={data.spans} said={said} threadId={threadId}>
      {data.langfuse_url && (
        <a className="underline" href={data.langfuse_url} target="_blank" rel="noreferrer">
          in Langfuse
        </a>
      )}
    </Waterfall>
  );
}

type Said = { text: string; tool_calls: { name: string; arguments: string }[]; model: string };

/** What each generation of a run said, by its span: the nth of an agent's events is the nth of its spans. */
function useSaid(runId: string | null, spans: Span[] | undefined): Map<string, Said> {
  const { data } = useGet<{ events: { data: Event }[] }>(runId && `/runs/${runId}/log?limit=500`);
  return useMemo(() => {
    const found = new Map<string, Said>();
    const counts = new Map<string, number>();
    const events = (data?.events ?? []).map((each) => each.data).filter((each) => each.type === "generation_finished");
    const rows = flat(spans ?? []).map((row) => row.span).filter((span) => span.kind === "generation" && span.status === "ok");
    for (const span of rows.sort((a, b) => a.start_ns - b.start_ns)) {
      const nth = counts.get(span.name) ?? 0;
      counts.set(span.name, nth + 1);
      const event = events.filter((each) => each.agent === span.name)[nth];
      if (event) found.set(span.span_id, event);
    }
    return found;
  }, [data, spans]);
}

interface Props {
  id: string;
  spans: Span[];
  said?: Map<string, Said>;
  threadId?: string;
  children?: ReactNode;
}

export function Waterfall({ id, spans, said, threadId, children }: Props) {
  const [edges, setEdges] = useState(false);
  const [open, setOpen] = useState("");
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const rows = useMemo(() => {
    const all = flat(spans);
    return edges ? all : all.filter((row) => row.span.kind !== "edge");
  }, [spans, edges]);
  const [from, whole] = useMemo(() => {
    const starts = rows.map((row) => row.span.start_ns);
    const first = Math.min(...starts);
    const last = Math.max(...rows.map((row) => row.span.start_ns + row.span.duration_s * 1e9));
    return [first, Math.max(last - first, 1)];
  }, [rows]);
  const total = spans.reduce<number | null>(
    (sum, span) => (sum === null || span.usage.cost_usd === null ? null : sum + span.usage.cost_usd),
    0,
  );
  const begin = Math.max(0, Math.floor(top / ROW) - AHEAD);
  const seen = rows.slice(begin, begin + Math.ceil(height / ROW) + 2 * AHEAD);
  const picked = rows.find((row) => row.span.span_id === open)?.span;
  return (
    <div className="flex h-full flex-col" data-trace={id}>
      <div className="flex flex-wrap items-center justify-between gap-2 border-b border-line px-3 py-2 text-sm">
        <span>
          {rows.length} spans · {seconds(whole / 1e9)} · <span data-trace-cost>{cost(total)}</span>
        </span>
        {children}
        <label className="flex items-center gap-2">
          <input type="checkbox" checked={edges} onChange={(event) => setEdges(event.target.checked)} /> edges
        </label>
      </div>
      <div
        className="min-h-0 grow overflow-auto"
        tabIndex={0}
        aria-label="Spans"
        role="group"
        ref={(node) => {
          if (node && node.clientHeight !== height) setHeight(node.clientHeight);
        }}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      >
        <div className="relative" style={{ height: rows.length * ROW }}>
          {seen.map((row, index) => (
            <Line
              key={row.span.span_id}
              row={row}
              y={(begin + index) * ROW}
              left={(row.span.start_ns - from) / whole}
              width={(row.span.duration_s * 1e9) / whole}
              open={row.span.span_id === open}
              onOpen={() => setOpen(row.span.span_id === open ? "" : row.span.span_id)}
            />
          ))}
        </div>
      </div>
      {picked && <Detail span={picked} said={said?.get(picked.span_id)} threadId={threadId} />}
    </div>
  );
}

function Line(props: { row: Row; y: number; left: number; width: number; open: boolean; onOpen: () => void }) {
  const { span, depth } = props.row;
  return (
    <button
      type="button"
      aria-expanded={props.open}
      onClick={props.onOpen}
      style={{ top: props.y, height: ROW }}
      className={`absolute inset-x-0 flex items-center gap-2 px-3 text-left text-[13px] hover:bg-sunk ${props.open ? "bg-accent-soft" : ""}`}
    >
      <span className="w-1/2 shrink-0 truncate" style={{ paddingLeft: depth * 12 }}>
        <span className={span.status === "error" ? "text-bad" : "text-soft"}>{span.kind}</span>{" "}
        <span className="font-medium">{span.name}</span>
      </span>
      <span className="relative h-3 grow rounded bg-sunk">
        <span
          className={`absolute h-3 rounded ${TONES[span.kind] ?? "bg-soft"}`}
          style={{ left: `${props.left * 100}%`, width: `max(2px, ${props.width * 100}%)` }}
        />
      </span>
      <span className="w-16 shrink-0 text-right text-xs text-soft">{seconds(span.duration_s)}</span>
    </button>
  );
}

function Detail({ span, said, threadId }: { span: Span; said?: Said; threadId?: string }) {
  const message = span.attributes["segue.message_id"];
  return (
    <div className="max-h-[45%] shrink-0 overflow-auto border-t border-line p-3 text-sm" tabIndex={0} role="region" aria-label="The span">
      <p className="font-semibold">
        {span.kind} {span.name}
      </p>
      <p className="text-soft">
        {seconds(span.duration_s)} · {span.usage.input_tokens} + {span.usage.output_tokens} tokens ·{" "}
        {cost(span.usage.cost_usd)}
      </p>
      {said && (
        <div className="mt-2 space-y-2">
          {threadId && typeof message === "string" && <Prompt threadId={threadId} message={message} />}
          <h3 className="font-medium">Response</h3>
          <pre tabIndex={0} className="max-h-60 overflow-auto rounded-lg bg-sunk p-2 font-mono text-[12.5px] break-words whitespace-pre-wrap">
            {[said.text, ...said.tool_calls.map((call) => `${call.name}(${call.arguments})`)].filter(Boolean).join("\n")}
          </pre>
        </div>
      )}
      <dl className="mt-2 space-y-1">
        {Object.entries(span.attributes).map(([name, value]) => (
          <div key={name}>
            <dt className="font-mono text-xs text-soft">{name}</dt>
            <dd className="font-mono text-[12.5px] break-words whitespace-pre-wrap">{shown(value)}</dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

/** What stood in the conversation when a message was generated; a worker's own conversation is not kept. */
function Prompt({ threadId, message }: { threadId: string; message: string }) {
  const { data } = useGet<{ messages: Message[] }>(`/threads/${encodeURIComponent(threadId)}/messages`);
  const at = data?.messages.findIndex((each) => each.id === message) ?? -1;
  if (!data || at < 0) return null;
  return (
    <details>
      <summary className="font-medium">
        Prompt: {at} {at === 1 ? "message" : "messages"} of the conversation, after the instructions
      </summary>
      <ol className="mt-1 space-y-1">
        {data.messages.slice(Math.max(0, at - 30), at).map((each, index) => (
          <li key={each.id ?? index} className="rounded-lg bg-sunk p-2">
            <span className="text-xs text-soft">{each.role}</span>
            <pre className="font-mono text-[12.5px] break-words whitespace-pre-wrap">
              {[shown(each.content), ...(each.tool_calls ?? []).map((call) => `${call.name}(${shown(call.arguments)})`)]
                .filter(Boolean)
                .join("\n")}
            </pre>
          </li>
        ))}
      </ol>
    </details>
  );
}
