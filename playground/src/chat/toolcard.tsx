// A tool call: what was asked for, what came back, how long it took, what it does to the world, and why it was let pass.
import { Check, ChevronRight, LoaderCircle, TriangleAlert, Wrench } from "lucide-react";
import { seconds, shown } from "../ui/say";
import { Badge } from "../ui/parts";
import type { ToolCall } from "./blocks";

export function ToolCard({ call, agent, goesOn }: { call: ToolCall; agent: string; goesOn: boolean }) {
  const runs = call.result === null && goesOn;
  const Icon = runs ? LoaderCircle : call.failed ? TriangleAlert : call.result === null ? Wrench : Check;
  return (
    <details className="group rounded-xl border border-line bg-panel" data-tool={call.tool}>
      <summary className="flex min-h-10 list-none items-center gap-2 px-3 py-1.5 text-sm">
        <Icon
          aria-hidden
          size={16}
          className={runs ? "animate-spin text-accent" : call.failed ? "text-bad" : "text-good"}
        />
        <span className="font-mono text-[13px] font-medium">{call.tool}</span>
        <span className="min-w-0 grow truncate text-soft">{call.arguments ? brief(call.arguments) : ""}</span>
        {call.effect && call.effect !== "read" && <Badge tone="warn">{call.effect}</Badge>}
        {call.failed && <Badge tone="bad">failed</Badge>}
        {call.seconds !== null && <span className="text-xs text-soft">{seconds(call.seconds)}</span>}
        <ChevronRight aria-hidden size={16} className="text-soft transition-transform group-open:rotate-90" />
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
  );
}

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
