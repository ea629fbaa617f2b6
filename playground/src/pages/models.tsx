// What answers: deployments with what they took and how fast they were, and the routes that lead to them.
import type { Models } from "../types";
import { useGet } from "../ui/hooks";
import { Badge, Empty, Frame, Trouble } from "../ui/parts";
import { ago, cost, seconds } from "../ui/say";

export default function ModelsPage() {
  const { data, error } = useGet<Models>("/models", 5_000);
  return (
    <Frame title="Models" about={data ? `What answers, and what the newest ${data.looked_at} generations say of it.` : "What answers."}>
      {error !== null && <Trouble error={error} />}
      {data?.chosen && <p className="mb-4 rounded-lg bg-sunk px-3 py-2 text-sm">{data.chosen}</p>}
      {data && data.failed > 0 && (
        <div className="mb-4">
          <Trouble error={`${data.failed} of them were answered by no deployment; the newest: ${data.last_error}`} />
        </div>
      )}
      {data && !data.deployments.length && (
        <Empty title="No deployment">
          Name one in <code>segue.toml</code>, and it stands here.
        </Empty>
      )}
      <ul className="space-y-3">
        {data?.deployments.map((each) => (
          <li key={each.name} data-deployment={each.name} className="rounded-xl border border-line bg-panel p-4">
            <div className="flex flex-wrap items-center gap-2">
              <h2 className="font-semibold">{each.name}</h2>
              <Badge>{each.engine}</Badge>
              {each.offline && <Badge tone="warn">a set of rules, not a language model</Badge>}
              <Health now={each.now} />
              {each.last_at !== null && <span className="text-xs text-soft">answered {ago(each.last_at)}</span>}
            </div>
            <p className="font-mono text-[13px] break-all text-soft">
              {each.model} {each.endpoint && `at ${each.endpoint}`} {each.api_key && `· key ${each.api_key}`}
            </p>
            <dl className="mt-3 grid grid-cols-2 gap-3 text-sm sm:grid-cols-3 lg:grid-cols-5">
              <Figure name="generations" value={each.generations.toLocaleString("en")} />
              <Figure name="tokens in, out" value={`${each.input_tokens.toLocaleString("en")}, ${each.output_tokens.toLocaleString("en")}`} />
              <Figure name="cost" value={cost(each.cost_usd)} />
              <Figure name="median time" value={each.median_s === null ? "–" : seconds(each.median_s)} />
              <Figure name="median first token" value={each.median_first_token_s === null ? "–" : seconds(each.median_first_token_s)} />
              <Figure name="requests there now" value={load(each.now)} />
              {each.now.read_tokens_s !== null && <Figure name="reads" value={`${Math.round(each.now.read_tokens_s).toLocaleString("en")} tokens/s`} />}
              {each.now.write_tokens_s !== null && <Figure name="writes" value={`${Math.round(each.now.write_tokens_s)} tokens/s`} />}
              {each.now.hit_rate !== null && <Figure name="prefix hits" value={`${Math.round(each.now.hit_rate * 100)} %`} />}
              {each.now.kv_usage !== null && <Figure name="memory" value={`${Math.round(each.now.kv_usage * 100)} %`} />}
            </dl>
          </li>
        ))}
      </ul>
      {!!data?.routes.length && (
        <>
          <h2 className="mt-6 mb-2 font-semibold">Routes</h2>
          <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-panel text-sm">
            {data.routes.map((route) => (
              <li key={route.name} className="flex flex-wrap items-center gap-2 px-4 py-2.5">
                <span className="font-medium">{route.name}</span>
                {route.name === data.default_route && <Badge tone="accent">default</Badge>}
                <span className="text-soft">
                  {route.policy}: {route.deployments.join(", ")}
                  {route.fallbacks.length > 0 && `; else ${route.fallbacks.join(", ")}`}
                </span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Frame>
  );
}

function Health({ now }: { now: Models["deployments"][number]["now"] }) {
  if (now.breaker === "open") return <Badge tone="bad">failed; left alone for {seconds(now.opens_in_s)}</Badge>;
  if (now.breaker === "half-open") return <Badge tone="warn">failed; the next request tries it</Badge>;
  if (now.limit_wait_s > 0) return <Badge tone="warn">at its limit for {seconds(now.limit_wait_s)}</Badge>;
  return null;
}

// Ours, and all that its server tells of.
function load(now: Models["deployments"][number]["now"]): string {
  if (now.running === null) return now.in_flight.toLocaleString("en");
  return `${now.in_flight} of ${now.running + (now.waiting ?? 0)}`;
}

export function Figure({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt className="text-xs text-soft">{name}</dt>
      <dd className="font-medium tabular-nums">{value}</dd>
    </div>
  );
}
