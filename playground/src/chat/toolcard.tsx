// A tool call: what was asked for, what came back, how long it took, what it does to the world, and why it was let pass.
import { Check, ChevronRight, LoaderCircle, TriangleAlert, Wrench } from "lucide-react";
import { useEffect, useState } from "react";
import { picture } from "../api";
import { seconds, shown } from "../ui/say";
import { Badge } from "../ui/parts";
import type { ToolCall } from "./blocks";

export function ToolCard({ runId, call, agent, goesOn }: { runId: string; call: ToolCall; agent: string; goesOn: boolean }) {
  const runs = call.result === null && goesOn;
  const kept = call.result === null ? undefined : KEPT.exec(call.result)?.[1];
  const Icon = runs ? LoaderCircle : call.failed ? TriangleAlert : call.result === null ? Wrench : Check;
  return (
    <div className="space-y-2">
    <details className="group rounded-xl border border-line bg-panel" data-tool={call.tool}>
      <summary className="flex min-h-10 list-none items-center gap-2 px-3 py-1.5 text-sm">
        <Icon
          aria-hidden
          size={16}
          className={`shrink-0 ${runs ? "animate-spin text-accent" : call.failed ? "text-bad" : "text-good"}`}
        />
        <span className="font-mono text-[13px] font-medium">{call.tool}</span>
        <span className="min-w-0 grow truncate text-soft">{call.arguments ? brief(call.arguments) : ""}</span>
        {call.effect && call.effect !== "read" && <Badge tone="warn">{call.effect}</Badge>}
        {call.failed && <Badge tone="bad">failed</Badge>}
        {call.seconds !== null && <span className="shrink-0 text-xs whitespace-nowrap text-soft">{seconds(call.seconds)}</span>}
        <ChevronRight aria-hidden size={16} className="shrink-0 text-soft transition-transform group-open:rotate-90" />
      </summary>
      <div className="space-y-3 border-t border-line px-3 py-3 text-sm">
        {call.arguments && <Part name="Arguments" text={shown(call.arguments)} />}
        {call.result !== null && <Part name="Result" text={call.result} />}
        <p className="text-soft">
          Called by {agent}
          {call.effect && ` · ${call.effect}`}
          {call.reason && ` · ${call.reason}`}
        </p>
      </div>
    </details>
    {kept && <Picture runId={runId} id={kept} title={call.tool} />}
    </div>
  );
}

/** A picture that a tool drew and the server keeps. It is shown as a picture: nothing in it runs or loads. */
function Picture({ runId, id, title }: { runId: string; id: string; title: string }) {
  const [url, setUrl] = useState("");
  useEffect(() => {
    let made = "";
    const control = new AbortController();
    picture(`/runs/${runId}/artefacts/${encodeURIComponent(id)}`, control.signal)
      .then((found) => setUrl((made = found)))
      .catch(() => undefined);
    return () => {
      control.abort();
      if (made) URL.revokeObjectURL(made);
    };
  }, [runId, id]);
  return url ? (
    <figure className="rounded-xl border border-line bg-white p-2" data-picture={id}>
      <img src={url} alt={`Drawn by ${title}; its figures stand in the result`} className="mx-auto max-h-96 max-w-full" />
    </figure>
  ) : null;
}

const KEPT = /"(?:svg|png|image)_artefact_id":\s*"(art_[0-9a-f]+)"/;

function Part({ name, text }: { name: string; text: string }) {
  return (
    <div>
      <p className="mb-1 text-xs font-semibold text-soft">{name}</p>
      <pre
        tabIndex={0}
        className="max-h-72 overflow-auto rounded-lg bg-sunk p-2.5 font-mono text-[12.5px] break-words whitespace-pre-wrap"
      >
        {text}
      </pre>
    </div>
  );
}

function brief(held: Record<string, unknown>): string {
  return Object.entries(held)
    .map(([name, value]) => `${name}: ${typeof value === "string" ? value : JSON.stringify(value)}`)
    .join(", ");
}
