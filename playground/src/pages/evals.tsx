// Evals: results case by case, a case's run beside what was expected of it, two results compared, cases made of runs.
import { useState } from "react";
import { get, send } from "../api";
import { Waterfall } from "../trace/trace";
import { href } from "../route";
import type { CaseRow, Comparison, EvalCase, EvalResult, Trial } from "../types";
import { useGet } from "../ui/hooks";
import { Badge, Button, Empty, field, Frame, Trouble } from "../ui/parts";
import { ago, cost, moment, seconds, shown } from "../ui/say";
import { Figure } from "./models";

const percent = (share: number) => `${Math.round(100 * share)} %`;

export default function Evals({ id, sub }: { id: string; sub: string }) {
  if (id && sub) return <OneCase id={id} caseId={sub} />;
  return id ? <One id={id} /> : <List />;
}

function List() {
  const results = useGet<{ results: EvalResult[] }>("/evals/results?limit=200", 10_000);
  const kept = useGet<{ cases: (EvalCase & { agent: string; run_id: string })[] }>("/evals/cases");
  const [error, setError] = useState<unknown>(null);
  const found = results.data?.results ?? [];
  const cases = kept.data?.cases ?? [];
  return (
    <Frame title="Evals" about="What was tried, how it came out, and whether it got better.">
      {(results.error ?? kept.error ?? error) !== null && <Trouble error={results.error ?? kept.error ?? error} />}
      <section aria-labelledby="results">
        <h2 id="results" className="mb-2 font-semibold">
          Results
        </h2>
        {results.data && !found.length && (
          <Empty title="Nothing was tried yet">
            <p>
              Write cases, one a line, and try an agent on them: <code>segue eval desk.py:desk cases.jsonl</code>. The result
              stands here.
            </p>
          </Empty>
        )}
        <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-panel empty:hidden">
          {found.map((each) => (
            <li key={each.id}>
              <a href={href("evals", each.id)} className="flex flex-wrap items-center gap-x-3 gap-y-1 px-4 py-2.5 hover:bg-sunk">
                <Badge tone={each.passed === each.cases ? "good" : "bad"}>
                  {each.passed} of {each.cases}
                </Badge>
                <span className="min-w-0 grow basis-56 truncate font-medium">
                  {each.suite} on {each.agent}
                  {each.label && <span className="font-normal text-soft"> · {each.label}</span>}
                  {each.parts.length > 0 && <span className="font-normal text-soft"> · only {each.parts.join(", ")}</span>}
                </span>
                <Rate result={each} />
                {each.offline && <Badge tone="warn">rules, no model</Badge>}
                <span className="text-xs text-soft">{ago(each.started_at)}</span>
              </a>
            </li>
          ))}
        </ul>
      </section>
      <section aria-labelledby="kept" className="mt-8">
        <h2 id="kept" className="mb-1 font-semibold">
          Cases made of runs
        </h2>
        <p className="mb-2 text-sm text-soft">
          A thumb in the chat makes one. <code>segue eval TARGET kept</code> tries them; <code>segue evals cases</code> writes
          them out.
        </p>
        {kept.data && !cases.length && <p className="text-sm text-soft">None yet.</p>}
        <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-panel empty:hidden">
          {cases.map((each) => (
            <li key={`${each.agent}/${each.id}`} data-case={each.id} className="px-4 py-2.5">
              <div className="flex flex-wrap items-center gap-2">
                <Badge tone={each.tags.includes("good") ? "good" : "bad"}>{each.tags.includes("good") ? "stays so" : "to be mended"}</Badge>
                <span className="min-w-0 grow basis-56 truncate">{each.request.join(" → ")}</span>
                <span className="text-xs text-soft">{each.agent}</span>
                <a className="text-xs underline" href={href("runs", each.run_id)}>
                  run
                </a>
                <Button
                  look="quiet"
                  onClick={() =>
                    void send("DELETE", `/evals/cases/${encodeURIComponent(each.agent)}/${encodeURIComponent(each.id)}`)
                      .then(kept.again)
                      .catch(setError)
                  }
                >
                  Forget
                </Button>
              </div>
              {each.note && <p className="text-sm text-soft">{each.note}</p>}
              <p className="text-sm break-words text-soft">{expected(each.expect)}</p>
            </li>
          ))}
        </ul>
      </section>
    </Frame>
  );
}

/** What a case expects, in words. */
function expected(expect: Record<string, unknown>): string {
  const said = Object.entries(expect).map(([name, value]) => {
    const held = Array.isArray(value) ? value : [value];
    const words = held.map((each) => (typeof each === "object" && each !== null ? String(each.tool ?? each.source ?? each.value ?? JSON.stringify(each)) : `“${String(each).slice(0, 80)}”`));
    return `${name} ${[...new Set(words)].join(", ")}`;
  });
  return said.join(" · ") || "completes";
}

function Rate({ result }: { result: EvalResult }) {
  return (
    <span className="flex items-center gap-2" title={`95 % interval ${percent(result.low)} to ${percent(result.high)}`}>
      <span aria-hidden className="h-2 w-24 overflow-hidden rounded bg-bad-soft">
        <span className="block h-full bg-good" style={{ width: `${100 * result.pass_rate}%` }} />
      </span>
      <span className="text-xs tabular-nums">{percent(result.pass_rate)}</span>
    </span>
  );
}

function One({ id }: { id: string }) {
  const { data, error } = useGet<EvalResult & { rows: CaseRow[] }>(`/evals/results/${encodeURIComponent(id)}`);
  const [failing, setFailing] = useState(false);
  if (error !== null) return <Frame title="Result"><Trouble error={error} /></Frame>;
  if (!data) return <p className="p-6 text-soft">Loads…</p>;
  const rows = failing ? data.rows.filter((each) => !each.passed) : data.rows;
  return (
    <Frame
      title={`${data.suite} on ${data.agent}`}
      about={`${moment(data.started_at)}${data.label ? ` · ${data.label}` : ""} · ${data.models.join(", ")}`}
      tools={
        <a className="text-sm underline" href={href("evals")}>
          all results
        </a>
      }
    >
      {data.offline && (
        <p className="mb-4 rounded-lg bg-warn-soft px-3 py-2 text-sm text-warn">
          A set of rules answered, not a language model: this shows that the wiring works, and says nothing of a model.
        </p>
      )}
      <dl className="mb-4 grid grid-cols-2 gap-3 rounded-xl border border-line bg-panel p-4 text-sm sm:grid-cols-3 lg:grid-cols-6">
        <Figure name="passed" value={`${data.passed} of ${data.cases}`} />
        <Figure name="95 % interval" value={`${percent(data.low)} to ${percent(data.high)}`} />
        <Figure name="trials" value={`${data.trials}`} />
        <Figure name="cost" value={cost(data.cost_usd)} />
        <Figure name="tokens" value={data.tokens.toLocaleString("en")} />
        <Figure name="time" value={seconds(data.duration_s)} />
      </dl>
      <Against result={data} />
      <label className="mb-2 flex items-center gap-2 text-sm">
        <input type="checkbox" checked={failing} onChange={(event) => setFailing(event.target.checked)} /> only what failed
      </label>
      {!rows.length && <p className="text-soft">Every case passed.</p>}
      <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-panel empty:hidden">
        {rows.map((row) => (
          <li key={row.id} data-row={row.id}>
            <a href={href("evals", id, row.id)} className="block px-4 py-2.5 hover:bg-sunk">
              <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
                <Badge tone={row.passed ? "good" : "bad"}>{row.passed ? "passed" : "failed"}</Badge>
                <span className="font-medium">{row.id}</span>
                <span className="min-w-0 grow basis-56 truncate text-sm text-soft">{row.request.join(" → ")}</span>
                {row.tags.map((tag) => (
                  <Badge key={tag}>{tag}</Badge>
                ))}
                <span className="text-xs text-soft">{seconds(row.duration_s)}</span>
              </span>
              {row.whys.map((why) => (
                <span key={why} className="mt-1 block text-sm break-words text-bad">
                  {why}
                </span>
              ))}
            </a>
          </li>
        ))}
      </ul>
    </Frame>
  );
}

function Against({ result }: { result: EvalResult }) {
  const { data } = useGet<{ results: EvalResult[] }>("/evals/results?limit=200");
  const [found, setFound] = useState<Comparison | null>(null);
  const [error, setError] = useState<unknown>(null);
  const others = (data?.results ?? []).filter((each) => each.id !== result.id && each.suite === result.suite);
  if (!others.length) return null;
  return (
    <section aria-label="Comparison" className="mb-4 rounded-xl border border-line bg-panel p-4 text-sm">
      <label className="flex flex-wrap items-center gap-2">
        <span className="font-medium">Compare with</span>
        <select
          className={`${field} !w-auto max-w-full`}
          defaultValue=""
          onChange={(event) => {
            setFound(null);
            if (event.target.value)
              get<Comparison>(`/evals/compare?before=${event.target.value}&after=${result.id}`).then(setFound).catch(setError);
          }}
        >
          <option value="">nothing</option>
          {others.map((each) => (
            <option key={each.id} value={each.id}>
              {each.label || moment(each.started_at)}: {each.passed} of {each.cases}
            </option>
          ))}
        </select>
      </label>
      {error !== null && <Trouble error={error} />}
      {found && (
        <div className="mt-3 space-y-2">
          <p className="font-semibold">{found.verdict}</p>
          {found.fixed.length > 0 && <p className="text-good">fixed: {found.fixed.join(", ")}</p>}
          {found.broken.length > 0 && <p className="text-bad">broken: {found.broken.join(", ")}</p>}
          {found.changed.length > 0 && <p className="text-warn">the case itself was changed: {found.changed.join(", ")}</p>}
          <div className="overflow-x-auto" tabIndex={0} role="region" aria-label="Figures of both">
            <table className="w-full text-left tabular-nums">
              <thead className="text-xs text-soft">
                <tr>
                  <th className="py-1 pr-4">figure</th>
                  <th className="pr-4">before</th>
                  <th className="pr-4">after</th>
                  <th>difference, 95 % interval</th>
                </tr>
              </thead>
              <tbody>
                {found.differences.map((each) => (
                  <tr key={each.name} className="border-t border-line">
                    <td className="py-1 pr-4">{each.name}</td>
                    <td className="pr-4">{figure(each.before)}</td>
                    <td className="pr-4">{figure(each.after)}</td>
                    <td>
                      {figure(each.after - each.before)} ({figure(each.low)} to {figure(each.high)})
                      {!each.shown && <span className="text-soft"> not shown</span>}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </div>
      )}
    </section>
  );
}

const figure = (value: number) => Number(value.toPrecision(4)).toString();

function OneCase({ id, caseId }: { id: string; caseId: string }) {
  const path = `/evals/results/${encodeURIComponent(id)}/case?case_id=${encodeURIComponent(caseId)}`;
  const { data, error } = useGet<{ case: EvalCase; trials: Trial[] }>(path);
  if (error !== null) return <Frame title="Case"><Trouble error={error} /></Frame>;
  if (!data) return <p className="p-6 text-soft">Loads…</p>;
  return (
    <Frame
      title={data.case.id}
      about={data.case.request.join(" → ")}
      tools={
        <a className="text-sm underline" href={href("evals", id)}>
          the whole result
        </a>
      }
    >
      {data.case.note && <p className="mb-3 text-sm text-soft">{data.case.note}</p>}
      {data.trials.map((trial) => (
        <article key={trial.number} aria-label={`Trial ${trial.number}`} className="mb-6 space-y-3">
          <ul className="flex flex-wrap gap-2">
            {trial.scores.map((score) => (
              <li key={score.name} className="max-w-full">
                <Badge tone={score.passed ? "good" : "bad"}>
                  {score.name} {percent(score.value)}
                </Badge>
                {score.why && <span className="ml-2 text-sm break-words text-bad">{score.why}</span>}
              </li>
            ))}
          </ul>
          <div className="grid gap-4 lg:grid-cols-2">
            <section aria-label="Expected" className="min-w-0">
              <h2 className="mb-1 text-sm font-semibold">Expected</h2>
              <dl className="space-y-2 rounded-xl border border-line bg-panel p-3 text-sm">
                {Object.entries(data.case.expect).map(([name, value]) => (
                  <div key={name}>
                    <dt className="font-mono text-xs text-soft">{name}</dt>
                    <dd className="font-mono text-[12.5px] break-words whitespace-pre-wrap">{shown(value)}</dd>
                  </div>
                ))}
                {!Object.keys(data.case.expect).length && <p className="text-soft">That it completes.</p>}
              </dl>
            </section>
            <section aria-label="What came" className="min-w-0">
              <h2 className="mb-1 text-sm font-semibold">What came: {trial.status}</h2>
              <div className="space-y-3 rounded-xl border border-line bg-panel p-3 text-sm">
                <ol className="space-y-1">
                  {trial.calls.map((call, index) => (
                    <li key={index} className={`font-mono text-[12.5px] break-words ${call.failed ? "text-bad" : ""}`}>
                      {call.tool}({Object.entries(call.arguments).map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ")})
                      {call.failed && " failed"}
                    </li>
                  ))}
                  {!trial.calls.length && <li className="text-soft">No tool was called.</li>}
                </ol>
                {trial.asked.map((each, index) => (
                  <p key={index} className="text-soft">
                    asked a person: {each.tool || each.question} → {each.answer || "nobody answered"}
                  </p>
                ))}
                <pre tabIndex={0} className="max-h-96 overflow-auto rounded-lg bg-sunk p-2 font-mono text-[12.5px] break-words whitespace-pre-wrap">
                  {trial.output || trial.error || "(no answer)"}
                </pre>
                <p className="text-xs text-soft">
                  {trial.tokens.toLocaleString("en")} tokens · {cost(trial.cost_usd)} · {seconds(trial.duration_s)}
                </p>
              </div>
            </section>
          </div>
          {trial.spans.length > 0 && (
            <details className="rounded-xl border border-line bg-panel">
              <summary className="px-3 py-2 text-sm">Trace</summary>
              <div className="h-96 border-t border-line">
                <Waterfall id={trial.run_id} spans={trial.spans} />
              </div>
            </details>
          )}
        </article>
      ))}
    </Frame>
  );
}
