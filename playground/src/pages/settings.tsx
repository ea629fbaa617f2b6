// What is set and from where, what is installed, and whether what runs need is there: what segue doctor says.
import type { Settings } from "../types";
import { useGet } from "../ui/hooks";
import { Badge, Frame, Trouble } from "../ui/parts";
import { shown } from "../ui/say";

export default function SettingsPage() {
  const { data, error } = useGet<Settings>("/settings");
  return (
    <Frame title="Settings" about="What is set and from where. A change is made in segue.toml, .env or the environment.">
      {error !== null && <Trouble error={error} />}
      {!data && error === null && <p className="text-soft">Loads…</p>}
      {data && (
        <div className="space-y-6">
          <p className="text-sm text-soft">
            Segue {data.segue} on Python {data.python} ({data.platform})
          </p>
          <section aria-labelledby="checks">
            <h2 id="checks" className="mb-2 font-semibold">
              Checks
            </h2>
            <ul className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-panel text-sm">
              {data.checks.map((each) => (
                <li key={each.name} className="flex flex-wrap items-baseline gap-x-3 gap-y-1 px-4 py-2.5">
                  <Badge tone={each.ok ? "good" : "bad"}>{each.ok ? "ok" : "fails"}</Badge>
                  <span className="font-medium">{each.name}</span>
                  <span className="min-w-0 text-soft break-words">{each.detail}</span>
                </li>
              ))}
              <li className="flex flex-wrap items-baseline gap-x-3 gap-y-1 px-4 py-2.5">
                <Badge tone={data.langfuse ? "good" : "plain"}>{data.langfuse ? "on" : "off"}</Badge>
                <span className="font-medium">Langfuse</span>
                <span className="min-w-0 text-soft break-words">
                  {data.langfuse || "set LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY, and traces go there, too"}
                </span>
              </li>
            </ul>
          </section>
          <section aria-labelledby="installed">
            <h2 id="installed" className="mb-2 font-semibold">
              Installed
            </h2>
            <ul className="flex flex-wrap gap-2 text-sm">
              {Object.entries(data.packages).map(([name, version]) => (
                <li key={name} className={`rounded-lg border border-line bg-panel px-3 py-1.5 ${version === "not installed" ? "text-soft" : ""}`}>
                  {name} <span className="font-mono text-[13px]">{version}</span>
                </li>
              ))}
            </ul>
          </section>
          <section aria-labelledby="settings">
            <h2 id="settings" className="mb-2 font-semibold">
              Settings
            </h2>
            <dl className="divide-y divide-line overflow-hidden rounded-xl border border-line bg-panel text-sm">
              {data.settings.map((each) => (
                <div key={each.name} className="grid gap-x-4 gap-y-1 px-4 py-2.5 sm:grid-cols-[14rem_1fr]">
                  <dt>
                    <span className="font-mono text-[13px] break-words">{each.name}</span>
                    <span className={`block text-xs ${each.source === "default" ? "text-soft" : "text-accent"}`}>{each.source}</span>
                  </dt>
                  <dd className="min-w-0 font-mono text-[13px] break-words whitespace-pre-wrap">{shown(each.value)}</dd>
                </div>
              ))}
            </dl>
          </section>
        </div>
      )}
    </Frame>
  );
}
