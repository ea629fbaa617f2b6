// What a run waits for: a call to approve, edit or reject, or a question; one card each, answered one by one.
import { ShieldQuestion } from "lucide-react";
import { useState } from "react";
import type { Agent, Interrupt, Schema } from "../types";
import { SchemaForm } from "../ui/form";
import { useGet } from "../ui/hooks";
import { shown } from "../ui/say";
import { Badge, Button, field, Trouble } from "../ui/parts";

type Send = (body: Record<string, unknown>) => Promise<void>;

export function Approval({ asked, onAnswer }: { asked: Interrupt; onAnswer: Send }) {
  const [mode, setMode] = useState<"ask" | "edit" | "reject">("ask");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const send: Send = async (body) => {
    setBusy(true);
    setError(null);
    try {
      await onAnswer(body);
    } catch (caught) {
      setError(caught);
      setBusy(false);
    }
  };
  const question = asked.kind === "question";
  return (
    <section
      aria-label={question ? `Question of ${asked.agent}` : `Approval of ${asked.tool}`}
      data-interrupt={asked.id}
      className="rounded-xl border border-warn/40 bg-warn-soft/60 p-4"
    >
      <div className="mb-2 flex flex-wrap items-center gap-2">
        <ShieldQuestion aria-hidden size={18} className="text-warn" />
        <h3 className="font-semibold">
          {question ? asked.question : asked.kind === "effect" ? `Was ${asked.tool} done?` : `May ${asked.tool} run?`}
        </h3>
        <Badge>{asked.agent}</Badge>
        {asked.expired && <Badge tone="bad">expired</Badge>}
      </div>
      {asked.reason && <p className="mb-2 text-sm text-soft">{asked.reason}</p>}
      {question ? (
        <Question asked={asked} busy={busy} onSend={(value) => send({ type: "answer", value })} />
      ) : mode === "edit" ? (
        <Edit asked={asked} busy={busy} onBack={() => setMode("ask")} onSend={(value) => send({ type: "edit", arguments: value })} />
      ) : (
        <Arguments held={asked.arguments} />
      )}
      {!question && mode === "ask" && (
        <div className="mt-3 flex flex-wrap gap-2">
          <Button look="main" disabled={busy || asked.expired} onClick={() => void send({ type: "approve" })}>
            {asked.kind === "effect" ? "Do it again" : "Approve"}
          </Button>
          {asked.kind === "approval" && (
            <Button disabled={busy || asked.expired} onClick={() => setMode("edit")}>
              Edit
            </Button>
          )}
          <Button look="bad" disabled={busy} onClick={() => setMode("reject")}>
            {asked.kind === "effect" ? "Leave it" : "Reject"}
          </Button>
        </div>
      )}
      {mode === "reject" && <Reject busy={busy} onBack={() => setMode("ask")} onSend={(reason) => send({ type: "reject", reason })} />}
      {error !== null && (
        <div className="mt-3">
          <Trouble error={error} />
        </div>
      )}
    </section>
  );
}

function Arguments({ held }: { held: Record<string, unknown> }) {
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 rounded-lg bg-panel p-3 text-sm">
      {Object.entries(held).map(([name, value]) => (
        <div key={name} className="contents">
          <dt className="font-mono text-[13px] text-soft">{name}</dt>
          <dd className="min-w-0 break-words whitespace-pre-wrap">{shown(value)}</dd>
        </div>
      ))}
      {!Object.keys(held).length && <p className="text-soft">It takes no arguments.</p>}
    </dl>
  );
}

/** The arguments in a form made from the tool's schema; where that cannot be had, from the arguments themselves. */
function Edit(props: { asked: Interrupt; busy: boolean; onBack: () => void; onSend: (value: Record<string, unknown>) => void }) {
  const { asked } = props;
  const { data, error } = useGet<Agent>(`/agents/${encodeURIComponent(asked.run_agent)}`);
  if (!data && error === null) return <p className="text-sm text-soft">Loads…</p>;
  const tools = data?.tools.filter((each) => each.name === asked.tool) ?? [];
  const tool = tools.find((each) => each.agent === asked.agent) ?? tools[0];
  return (
    <SchemaForm schema={tool?.parameters ?? guessed(asked.arguments)} values={asked.arguments} onSend={props.onSend}>
      <div className="flex flex-wrap gap-2">
        <Button look="main" type="submit" disabled={props.busy}>
          Run it with these
        </Button>
        <Button onClick={props.onBack}>Back</Button>
      </div>
    </SchemaForm>
  );
}

function guessed(held: Record<string, unknown>): Schema {
  const typed = Object.entries(held).map(([name, value]): [string, Schema] => [name, { type: typeof value }]);
  return { properties: Object.fromEntries(typed.filter(([, each]) => each.type !== "object")), required: Object.keys(held) };
}

function Reject(props: { busy: boolean; onBack: () => void; onSend: (reason: string) => void }) {
  const [reason, setReason] = useState("");
  return (
    <form
      className="mt-3 space-y-3"
      onSubmit={(event) => {
        event.preventDefault();
        props.onSend(reason);
      }}
    >
      <label className="block text-sm">
        <span className="mb-1 block font-medium">Why not? The model reads it.</span>
        <input autoFocus className={field} value={reason} onChange={(event) => setReason(event.target.value)} />
      </label>
      <div className="flex flex-wrap gap-2">
        <Button look="bad" type="submit" disabled={props.busy}>
          Reject
        </Button>
        <Button onClick={props.onBack}>Back</Button>
      </div>
    </form>
  );
}

function Question({ asked, busy, onSend }: { asked: Interrupt; busy: boolean; onSend: (value: unknown) => void }) {
  const [text, setText] = useState("");
  const [fault, setFault] = useState("");
  if (asked.options)
    return (
      <div className="flex flex-wrap gap-2">
        {asked.options.map((each) => (
          <Button key={shown(each)} disabled={busy} onClick={() => onSend(each)}>
            {shown(each)}
          </Button>
        ))}
      </div>
    );
  const kind = asked.answer_schema?.type;
  const plain = !kind || kind === "string";
  return (
    <form
      className="flex flex-wrap items-end gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        try {
          onSend(plain ? text : JSON.parse(text));
        } catch {
          setFault(`This wants ${String(kind)}, written as JSON.`);
        }
      }}
    >
      <label className="min-w-48 grow text-sm">
        <span className="mb-1 block">Your answer{plain ? "" : ` (${String(kind)}, as JSON)`}</span>
        <input className={field} value={text} onChange={(event) => setText(event.target.value)} />
      </label>
      <Button look="main" type="submit" disabled={busy || !text}>
        Answer
      </Button>
      {fault && (
        <p role="alert" className="w-full text-sm text-bad">
          {fault}
        </p>
      )}
    </form>
  );
}
