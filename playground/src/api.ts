// The server: requests in, answers or an error that says what to do out. The key, where one is needed, is kept in this tab.
import type { Event } from "./types";

const KEY = "segue.key";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly wayOut: string,
  ) {
    super(message);
  }
}

export function key(): string {
  return sessionStorage.getItem(KEY) ?? "";
}

export function setKey(value: string): void {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

function headers(more: Record<string, string> = {}): Record<string, string> {
  return key() ? { Authorization: `Bearer ${key()}`, ...more } : more;
}

async function checked(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (init.signal?.aborted) throw error;
    throw new ApiError(0, "The server cannot be reached.", "See that segue dev still runs; this page goes on by itself.");
  }
  if (response.ok) return response;
  const told = await response.json().catch(() => ({}));
  const error = told.error ?? {};
  throw new ApiError(response.status, error.message ?? `The server answered ${response.status}.`, error.way_out ?? "");
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await checked(`/api/v1${path}`, { headers: headers(), signal })).json();
}

/** A picture of the server, as an address of this page alone. */
export async function picture(path: string, signal?: AbortSignal): Promise<string> {
  const response = await checked(`/api/v1${path}`, { headers: headers(), signal });
  return URL.createObjectURL(await response.blob());
}

export async function send<T>(method: "POST" | "PATCH" | "DELETE", path: string, body?: unknown): Promise<T> {
  const more: Record<string, string> = body === undefined ? {} : { "Content-Type": "application/json" };
  const init = { method, headers: headers(more), body: body === undefined ? undefined : JSON.stringify(body) };
  const response = await checked(`/api/v1${path}`, init);
  return response.status === 204 ? (undefined as T) : response.json();
}

const post = <T>(path: string, body: unknown = {}) => send<T>("POST", path, body);
export { post };

export function query(values: Record<string, string | number | undefined>): string {
  const found = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
  return found.length ? "?" + new URLSearchParams(found.map(([name, value]) => [name, String(value)])) : "";
}

export interface Told {
  seq: number;
  event: Event;
}

/**
 * The events of a run behind a number: what was, then what comes. Comes back by itself where the connection breaks, and
 * misses nothing. Ends with the run, or where it waits for a person.
 */
export async function* events(runId: string, after: number, signal: AbortSignal, onGap: (gone: boolean) => void) {
  let last = after;
  for (let wait = 300; !signal.aborted; wait = Math.min(wait * 2, 5000)) {
    try {
      const sent = headers(last ? { "Last-Event-ID": String(last) } : {});
      const response = await checked(`/api/v1/runs/${runId}/events`, { headers: sent, signal });
      onGap(false);
      wait = 300;
      for await (const told of parsed(response.body!)) {
        last = Math.max(last, told.seq);
        yield told;
        if (told.event.type === "run_finished") return;
      }
      const run = await get<{ status: string }>(`/runs/${runId}`, signal);
      if (run.status !== "running" && run.status !== "queued") return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.status >= 400 && error.status < 500) throw error;
    }
    onGap(true);
    await new Promise((done) => setTimeout(done, wait));
  }
}

async function* parsed(body: ReadableStream<Uint8Array>): AsyncGenerator<Told> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  let held = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      held += value;
      const blocks = held.split("\n\n");
      held = blocks.pop()!;
      for (const block of blocks) {
        let seq = 0;
        let data = "";
        for (const line of block.split("\n")) {
          if (line.startsWith("id: ")) seq = Number(line.slice(4));
          else if (line.startsWith("data: ")) data += line.slice(6);
        }
        if (data) yield { seq, event: JSON.parse(data) };
      }
    }
  } finally {
    void reader.cancel().catch(() => undefined);
  }
}
