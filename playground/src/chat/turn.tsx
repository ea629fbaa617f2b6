// One run of a conversation: what was asked, the plan as a checklist, what workers said and did, the answer, what it cost.
import { Check, ChevronRight, Circle, CircleX, GitFork, LoaderCircle, Pencil, ThumbsDown, ThumbsUp } from "lucide-react";
import { memo, useState } from "react";
import { post } from "../api";
import { href } from "../route";
import type { Interrupt } from "../types";
import { asked, cost, seconds, shown, tokens } from "../ui/say";
import { Badge, Button, field, IconButton, Trouble } from "../ui/parts";
import { Approval } from "./approval";
import type { Block, TaskState } from "./blocks";
import { Text, type Cited } from "./markdown";
import type { Turn as Held } from "./talk";
import { ToolCard } from "./toolcard";

interface Props {
  turn: Held;
  last: boolean;
  onCite: (cited: Cited) => void;
  onAnswer: (asked: Interrupt, body: Record<string, unknown>, seq: number) => Promise<void>;
  onRerun: (turn: Held, text: string) => Promise<void>;
  onInspect: (id: string) => void;
}

export const Turn = memo(function Turn({ turn, last, onCite, onAnswer, onRerun, onInspect }: Props) {
  const { run, view } = turn;
  const [edit, setEdit] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const goesOn = view.status === "running" || view.status === "queued";
  const plan = view.blocks.findLast((each) => each.kind === "plan");
  const question = asked(run);
  return (
    <article aria-label={`Run of ${run.agent}`} data-run={run.id} className="turn space-y-3">
      {edit === null ? (
        <div className="group flex justify-end gap-1">
          <IconButton
            label="Edit and run again"
            className="opacity-0 group-focus-within:opacity-100 group-hover:opacity-100 max-md:opacity-100"
            disabled={goesOn}
            onClick={() => setEdit(question)}
          >
            <Pencil size={15} aria-hidden />
          </IconButton>
          <div className="max-w-[85%] rounded-2xl rounded-br-md bg-accent-soft px-4 py-2.5 break-words whitespace-pre-wrap">
            {question || <span className="text-soft">goes on from a checkpoint</span>}
            {run.forked_from && (
              <span className="mt-1 flex items-center gap-1 text-xs text-soft">
                <GitFork size={12} aria-hidden /> another branch
              </span>
            )}
          </div>
        </div>
      ) : (
        <form
          className="space-y-2"
          onSubmit={(event) => {
            event.preventDefault();
            onRerun(turn, edit)
              .then(() => setEdit(null))
              .catch(setError);
          }}
        >
          <textarea
            autoFocus
            aria-label="The request, edited"
            className={field}
            rows={3}
            value={edit}
            onChange={(event) => setEdit(event.target.value)}
          />
          <div className="flex justify-end gap-2">
            <Button onClick={() => setEdit(null)}>Cancel</Button>
            <Button look="main" type="submit" disabled={!edit.trim()}>
              Run again from here
            </Button>
          </div>
        </form>
      )}
      {error !== null && <Trouble error={error} onClose={() => setError(null)} />}

      <div className="space-y-2.5">
        {view.blocks.map((block) =>
          block.kind === "plan" ? (
            block === plan && <Plan key={block.key} block={block} />
          ) : block.kind === "tool" ? (
            <ToolCard key={block.key} runId={run.id} call={block.call} agent={block.agent} goesOn={goesOn} />
          ) : block.kind === "text" ? (
            block.taskId ? (
              <WorkerText key={block.key} block={block} onCite={onCite} />
            ) : (
              <div key={block.key} data-answer className={block.open && goesOn ? "caret" : ""}>
                <Text text={block.text} onCite={onCite} />
              </div>
            )
          ) : null,
        )}
        {run.status === "completed" && typeof run.output !== "string" && run.output !== null && (
          <pre tabIndex={0} className="overflow-auto rounded-lg bg-sunk p-3 font-mono text-[13px]">
            {shown(run.output)}
          </pre>
        )}
        {goesOn && !view.blocks.length && (
          <p className="flex items-center gap-2 text-soft" role="status">
            <LoaderCircle aria-hidden size={16} className="animate-spin" /> thinks…
          </p>
        )}
      </div>

      {run.status === "waiting" &&
        run.interrupts.map((each) => (
          <Approval key={each.id} asked={each} onAnswer={(body) => onAnswer(each, body, view.seq)} />
        ))}
      {view.error && view.status !== "running" && <Trouble error={view.error} />}

      {goesOn && view.steps.length > 0 && (
        <p className="text-xs text-soft">
          <button type="button" className="underline hover:text-ink" onClick={() => onInspect(run.id)}>
            watch it in the graph
          </button>
        </p>
      )}
      {!goesOn && (
        <footer className="flex flex-wrap items-center gap-x-3 gap-y-1 text-xs text-soft">
          {run.status !== "completed" && (
            <Badge tone={run.status === "failed" ? "bad" : "warn"}>
              {run.status}
              {run.stop_reason ? `: ${run.stop_reason}` : ""}
            </Badge>
          )}
          <span>{view.model}</span>
          <span>{tokens(run.usage)}</span>
          <span data-cost>{cost(run.usage.cost_usd)}</span>
          <span>{seconds(run.duration_s)}</span>
          <button type="button" className="underline hover:text-ink" onClick={() => onInspect(run.id)}>
            how it came to this
          </button>
          <a className="underline hover:text-ink" href={href("runs", run.id)}>
            run
          </a>
          {last && run.status === "completed" && <Thumbs id={run.id} />}
        </footer>
      )}
    </article>
  );
});

const STATES: Record<TaskState, [typeof Check, string, string]> = {
  open: [Circle, "text-soft", "open"],
  running: [LoaderCircle, "animate-spin text-accent", "under way"],
  done: [Check, "text-good", "done"],
  failed: [CircleX, "text-bad", "failed"],
};

function Plan({ block }: { block: Extract<Block, { kind: "plan" }> }) {
  return (
    <section aria-label="Plan" className="rounded-xl border border-line bg-panel p-3">
      <h3 className="mb-1.5 text-sm font-semibold">Plan</h3>
      <ol className="space-y-1">
        {block.tasks.map((task) => {
          const [Icon, look, word] = STATES[task.state];
          return (
            <li key={task.id} className="flex gap-2 text-sm" data-task={task.id} data-state={task.state}>
              <Icon aria-hidden size={16} className={`mt-0.5 shrink-0 ${look}`} />
              <span className="sr-only">{word}:</span>
              <span className="min-w-0 grow break-words">{task.task}</span>
              <span className="shrink-0">
                <Badge>{task.worker}</Badge>
              </span>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

function WorkerText({ block, onCite }: { block: Extract<Block, { kind: "text" }>; onCite: (cited: Cited) => void }) {
  return (
    <details className="group rounded-xl border border-line bg-panel">
      <summary className="flex min-h-10 list-none items-center gap-2 px-3 py-1.5 text-sm">
        <Badge tone="accent">{block.agent}</Badge>
        <span className="min-w-0 grow truncate text-soft">{block.text.slice(0, 200)}</span>
        <ChevronRight aria-hidden size={16} className="shrink-0 text-soft transition-transform group-open:rotate-90" />
      </summary>
      <div className="border-t border-line px-3 py-3 text-sm">
        <Text text={block.text} onCite={onCite} />
      </div>
    </details>
  );
}

/** A thumb, then what to say of it: sent as feedback, or kept as a case that `segue eval` tries from then on. */
function Thumbs({ id }: { id: string }) {
  const [given, setGiven] = useState<boolean | null>(null);
  const [open, setOpen] = useState(false);
  const [comment, setComment] = useState("");
  const [words, setWords] = useState("");
  const [done, setDone] = useState("");
  const [error, setError] = useState<unknown>(null);
  const give = (value: boolean) => {
    setGiven(value);
    setOpen(true);
    setDone("");
    post(`/runs/${id}/feedback`, { name: "helpful", value, comment: "" }).catch(setError);
  };
  const send = async (keep: boolean) => {
    setError(null);
    try {
      if (comment) await post(`/runs/${id}/feedback`, { name: "helpful", value: given, comment });
      if (keep) {
        const said = words.trim() ? { contains: [words.trim()] } : {};
        await post(`/runs/${id}/case`, { good: given, comment, ...said });
      }
      setDone(keep ? "case" : "comment");
      setOpen(false);
    } catch (caught) {
      setError(caught);
    }
  };
  return (
    <span className="flex flex-wrap items-center gap-1">
      <IconButton label="Helpful" aria-pressed={given === true} onClick={() => give(true)}>
        <ThumbsUp size={15} aria-hidden className={given === true ? "text-good" : ""} />
      </IconButton>
      <IconButton label="Not helpful" aria-pressed={given === false} onClick={() => give(false)}>
        <ThumbsDown size={15} aria-hidden className={given === false ? "text-bad" : ""} />
      </IconButton>
      <span role="status">
        {done === "case" ? (
          <>
            Kept as a case. <a className="underline" href={href("evals")}>Evals</a>
          </>
        ) : done ? (
          "Thank you."
        ) : null}
      </span>
      {open && (
        <form
          aria-label="About this answer"
          className="w-full space-y-2 rounded-xl border border-line bg-panel p-3"
          onSubmit={(event) => {
            event.preventDefault();
            void send(true);
          }}
        >
          <label className="block">
            <span className="mb-1 block">{given ? "What was good?" : "What was wrong?"} (may be left out)</span>
            <input className={field} value={comment} onChange={(event) => setComment(event.target.value)} />
          </label>
          <label className="block">
            <span className="mb-1 block">{given ? "What the answer must say" : "What it should have said"} (may be left out)</span>
            <input className={field} value={words} onChange={(event) => setWords(event.target.value)} />
          </label>
          <p>
            {given
              ? "As a case, it passes as long as the same tools are called and the same sources are cited."
              : "As a case, it passes once the answer is another one."}
          </p>
          <div className="flex flex-wrap gap-2">
            <Button look="main" type="submit">
              Keep as a case
            </Button>
            <Button disabled={!comment} onClick={() => void send(false)}>
              Send the comment alone
            </Button>
            <Button look="quiet" onClick={() => setOpen(false)}>
              Close
            </Button>
          </div>
        </form>
      )}
      {error !== null && <Trouble error={error} onClose={() => setError(null)} />}
    </span>
  );
}
