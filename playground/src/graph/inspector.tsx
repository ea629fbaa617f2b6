// What lies behind a run: its graph with the way that was taken, its trace, and the checkpoints one can go on from.
import { X } from "lucide-react";
import { useState } from "react";
import type { Turn } from "../chat/talk";
import { IconButton } from "../ui/parts";
import { GraphView } from "./graph";
import { StateView, type Fork } from "./state";
import { TraceView } from "../trace/trace";

const TABS = { graph: "Graph", state: "State", trace: "Trace", way: "Why" } as const;

export default function Inspector({ turn, onFork, onClose }: { turn: Turn; onFork: Fork; onClose: () => void }) {
  const [tab, setTab] = useState<keyof typeof TABS>("graph");
  const [node, setNode] = useState("");
  return (
    <section aria-label="Behind the run" className="flex h-full flex-col">
      <header className="flex items-center justify-between gap-2 border-b border-line px-3 py-1.5">
        <div role="tablist" aria-label="Views" className="flex gap-1">
          {Object.entries(TABS).map(([key, name]) => (
            <button
              key={key}
              role="tab"
              id={`tab-${key}`}
              aria-selected={tab === key}
              aria-controls="behind"
              type="button"
              onClick={() => {
                setNode("");
                setTab(key as keyof typeof TABS);
              }}
              className={`min-h-9 rounded-lg px-3 text-sm font-medium ${tab === key ? "bg-accent-soft text-accent" : "text-soft hover:bg-sunk"}`}
            >
              {name}
            </button>
          ))}
        </div>
        <IconButton label="Close" onClick={onClose}>
          <X size={18} aria-hidden />
        </IconButton>
      </header>
      <div id="behind" role="tabpanel" aria-labelledby={`tab-${tab}`} className="min-h-0 grow overflow-auto">
        {tab === "graph" && (
          <GraphView
            agent={turn.run.agent}
            view={turn.view}
            onNode={(name) => {
              setNode(name);
              setTab("state");
            }}
          />
        )}
        {tab === "state" && <StateView turn={turn} node={node} onFork={onFork} />}
        {tab === "trace" && <TraceView runId={turn.run.id} threadId={turn.run.thread_id} />}
        {tab === "way" && <Way turn={turn} />}
      </div>
    </section>
  );
}

function Way({ turn }: { turn: Turn }) {
  return (
    <ol className="space-y-2 p-4 text-sm">
      {turn.view.steps.map((step, index) => (
        <li key={index} className="rounded-lg border border-line p-2.5">
          <p className="font-mono text-[13px]">
            {step.source} → {step.target}
          </p>
          <p className="text-soft">
            {step.reason || "always"} · step {step.step}
          </p>
        </li>
      ))}
      {!turn.view.steps.length && <p className="text-soft">No edge was taken yet.</p>}
    </ol>
  );
}
