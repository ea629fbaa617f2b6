// The page as a whole: what there is at the side, where one is in the middle, and the key where one is asked for.
import { BookOpen, CalendarClock, Cpu, FlaskConical, History, Menu, MessageSquare, Moon, Plus, Search, Settings2, Sun, Workflow, X } from "lucide-react";
import { lazy, Suspense, useCallback, useEffect, useState } from "react";
import { ApiError, key, setKey } from "./api";
import { Chat } from "./chat/chat";
import { go, href, useRoute } from "./route";
import type { Agent, Interrupt, Models, Thread } from "./types";
import { useGet, useTheme } from "./ui/hooks";
import { Button, Empty, field, IconButton, Trouble } from "./ui/parts";
import { ago } from "./ui/say";

const Runs = lazy(() => import("./pages/runs"));
const Jobs = lazy(() => import("./pages/jobs"));
const Documents = lazy(() => import("./pages/documents"));
const Graphs = lazy(() => import("./pages/graphs"));
const Evals = lazy(() => import("./pages/evals"));
const ModelsPage = lazy(() => import("./pages/models"));
const SettingsPage = lazy(() => import("./pages/settings"));
const Palette = lazy(() => import("./pages/palette"));

const PAGES = [
  { page: "chat", name: "Chat", icon: MessageSquare },
  { page: "graphs", name: "Graphs", icon: Workflow },
  { page: "runs", name: "Runs", icon: History },
  { page: "jobs", name: "Jobs", icon: CalendarClock },
  { page: "documents", name: "Documents", icon: BookOpen },
  { page: "evals", name: "Evals", icon: FlaskConical },
  { page: "models", name: "Models", icon: Cpu },
  { page: "settings", name: "Settings", icon: Settings2 },
];

export function App() {
  const route = useRoute();
  const [menu, setMenu] = useState(false);
  const [palette, setPalette] = useState(false);
  const [theme, turn] = useTheme();
  const agents = useGet<{ agents: Agent[]; problems: string[] }>("/agents", 10_000);
  const threads = useGet<{ threads: Thread[] }>("/threads?limit=100");
  const asked = useGet<{ interrupts: Interrupt[] }>("/interrupts", 5_000);
  const models = useGet<Models>("/models", 60_000);
  const offline = models.data?.deployments.some((each) => each.offline) ?? false;
  const again = threads.again;
  const onChange = useCallback(() => again(), [again]);

  useEffect(() => setMenu(false), [route.page, route.id]);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setPalette((held) => !held);
      }
    };
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);

  if (agents.error instanceof ApiError && agents.error.status === 401)
    return <SignIn wrong={!!key()} onDone={() => location.reload()} />;
  const waiting = asked.data?.interrupts.length ?? 0;
  return (
    <div className="flex h-dvh flex-col md:flex-row">
      <a href="#main" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-panel focus:p-2" onClick={(event) => {
        event.preventDefault();
        document.getElementById("main")?.focus();
      }}>
        To the content
      </a>
      <header className="flex items-center justify-between border-b border-line bg-panel px-3 py-2 md:hidden">
        <IconButton label={menu ? "Close the menu" : "Open the menu"} aria-expanded={menu} onClick={() => setMenu(!menu)}>
          {menu ? <X size={20} aria-hidden /> : <Menu size={20} aria-hidden />}
        </IconButton>
        <span className="flex items-center gap-2">
          <Brand />
          {offline && <span className="rounded-md bg-warn-soft px-1.5 py-0.5 text-xs font-medium text-warn">offline rules</span>}
        </span>
        <IconButton label="New chat" onClick={() => go("chat")}>
          <Plus size={20} aria-hidden />
        </IconButton>
      </header>
      <nav
        aria-label="Playground"
        className={`${menu ? "flex" : "hidden"} min-h-0 w-full shrink-0 flex-col border-r border-line bg-panel max-md:absolute max-md:inset-x-0 max-md:top-[53px] max-md:bottom-0 max-md:z-20 md:flex md:w-64`}
      >
        <div className="flex items-center justify-between px-3 pt-3 max-md:hidden">
          <Brand />
          <IconButton label="Search and commands (Ctrl K)" onClick={() => setPalette(true)}>
            <Search size={17} aria-hidden />
          </IconButton>
        </div>
        <div className="p-3">
          <Button className="w-full" onClick={() => go("chat")}>
            <Plus size={16} aria-hidden /> New chat
          </Button>
        </div>
        <ul className="px-3">
          {PAGES.map(({ page, name, icon: Icon }) => (
            <li key={page}>
              <a
                href={href(page)}
                aria-current={route.page === page ? "page" : undefined}
                className={`flex min-h-9 items-center gap-2 rounded-lg px-2.5 text-sm font-medium ${route.page === page ? "bg-accent-soft text-accent" : "text-ink hover:bg-sunk"}`}
              >
                <Icon size={17} aria-hidden /> {name}
                {page === "jobs" && waiting > 0 && (
                  <span className="ml-auto rounded-full bg-warn-soft px-2 text-xs text-warn">
                    {waiting}
                    <span className="sr-only"> wait for a person</span>
                  </span>
                )}
              </a>
            </li>
          ))}
        </ul>
        <h2 className="mt-4 px-5 pb-1 text-xs font-semibold text-soft">Conversations</h2>
        <ul className="min-h-0 grow overflow-y-auto px-3 pb-2">
          {threads.data?.threads.map((each) => (
            <li key={each.id}>
              <a
                href={href("chat", each.id)}
                aria-current={route.page === "chat" && route.id === each.id ? "page" : undefined}
                className={`flex min-h-9 items-baseline gap-2 rounded-lg px-2.5 py-1.5 text-sm ${route.page === "chat" && route.id === each.id ? "bg-sunk font-medium" : "hover:bg-sunk"}`}
              >
                <span className="min-w-0 grow truncate">{each.title || each.id}</span>
                <span className="shrink-0 text-xs text-soft">{ago(each.updated_at)}</span>
              </a>
            </li>
          ))}
          {threads.data && !threads.data.threads.length && <li className="px-2.5 text-sm text-soft">None yet.</li>}
        </ul>
        {offline && <Offline />}
        <div className="flex items-center justify-between border-t border-line px-3 py-2">
          <Badge agents={agents.data?.agents.length} />
          <IconButton label={theme === "dark" ? "Light theme" : "Dark theme"} onClick={turn}>
            {theme === "dark" ? <Sun size={17} aria-hidden /> : <Moon size={17} aria-hidden />}
          </IconButton>
        </div>
      </nav>
      <main id="main" tabIndex={-1} className="min-h-0 min-w-0 grow outline-none">
        {agents.error !== null && (
          <div className="p-3">
            <Trouble error={agents.error} />
          </div>
        )}
        {agents.data?.problems.map((each) => (
          <div key={each} className="p-3">
            <Trouble error={each} />
          </div>
        ))}
        <Suspense fallback={<p className="p-6 text-soft">Loads…</p>}>
          {route.page === "chat" ? (
            <Chat threadId={route.id} agents={agents.data?.agents ?? []} onChange={onChange} />
          ) : route.page === "runs" ? (
            <Runs id={route.id} />
          ) : route.page === "jobs" ? (
            <Jobs agents={agents.data?.agents ?? []} asked={asked.data?.interrupts ?? []} onAnswered={asked.again} />
          ) : route.page === "documents" ? (
            <Documents name={route.id} />
          ) : route.page === "evals" ? (
            <Evals id={route.id} sub={route.sub} />
          ) : route.page === "models" ? (
            <ModelsPage />
          ) : route.page === "settings" ? (
            <SettingsPage />
          ) : route.page === "graphs" ? (
            <Graphs agents={agents.data?.agents ?? []} name={route.id} />
          ) : (
            <Empty title="There is no such page">
              <a className="underline" href={href("chat")}>
                To the chat
              </a>
            </Empty>
          )}
        </Suspense>
      </main>
      {palette && (
        <Suspense>
          <Palette
            pages={PAGES}
            agents={agents.data?.agents ?? []}
            threads={threads.data?.threads ?? []}
            onTheme={turn}
            onClose={() => setPalette(false)}
          />
        </Suspense>
      )}
    </div>
  );
}

function Brand() {
  return (
    <a href={href("chat")} className="flex items-center gap-2 font-semibold">
      <img src="/assets/segue.svg" alt="" className="size-6" /> Segue
    </a>
  );
}

function Offline() {
  return (
    <a href={href("models")} data-offline className="mx-3 mb-2 block rounded-lg bg-warn-soft px-3 py-2 text-xs text-warn">
      <span className="font-semibold">Offline rules – not a language model.</span> Set <code>OPENAI_BASE_URL</code> or name a
      model in <code>segue.toml</code>.
    </a>
  );
}

function Badge({ agents }: { agents: number | undefined }) {
  return <span className="text-xs text-soft">{agents === undefined ? "…" : `${agents} ${agents === 1 ? "agent" : "agents"} served`}</span>;
}

function SignIn({ wrong, onDone }: { wrong: boolean; onDone: () => void }) {
  const [text, setText] = useState("");
  return (
    <main className="grid h-dvh place-items-center p-4">
      <form
        className="w-full max-w-sm space-y-4 rounded-2xl border border-line bg-panel p-6"
        onSubmit={(event) => {
          event.preventDefault();
          setKey(text.trim());
          onDone();
        }}
      >
        <Brand />
        <h1 className="text-lg font-semibold">A key is needed</h1>
        <p className="text-sm text-soft">
          Whoever runs this server makes one: <code>segue keys add TENANT USER</code>. It is kept in this tab alone.
        </p>
        {wrong && <Trouble error={new ApiError(401, "The key that was given opens nothing.", "")} />}
        <label className="block text-sm">
          <span className="mb-1 block font-medium">Key</span>
          <input
            autoFocus
            type="password"
            autoComplete="off"
            className={field}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <Button look="main" type="submit" className="w-full" disabled={!text.trim()}>
          Open
        </Button>
      </form>
    </main>
  );
}
