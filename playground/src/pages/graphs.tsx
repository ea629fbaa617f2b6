// The graph of each agent, as it stands.
import { GraphView } from "../graph/graph";
import { go } from "../route";
import type { Agent } from "../types";
import { Empty, field } from "../ui/parts";

export default function Graphs({ agents, name }: { agents: Agent[]; name: string }) {
  const agent = agents.find((each) => each.name === name) ?? agents[0];
  if (!agent) return <Empty title="No agent is served">Its graph stands here once there is one.</Empty>;
  return (
    <div className="flex h-full flex-col">
      <div className="flex flex-wrap items-center gap-3 border-b border-line px-4 py-3">
        <h1 className="text-xl font-semibold">Graphs</h1>
        <label className="w-56 text-sm">
          <span className="sr-only">Agent</span>
          <select className={field} value={agent.name} onChange={(event) => go("graphs", event.target.value)}>
            {agents.map((each) => (
              <option key={each.name}>{each.name}</option>
            ))}
          </select>
        </label>
        <p className="min-w-0 text-sm text-soft">
          {agent.kind} in <code>{agent.source}</code>
        </p>
      </div>
      <div className="min-h-0 grow">
        <GraphView key={agent.name} agent={agent.name} />
      </div>
    </div>
  );
}
