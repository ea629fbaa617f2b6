// Numbers and times as people read them.
import type { Run, Usage } from "../types";

export function seconds(value: number): string {
  if (value < 0.001) return "0 ms";
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  return value < 60 ? `${value.toFixed(1)} s` : `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

export function cost(value: number | null): string {
  if (value === null) return "price not known";
  return value === 0 ? "$0" : `$${value.toFixed(value < 0.01 ? 5 : 3)}`;
}

export function tokens(usage: Usage): string {
  return `${(usage.input_tokens + usage.output_tokens).toLocaleString("en")} tokens`;
}

export function ago(at: number): string {
  const past = Date.now() / 1000 - at;
  if (past < 60) return "just now";
  if (past < 3600) return `${Math.floor(past / 60)} min ago`;
  if (past < 86400) return `${Math.floor(past / 3600)} h ago`;
  return new Date(at * 1000).toLocaleDateString();
}

/** A moment as it is here, or in a zone of its own, which is then said. */
export function moment(at: number, zone?: string): string {
  const date = new Date(at * 1000);
  if (!zone) return date.toLocaleString();
  try {
    return date.toLocaleString(undefined, { timeZone: zone, timeZoneName: "short" });
  } catch {
    return date.toLocaleString();
  }
}

export function asked(run: Pick<Run, "input">): string {
  const last = run.input.at(-1)?.content;
  if (typeof last === "string") return last;
  if (!Array.isArray(last)) return "";
  return last.map((part) => (typeof part?.text === "string" ? part.text : "")).join("");
}

export function shown(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
