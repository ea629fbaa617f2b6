// Where one writes: Enter sends, Shift+Enter breaks a line; while a run goes on, the same button stops it. Files become pages.
import { ArrowUp, Paperclip, Square } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { ApiError, get, post } from "../api";
import type { Agent, Collection } from "../types";
import { IconButton, Trouble } from "../ui/parts";

interface Props {
  agents: Agent[];
  agent: string;
  fixed: boolean;
  busy: boolean;
  onAgent: (name: string) => void;
  onSend: (text: string) => Promise<void>;
  onStop: () => void;
}

export function Composer({ agents, agent, fixed, busy, onAgent, onSend, onStop }: Props) {
  const [text, setText] = useState("");
  const [wanted, setWanted] = useState(false);
  const [note, setNote] = useState("");
  const [error, setError] = useState<unknown>(null);
  const area = useRef<HTMLTextAreaElement>(null);
  const file = useRef<HTMLInputElement>(null);

  const send = () => {
    const said = text.trim();
    setWanted(!agent);
    if (!said || busy || !agent) return;
    setError(null);
    setText("");
    onSend(said).catch((caught) => {
      setText(said);
      setError(caught);
    });
  };
  useEffect(() => {
    if (wanted && agent) send();
    // eslint-disable-next-line -- what was sent before anybody could answer goes when somebody can
  }, [wanted, agent]);
  const upload = async (found: File) => {
    setError(null);
    try {
      const { collections } = await get<{ collections: Collection[] }>("/documents");
      const into = collections.find((each) => each.agents.includes(agent));
      if (!into) throw new ApiError(409, `${agent} searches no documents.`, "Choose an agent that does.");
      const path = /\.(md|markdown|mdown|txt|text|rst)$/i.test(found.name) ? found.name : `${found.name}.txt`;
      await post(`/documents/${encodeURIComponent(into.name)}/pages`, { path, text: await found.text() });
      setNote(`${path} can be asked about now.`);
      area.current?.focus();
    } catch (caught) {
      setError(caught);
    }
  };

  return (
    <div className="mx-auto w-full max-w-3xl px-3 pb-3 sm:px-4">
      {error !== null && (
        <div className="mb-2">
          <Trouble error={error} onClose={() => setError(null)} />
        </div>
      )}
      {note && (
        <p role="status" className="mb-1 text-sm text-soft">
          {note}
        </p>
      )}
      <form
        className="rounded-2xl border border-line bg-panel p-2 shadow-sm has-[textarea:focus]:border-accent has-[textarea:focus]:ring-1 has-[textarea:focus]:ring-accent"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <textarea
          ref={area}
          aria-label="Message"
          placeholder={agent ? `Ask ${agent}` : "No agent is served"}
          rows={Math.min(8, Math.max(1, text.split("\n").length))}
          className="framed w-full resize-none bg-transparent px-2 py-1.5 placeholder:text-soft"
          value={text}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              send();
            }
          }}
        />
        <div className="flex items-center gap-1">
          <select
            aria-label="Agent"
            className="max-w-48 min-w-0 rounded-lg bg-transparent px-2 py-1.5 text-sm text-soft hover:bg-sunk disabled:opacity-70"
            value={agent}
            disabled={fixed}
            onChange={(event) => onAgent(event.target.value)}
          >
            {agents.map((each) => (
              <option key={each.name}>{each.name}</option>
            ))}
          </select>
          <IconButton label="Upload a text" onClick={() => file.current?.click()}>
            <Paperclip size={17} aria-hidden />
          </IconButton>
          <input
            ref={file}
            type="file"
            aria-label="A text to upload"
            tabIndex={-1}
            className="sr-only"
            accept=".md,.markdown,.txt,.text,.rst,.csv,.json,.log"
            onChange={(event) => {
              const found = event.target.files?.[0];
              event.target.value = "";
              if (found) void upload(found);
            }}
          />
          <span className="grow" />
          {busy ? (
            <button
              type="button"
              aria-label="Stop"
              title="Stop"
              onClick={onStop}
              className="grid size-9 place-items-center rounded-full bg-ink text-bg"
            >
              <Square size={14} fill="currentColor" aria-hidden />
            </button>
          ) : (
            <button
              type="submit"
              aria-label="Send"
              title="Send"
              disabled={!text.trim() || !agent}
              className="grid size-9 place-items-center rounded-full bg-accent text-accent-ink disabled:opacity-40"
            >
              <ArrowUp size={18} aria-hidden />
            </button>
          )}
        </div>
      </form>
    </div>
  );
}
