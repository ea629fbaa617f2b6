// The conversation, where one writes, and beside it what lies behind: a source, or the run as a graph and a trace.
import { ArrowDown } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useRef, useState } from "react";
import { get } from "../api";
import { goQuietly } from "../route";
import type { Agent, Checkpoint, Interrupt } from "../types";
import { Button, Empty, Trouble } from "../ui/parts";
import { Composer } from "./composer";
import type { Cited } from "./markdown";
import { Source } from "./source";
import { useTalk, type Turn as Held } from "./talk";
import { Turn } from "./turn";

const Inspector = lazy(() => import("../graph/inspector"));

interface Props {
  threadId: string;
  agents: Agent[];
  onChange: () => void;
}

export function Chat({ threadId, agents, onChange }: Props) {
  const talk = useTalk(threadId, onChange);
  const [chosen, setChosen] = useState("");
  const [cited, setCited] = useState<Cited | null>(null);
  const [inspected, setInspected] = useState("");
  const [low, setLow] = useState(true);
  const [fetching, setFetching] = useState(false);
  const end = useRef<HTMLDivElement>(null);
  const box = useRef<HTMLDivElement>(null);

  const last = talk.turns.at(-1);
  const agent = last?.run.agent ?? (chosen || agents[0]?.name || "");
  const busy = !!last && (last.view.status === "running" || last.view.status === "queued");

  useEffect(() => {
    setCited(null);
    setInspected("");
    setLow(true);
  }, [threadId]);
  useEffect(() => {
    if (low) end.current?.scrollIntoView({ block: "end" });
  }, [talk.turns, low]);

  const send = async (text: string) => {
    setLow(true);
    const run = await talk.say(agent, text, threadId);
    if (run.thread_id !== threadId) goQuietly("chat", run.thread_id);
  };
  const { fork, answer } = talk;
  const rerun = useCallback(
    async (turn: Held, text: string) => {
      const { checkpoints } = await get<{ checkpoints: Checkpoint[] }>(
        `/threads/${turn.run.thread_id}/checkpoints?limit=500`,
      );
      const own = new Set(checkpoints.filter((each) => each.run_id === turn.run.id).map((each) => each.id));
      const first = checkpoints.filter((each) => own.has(each.id)).at(-1);
      const before = first && checkpoints.find((each) => each.id === first.parent_id);
      if (!before) {
        const run = await talk.say(turn.run.agent, text, "");
        goQuietly("chat", run.thread_id);
        return;
      }
      await fork(turn.run.thread_id, { checkpoint_id: before.id, input: text });
    },
    [fork, talk.say],
  );
  const onAnswer = useCallback(
    (asked: Interrupt, body: Record<string, unknown>, seq: number) => answer(asked, body, seq),
    [answer],
  );
  const onFork = useCallback(
    async (thread: string, body: Record<string, unknown>) => {
      const run = await fork(thread, body);
      setInspected(run.id);
      setLow(true);
    },
    [fork],
  );
  const onInspect = useCallback((id: string) => {
    setCited(null);
    setInspected(id);
  }, []);
  const onCite = useCallback((found: Cited) => {
    setInspected("");
    setCited(found);
  }, []);

  /** Earlier runs come in above, and what was read stays where it was. */
  const showEarlier = async () => {
    setFetching(true);
    setLow(false);
    const from = box.current?.scrollHeight ?? 0;
    await talk.earlier().catch(() => undefined);
    setFetching(false);
    requestAnimationFrame(() => {
      if (box.current) box.current.scrollTop += box.current.scrollHeight - from;
    });
  };

  const looked = talk.turns.find((turn) => turn.run.id === inspected);
  const aside = cited ? (
    <Source cited={cited} onClose={() => setCited(null)} />
  ) : looked ? (
    <Suspense fallback={<p className="p-4 text-soft">Loads…</p>}>
      <Inspector turn={looked} onFork={onFork} onClose={() => setInspected("")} />
    </Suspense>
  ) : null;

  return (
    <div className="flex h-full min-h-0">
      <div className={`flex min-w-0 grow flex-col ${aside ? "max-lg:hidden" : ""}`}>
        <div
          ref={box}
          tabIndex={-1}
          className="relative min-h-0 grow overflow-y-auto"
          onScroll={(event) => {
            const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
            setLow(scrollHeight - scrollTop - clientHeight < 80);
          }}
        >
          <div role="log" aria-label="Conversation" aria-live="off" className="mx-auto max-w-3xl space-y-8 px-3 py-6 sm:px-4">
            {talk.more && (
              <div className="text-center">
                <Button disabled={fetching} onClick={() => void showEarlier()}>
                  {fetching ? "Loads…" : "Show earlier runs"}
                </Button>
              </div>
            )}
            {!talk.turns.length && !talk.loading && !talk.error && <Welcome agent={agents.find((each) => each.name === agent)} />}
            {talk.loading && <p className="text-soft">Loads…</p>}
            {talk.turns.map((turn) => (
              <Turn
                key={turn.run.id}
                turn={turn}
                last={turn === last}
                onCite={onCite}
                onAnswer={onAnswer}
                onRerun={rerun}
                onInspect={onInspect}
              />
            ))}
            {talk.gap && (
              <p role="status" className="text-sm text-warn">
                The connection is gone; it is tried again, and nothing is lost.
              </p>
            )}
            {talk.error && <Trouble error={talk.error} />}
            <div ref={end} />
          </div>
          {!low && talk.turns.length > 0 && (
            <button
              type="button"
              aria-label="To the newest"
              onClick={() => setLow(true)}
              className="sticky bottom-3 left-1/2 grid size-9 -translate-x-1/2 place-items-center rounded-full border border-line bg-panel shadow"
            >
              <ArrowDown size={17} aria-hidden />
            </button>
          )}
        </div>
        <p className="sr-only" role="status">
          {busy ? `${agent} is at work` : last ? `${last.run.agent} is ${last.run.status}` : ""}
        </p>
        <Composer
          agents={agents}
          agent={agent}
          fixed={talk.turns.length > 0}
          busy={busy}
          onAgent={setChosen}
          onSend={send}
          onStop={() => last && void talk.stop(last.run.id)}
        />
      </div>
      {aside && <aside className="w-full border-l border-line bg-panel lg:w-[min(46%,44rem)] lg:shrink-0">{aside}</aside>}
    </div>
  );
}

/** What it can do, by its tools; those that change something are told apart. */
function Can({ agent }: { agent: Agent }) {
  const tools = [...new Map(agent.tools.map((each) => [each.name, each])).values()];
  return (
    <ul aria-label="What it can do" className="mt-4 flex flex-wrap justify-center gap-1.5 text-left text-xs">
      {tools.map((each) => (
        <li
          key={each.name}
          title={each.description.split("\n")[0]}
          className={`rounded-md px-2 py-1 font-mono ${each.effect === "read" ? "bg-sunk text-soft" : "bg-warn-soft text-warn"}`}
        >
          {each.name}
          {each.approval && <span className="font-sans"> · asks first</span>}
        </li>
      ))}
    </ul>
  );
}

function Welcome({ agent }: { agent: Agent | undefined }) {
  return (
    <Empty title={agent ? `Talk to ${agent.name}` : "No agent is served"}>
      {agent ? (
        <>
          <p>{agent.description || "It answers what you ask."}</p>
          {!!agent.tools?.length && <Can agent={agent} />}
        </>
      ) : (
        <p>
          Put an agent into a Python file of this folder, and it is here within a second. <code>segue new NAME</code> makes one.
        </p>
      )}
    </Empty>
  );
}
