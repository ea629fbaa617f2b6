// What agents search: pages, a search as they do it, uploads of one's own.
import { useState } from "react";
import { post, query, send } from "../api";
import { Source } from "../chat/source";
import type { Cited } from "../chat/markdown";
import { go } from "../route";
import type { Collection, Page, Passage } from "../types";
import { useGet } from "../ui/hooks";
import { Badge, Button, Empty, field, Frame, Trouble } from "../ui/parts";

export default function Documents({ name }: { name: string }) {
  const { data, error } = useGet<{ collections: Collection[] }>("/documents");
  const held = data?.collections.find((each) => each.name === name) ?? data?.collections[0];
  if (error !== null)
    return (
      <Frame title="Documents">
        <Trouble error={error} />
      </Frame>
    );
  if (!data) return <p className="p-6 text-soft">Loads…</p>;
  if (!held)
    return (
      <Empty title="No agent searches documents">
        Give one a folder: <code>tools=[Documents("handbook/")]</code>
      </Empty>
    );
  return <One key={held.name} held={held} all={data.collections} />;
}

function One({ held, all }: { held: Collection; all: Collection[] }) {
  const place = `/documents/${encodeURIComponent(held.name)}`;
  const pages = useGet<{ pages: Page[] }>(place);
  const [words, setWords] = useState("");
  const [asked, setAsked] = useState("");
  const found = useGet<{ passages: Passage[] }>(asked ? `${place}/search${query({ q: asked, k: 8 })}` : null);
  const [cited, setCited] = useState<Cited | null>(null);
  const [error, setError] = useState<unknown>(null);
  const whole = (path: string) => setCited({ path, start: 1, end: 1 });
  return (
    <div className="flex h-full min-h-0">
      <div className={`min-w-0 grow ${cited ? "max-lg:hidden" : ""}`}>
        <Frame
          title="Documents"
          about={held.description || `Searched by ${held.agents.join(", ")}.`}
          tools={
            <div className="flex flex-wrap gap-2">
              {all.length > 1 && (
                <select aria-label="Collection" className={`${field} !w-44`} value={held.name} onChange={(event) => go("documents", event.target.value)}>
                  {all.map((each) => (
                    <option key={each.name}>{each.name}</option>
                  ))}
                </select>
              )}
              <label className="inline-flex min-h-9 cursor-pointer items-center rounded-lg border border-line bg-panel px-3 text-sm font-medium focus-within:outline-2 focus-within:outline-accent hover:bg-sunk">
                Upload
                <input
                  type="file"
                  className="sr-only"
                  accept=".md,.markdown,.txt,.text,.rst"
                  onChange={(event) => {
                    const file = event.target.files?.[0];
                    event.target.value = "";
                    if (file)
                      file
                        .text()
                        .then((text) => post(`${place}/pages`, { path: file.name, text }))
                        .then(pages.again)
                        .catch(setError);
                  }}
                />
              </label>
            </div>
          }
        >
          {error !== null && <Trouble error={error} onClose={() => setError(null)} />}
          <form
            className="mb-4 flex gap-2"
            onSubmit={(event) => {
              event.preventDefault();
              setAsked(words.trim());
            }}
          >
            <input aria-label="Search" placeholder="Search as an agent does" className={field} value={words} onChange={(event) => setWords(event.target.value)} />
            <Button look="main" type="submit">
              Search
            </Button>
          </form>
          {found.error !== null && <Trouble error={found.error} />}
          {found.data && (
            <ul className="mb-6 space-y-2" aria-label="Passages">
              {found.data.passages.map((each) => (
                <li key={each.citation} className="rounded-xl border border-line bg-panel p-3">
                  <button type="button" className="text-sm text-accent hover:underline" onClick={() => setCited({ path: each.path, start: each.start_line, end: each.end_line })}>
                    {each.citation}
                  </button>{" "}
                  <span className="text-sm text-soft">{each.heading}</span>
                  <p className="mt-1 text-sm whitespace-pre-wrap">{each.text}</p>
                </li>
              ))}
              {!found.data.passages.length && <li className="text-soft">No passage has anything to do with that.</li>}
            </ul>
          )}
          {pages.error !== null && <Trouble error={pages.error} />}
          <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-panel" aria-label="Pages">
            {pages.data?.pages.map((each) => (
              <li key={each.path} className="flex flex-wrap items-center gap-2 px-4 py-2">
                <button type="button" className="min-w-0 grow truncate text-left hover:underline" onClick={() => whole(each.path)}>
                  {each.title} <span className="text-sm text-soft">{each.path}</span>
                </button>
                {each.note && <Badge tone="warn">{each.note}</Badge>}
                {each.uploaded && (
                  <>
                    <Badge tone="accent">yours</Badge>
                    <Button look="quiet" onClick={() => send("DELETE", `${place}/pages${query({ path: each.path })}`).then(pages.again).catch(setError)}>
                      Remove
                    </Button>
                  </>
                )}
              </li>
            ))}
          </ul>
        </Frame>
      </div>
      {cited && (
        <aside className="w-full border-l border-line bg-panel lg:w-[44%] lg:shrink-0">
          <Source cited={cited} onClose={() => setCited(null)} />
        </aside>
      )}
    </div>
  );
}
