// The page behind a citation, opened at its lines.
import { X } from "lucide-react";
import { useEffect, useState } from "react";
import { ApiError, get, query } from "../api";
import type { Collection } from "../types";
import { IconButton, Trouble } from "../ui/parts";
import type { Cited } from "./markdown";

const AROUND = 12;

interface Lines {
  text: string;
  line_count: number;
}

/** The lines of a cited page, from whichever collection has it. */
async function open(cited: Cited, signal: AbortSignal): Promise<Lines & { from: number }> {
  const { collections } = await get<{ collections: Collection[] }>("/documents", signal);
  const from = Math.max(1, cited.start - AROUND);
  const folder = cited.path.split("/")[0];
  const named = [...collections].sort((a, b) => Number(b.name === folder) - Number(a.name === folder));
  let error: unknown = new ApiError(404, `No collection has the page ${cited.path}.`, "");
  for (const each of named) {
    try {
      const asked = query({ path: cited.path, start_line: from, end_line: cited.end + AROUND });
      return { ...(await get<Lines>(`/documents/${encodeURIComponent(each.name)}/page${asked}`, signal)), from };
    } catch (caught) {
      if (!(caught instanceof ApiError) || caught.status !== 404) error = caught;
    }
  }
  throw error;
}

export function Source({ cited, onClose }: { cited: Cited; onClose: () => void }) {
  const [held, setHeld] = useState<(Lines & { from: number }) | null>(null);
  const [error, setError] = useState<unknown>(null);
  useEffect(() => {
    const control = new AbortController();
    setHeld(null);
    setError(null);
    open(cited, control.signal)
      .then(setHeld)
      .catch((caught) => !control.signal.aborted && setError(caught));
    return () => control.abort();
  }, [cited]);
  const last = held ? held.from + held.text.split("\n").length - 1 : 0;
  return (
    <section aria-label={`Source ${cited.path}`} className="flex h-full flex-col">
      <header className="flex items-center justify-between gap-2 border-b border-line px-4 py-2">
        <h2 className="min-w-0 truncate font-mono text-sm font-semibold">{cited.path}</h2>
        <IconButton label="Close the source" onClick={onClose}>
          <X size={18} aria-hidden />
        </IconButton>
      </header>
      <div className="min-h-0 grow overflow-auto p-4" tabIndex={0}>
        {error !== null && <Trouble error={error} />}
        {held && (
          <>
            <ol className="font-mono text-[13px]">
              {held.text.split("\n").map((line, index) => {
                const number = held.from + index;
                const inside = number >= cited.start && number <= cited.end;
                return (
                  <li
                    key={number}
                    data-cited={inside || undefined}
                    ref={number === cited.start ? (node) => node?.scrollIntoView({ block: "center" }) : undefined}
                    className={`flex gap-3 rounded px-1 ${inside ? "bg-accent-soft" : ""}`}
                  >
                    <span className="w-8 shrink-0 text-right text-soft select-none">{number}</span>
                    <span className="min-w-0 break-words whitespace-pre-wrap">{line || " "}</span>
                  </li>
                );
              })}
            </ol>
            <p className="mt-3 text-xs text-soft">
              Lines {held.from} to {last} of {held.line_count}.
            </p>
          </>
        )}
      </div>
    </section>
  );
}
