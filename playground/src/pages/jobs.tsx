// What runs by itself: schedules, when they fall due, what came of it; and everything that waits for a person.
import { useState } from "react";
import { post, send } from "../api";
import { Approval } from "../chat/approval";
import { href } from "../route";
import type { Agent, DeadLetter, Firing, Interrupt, Schedule } from "../types";
import { useGet } from "../ui/hooks";
import { Badge, Button, Empty, Field, field, Frame, Trouble } from "../ui/parts";
import { moment } from "../ui/say";
import { tone } from "./runs";

interface Props {
  agents: Agent[];
  asked: Interrupt[];
  onAnswered: () => void;
}

export default function Jobs({ agents, asked, onAnswered }: Props) {
  const { data, error, again } = useGet<{ schedules: Schedule[] }>("/schedules", 5_000);
  const [making, setMaking] = useState(false);
  return (
    <Frame
      title="Jobs"
      about="Agents that start by themselves, and what waits for you."
      tools={
        <Button look="main" disabled={!agents.length} onClick={() => setMaking(!making)}>
          New schedule
        </Button>
      }
    >
      {asked.length > 0 && (
        <section aria-label="Waits for you" className="mb-6 space-y-3">
          <h2 className="font-semibold">Waits for you</h2>
          {asked.map((each) => (
            <Approval
              key={each.id}
              asked={each}
              onAnswer={async (body) => {
                await post(`/interrupts/${each.id}/answer`, body);
                onAnswered();
              }}
            />
          ))}
        </section>
      )}
      {making && (
        <NewSchedule
          agents={agents}
          onDone={() => {
            setMaking(false);
            again();
          }}
        />
      )}
      {error !== null && <Trouble error={error} />}
      {data && !data.schedules.length && !making && (
        <Empty title="Nothing is scheduled">A schedule starts an agent at night, each hour, or once at a time of yours.</Empty>
      )}
      <ul className="space-y-3">
        {data?.schedules.map((each) => (
          <One key={each.name} held={each} onChange={again} />
        ))}
      </ul>
      <DeadLetters />
    </Frame>
  );
}

/** Jobs that failed for good, with the reason; tried again, each goes on from where it was. */
function DeadLetters() {
  const { data, error, again } = useGet<{ dead_letters: DeadLetter[] }>("/dead-letters", 5_000);
  const [fault, setFault] = useState<unknown>(null);
  if (error !== null || !data?.dead_letters.length) return null;
  return (
    <section aria-labelledby="dead" className="mt-8">
      <h2 id="dead" className="mb-2 font-semibold">
        Failed for good
      </h2>
      {fault !== null && <Trouble error={fault} onClose={() => setFault(null)} />}
      <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-panel">
        {data.dead_letters.map((each) => (
          <li key={each.run_id} data-dead={each.run_id} className="space-y-1 px-4 py-2.5 text-sm">
            <div className="flex flex-wrap items-center gap-2">
              <span className="min-w-0 grow basis-56 truncate font-medium">{each.request || each.run_id}</span>
              {each.schedule && <Badge>{each.schedule}</Badge>}
              <span className="text-xs text-soft">
                {each.agent} · {each.attempts} attempts
              </span>
              <a className="text-xs underline" href={href("runs", each.run_id)}>
                run
              </a>
              <Button
                onClick={() =>
                  void post(`/dead-letters/${each.run_id}/retry`)
                    .then(again)
                    .catch(setFault)
                }
              >
                Try again
              </Button>
            </div>
            <p className="break-words text-bad">{each.reason}</p>
          </li>
        ))}
      </ul>
    </section>
  );
}

function One({ held, onChange }: { held: Schedule; onChange: () => void }) {
  const place = `/schedules/${held.name}`;
  const [open, setOpen] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const firings = useGet<{ firings: Firing[] }>(open ? `${place}/firings` : null, 3_000);
  const next = useGet<{ next: number[] }>(open ? `${place}/next` : null);
  const act = (done: Promise<unknown>) =>
    done
      .then(() => {
        onChange();
        firings.again();
      })
      .catch(setError);
  return (
    <li className="rounded-xl border border-line bg-panel p-4" data-schedule={held.name}>
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <h3 className="font-semibold">{held.name}</h3>
        <Badge>{held.agent}</Badge>
        <code className="text-sm">{held.cron || (held.at ? moment(held.at, held.timezone) : "")}</code>
        <span className="text-sm text-soft">{held.timezone}</span>
        {held.paused && <Badge tone="warn">paused</Badge>}
        <span className="grow" />
        <Button onClick={() => void act(post(`${place}/run`))}>Run now</Button>
        <Button onClick={() => void act(post(`${place}/${held.paused ? "unpause" : "pause"}`))}>{held.paused ? "Go on" : "Pause"}</Button>
        <Button look="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
          History
        </Button>
        <Button look="bad" onClick={() => void act(send("DELETE", place))}>
          Delete
        </Button>
      </div>
      <p className="mt-1 text-sm text-soft">{held.next_at ? `Next: ${moment(held.next_at, held.timezone)}` : "It does not fall due again."}</p>
      {error !== null && <Trouble error={error} onClose={() => setError(null)} />}
      {open && (
        <div className="mt-3 grid gap-4 border-t border-line pt-3 text-sm sm:grid-cols-[1fr_auto]">
          <ul aria-label="History" className="space-y-1">
            {firings.data?.firings.map((each) => (
              <li key={`${each.run_id} ${each.tick}`} className="flex flex-wrap gap-2" data-firing={each.outcome}>
                <Badge tone={each.outcome === "refused" ? "bad" : each.outcome === "done" ? "good" : "plain"}>{each.outcome}</Badge>
                <span>{moment(each.tick, held.timezone)}</span>
                {each.status && <Badge tone={tone(each.status)}>{each.status}</Badge>}
                {each.run_id && (
                  <a className="underline" href={href("runs", each.run_id)}>
                    run
                  </a>
                )}
                <span className="min-w-0 break-words text-soft">{each.error || each.note}</span>
              </li>
            ))}
            {firings.data && !firings.data.firings.length && <li className="text-soft">It has not fired yet.</li>}
          </ul>
          <ul aria-label="Next firings" className="space-y-1 text-soft">
            {next.data?.next.slice(0, 5).map((each) => (
              <li key={each}>{moment(each, held.timezone)}</li>
            ))}
          </ul>
        </div>
      )}
    </li>
  );
}

function NewSchedule({ agents, onDone }: { agents: Agent[]; onDone: () => void }) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const [held, setHeld] = useState({ name: "", agent: agents[0]?.name ?? "", input: "", cron: "0 7 * * mon-fri", timezone: zone, overlap: "skip", catch_up: "last" });
  const [error, setError] = useState<unknown>(null);
  const set = (name: keyof typeof held) => (event: { target: { value: string } }) => setHeld({ ...held, [name]: event.target.value });
  return (
    <form
      aria-label="New schedule"
      className="mb-6 grid gap-4 rounded-xl border border-line bg-panel p-4 sm:grid-cols-2"
      onSubmit={(event) => {
        event.preventDefault();
        setError(null);
        post("/schedules", held).then(onDone).catch(setError);
      }}
    >
      <Field label="Name" hint="Small letters, digits, - and _">
        <input required className={field} value={held.name} onChange={set("name")} />
      </Field>
      <Field label="Agent">
        <select className={field} value={held.agent} onChange={set("agent")}>
          {agents.map((each) => (
            <option key={each.name}>{each.name}</option>
          ))}
        </select>
      </Field>
      <div className="sm:col-span-2">
        <Field label="What it is asked">
          <textarea required className={field} rows={2} value={held.input} onChange={set("input")} />
        </Field>
      </div>
      <Field label="When" hint="Cron: minute, hour, day, month, weekday; six fields with seconds first">
        <input required className={field} value={held.cron} onChange={set("cron")} />
      </Field>
      <Field label="Time zone">
        <input required className={field} value={held.timezone} onChange={set("timezone")} />
      </Field>
      <Field label="While an earlier one runs">
        <select className={field} value={held.overlap} onChange={set("overlap")}>
          <option value="skip">leave the new one out</option>
          <option value="queue">let it wait</option>
          <option value="cancel">cancel the earlier one</option>
          <option value="allow">run both</option>
        </select>
      </Field>
      <Field label="After an outage">
        <select className={field} value={held.catch_up} onChange={set("catch_up")}>
          <option value="last">make up for the last one</option>
          <option value="none">make up for none</option>
          <option value="all">make up for all</option>
        </select>
      </Field>
      {error !== null && (
        <div className="sm:col-span-2">
          <Trouble error={error} />
        </div>
      )}
      <div>
        <Button look="main" type="submit">
          Make it
        </Button>
      </div>
    </form>
  );
}
