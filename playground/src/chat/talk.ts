// A conversation: a thread's runs in, what each of them told and tells out. One stream is read for each run that goes on.
import { useCallback, useEffect, useReducer, useRef } from "react";
import { ApiError, events, get, post, query } from "../api";
import type { Event, Interrupt, Run } from "../types";
import { after, fresh, type RunView } from "./blocks";

export interface Turn {
  run: Run;
  view: RunView;
}

interface Talk {
  turns: Turn[];
  /** Whether there are runs before the first one. */
  more: boolean;
  loading: boolean;
  error: ApiError | null;
  gap: boolean;
}

type Change =
  | { type: "loaded"; turns: Turn[]; more: boolean }
  | { type: "earlier"; turns: Turn[]; more: boolean }
  | { type: "loading" }
  | { type: "failed"; error: ApiError | null }
  | { type: "begun"; run: Run }
  | { type: "told"; id: string; batch: { event: Event; seq: number }[] }
  | { type: "run"; run: Run }
  | { type: "gap"; gap: boolean };

const GOES_ON = ["queued", "running"];

function changed(talk: Talk, change: Change): Talk {
  switch (change.type) {
    case "loading":
      return { turns: [], more: false, loading: true, error: null, gap: false };
    case "loaded":
      return { ...talk, turns: change.turns, more: change.more, loading: false, error: null };
    case "earlier":
      return { ...talk, turns: [...change.turns, ...talk.turns], more: change.more };
    case "failed":
      return { ...talk, loading: false, error: change.error };
    case "begun":
      return { ...talk, turns: [...talk.turns, { run: change.run, view: fresh(change.run.id, change.run.agent) }] };
    case "told":
      return {
        ...talk,
        turns: talk.turns.map((turn) =>
          turn.run.id === change.id
            ? { ...turn, view: change.batch.reduce((view, each) => after(view, each.event, each.seq), turn.view) }
            : turn,
        ),
      };
    case "run":
      return {
        ...talk,
        turns: talk.turns.map((turn) => (turn.run.id === change.run.id ? { ...turn, run: change.run } : turn)),
      };
    case "gap":
      return talk.gap === change.gap ? talk : { ...talk, gap: change.gap };
  }
}

async function logOf(run: Run, signal: AbortSignal): Promise<RunView> {
  let view = fresh(run.id, run.agent);
  for (;;) {
    const page = await get<{ events: { id: number; data: Event }[] }>(
      `/runs/${run.id}/log${query({ after: view.seq, limit: 500 })}`,
      signal,
    );
    view = page.events.reduce((held, each) => after(held, each.data, each.id), view);
    if (page.events.length < 500) return view;
  }
}

const PAGE = 20;

/** The newest runs of a thread before one of them, oldest first, each with what it told; and whether there are more. */
async function pageOf(thread: string, before: string, signal: AbortSignal): Promise<{ turns: Turn[]; more: boolean }> {
  const { runs } = await get<{ runs: Run[] }>(`/runs${query({ thread_id: thread, before, limit: PAGE })}`, signal);
  const turns = await Promise.all(
    runs.reverse().map(async (run) => {
      const [whole, view] = await Promise.all([get<Run>(`/runs/${run.id}`, signal), logOf(run, signal)]);
      return { run: whole, view };
    }),
  );
  return { turns, more: runs.length === PAGE };
}

export function useTalk(threadId: string, onChange: () => void) {
  const [talk, tell] = useReducer(changed, { turns: [], more: false, loading: !!threadId, error: null, gap: false });
  const reading = useRef(new Map<string, AbortController>());
  const begunHere = useRef("");

  const look = useCallback(async (id: string) => {
    tell({ type: "run", run: await get<Run>(`/runs/${id}`) });
  }, []);

  const read = useCallback(
    async (id: string, from: number) => {
      if (reading.current.has(id)) return;
      const control = new AbortController();
      reading.current.set(id, control);
      let batch: { event: Event; seq: number }[] = [];
      let frame = 0;
      const flush = () => {
        frame = 0;
        if (batch.length) tell({ type: "told", id, batch });
        batch = [];
      };
      try {
        for await (const told of events(id, from, control.signal, (gap) => tell({ type: "gap", gap }))) {
          batch.push(told);
          frame ||= requestAnimationFrame(flush);
        }
      } catch (error) {
        if (error instanceof ApiError) tell({ type: "failed", error });
      } finally {
        cancelAnimationFrame(frame);
        if (reading.current.get(id) === control) reading.current.delete(id);
        if (!control.signal.aborted) {
          flush();
          await look(id).catch(() => undefined);
          onChange();
        }
      }
    },
    [look, onChange],
  );

  useEffect(() => {
    if (threadId && begunHere.current === threadId) return;
    begunHere.current = "";
    const control = new AbortController();
    for (const each of reading.current.values()) each.abort();
    reading.current.clear();
    if (!threadId) {
      tell({ type: "loaded", turns: [], more: false });
      return;
    }
    tell({ type: "loading" });
    (async () => {
      const { turns, more } = await pageOf(threadId, "", control.signal);
      if (!turns.length) await get(`/threads/${encodeURIComponent(threadId)}`, control.signal); // 404 where there is none
      tell({ type: "loaded", turns, more });
      for (const turn of turns) if (GOES_ON.includes(turn.run.status)) void read(turn.run.id, turn.view.seq);
    })().catch((error) => {
      if (control.signal.aborted) return;
      const gone = error instanceof ApiError && error.status === 404;
      tell({ type: "failed", error: gone ? new ApiError(404, "There is no such conversation.", "") : error });
    });
    return () => control.abort();
    // eslint-disable-next-line -- turns are looked at once, when the thread changes
  }, [threadId, read]);

  useEffect(() => () => reading.current.forEach((each) => each.abort()), []);

  const first = talk.turns[0]?.run;
  const earlier = useCallback(async () => {
    if (!first) return;
    const { turns, more } = await pageOf(first.thread_id, first.id, new AbortController().signal);
    tell({ type: "earlier", turns, more });
  }, [first]);

  const say = useCallback(
    async (agent: string, input: string, thread: string): Promise<Run> => {
      const body = thread ? { agent, input, thread_id: thread } : { agent, input };
      const run = await post<Run>("/runs", body);
      if (!thread) begunHere.current = run.thread_id;
      tell({ type: "begun", run });
      void read(run.id, 0);
      onChange();
      return run;
    },
    [read, onChange],
  );

  const fork = useCallback(
    async (thread: string, body: Record<string, unknown>): Promise<Run> => {
      const run = await post<Run>(`/threads/${thread}/fork`, body);
      if (run.thread_id === thread) tell({ type: "begun", run });
      void read(run.id, 0);
      onChange();
      return run;
    },
    [read, onChange],
  );

  const answer = useCallback(
    async (asked: Interrupt, body: Record<string, unknown>, seq: number) => {
      tell({ type: "run", run: await post<Run>(`/interrupts/${asked.id}/answer`, body) });
      void read(asked.run_id, seq);
    },
    [read],
  );

  const stop = useCallback(async (id: string) => {
    tell({ type: "run", run: await post<Run>(`/runs/${id}/cancel`) });
  }, []);

  return { ...talk, earlier, say, fork, answer, stop };
}
