// A graph as it is drawn in Python, with the way that a run took: nodes that are reached light up, edges say why.
import dagre from "@dagrejs/dagre";
import { Background, Controls, Handle, MarkerType, Position, ReactFlow, type Edge, type Node, type NodeProps } from "@xyflow/react";
import "@xyflow/react/dist/style.css";
import { useEffect, useMemo, useState } from "react";
import type { RunView, Step } from "../chat/blocks";
import type { Graph } from "../types";
import { useGet } from "../ui/hooks";
import { Trouble } from "../ui/parts";

const WIDTH = 150;
const HEIGHT = 42;

type Data = { label: string; state: "idle" | "done" | "active"; times: number };

function Box({ data }: NodeProps<Node<Data>>) {
  const looks = {
    idle: "border-line bg-panel text-ink",
    done: "border-accent bg-accent-soft text-ink",
    active: "border-accent bg-accent text-accent-ink shadow-lg",
  };
  return (
    <div
      data-node={data.label}
      data-state={data.state}
      style={{ width: WIDTH, height: HEIGHT }}
      className={`grid place-items-center rounded-xl border-2 text-[13px] font-medium ${looks[data.state]}`}
    >
      <Handle type="target" position={Position.Top} className="!opacity-0" />
      <Handle type="target" id="left" position={Position.Left} className="!opacity-0" />
      <Handle type="target" id="right" position={Position.Right} className="!opacity-0" />
      <span className="max-w-full truncate px-2">
        {data.label}
        {data.times > 1 && <span className="opacity-70"> ×{data.times}</span>}
      </span>
      <Handle type="source" position={Position.Bottom} className="!opacity-0" />
      <Handle type="source" id="left" position={Position.Left} className="!opacity-0" />
      <Handle type="source" id="right" position={Position.Right} className="!opacity-0" />
    </div>
  );
}

const TYPES = { box: Box };
const LIT_MS = 140;

/**
 * How many steps are shown, and how many have been lit for long enough: what is there at first, then each super-step for a
 * moment, however fast they come.
 */
function useShown(steps: Step[]): [number, number] {
  const [[shown, lit], set] = useState([steps.length, steps.length]);
  useEffect(() => {
    if (lit >= steps.length) return;
    const timer = setTimeout(() => {
      const number = steps[shown]?.step;
      const next = steps.findIndex((each, index) => index > shown && each.step !== number);
      set([next < 0 ? steps.length : next, shown]);
    }, LIT_MS);
    return () => clearTimeout(timer);
  }, [shown, lit, steps]);
  return [Math.min(shown, steps.length), lit];
}
const NAMES: Record<string, string> = { __start__: "start", __end__: "end" };

function laidOut(graph: Graph): Map<string, { x: number; y: number }> {
  const drawn = new dagre.graphlib.Graph().setGraph({ rankdir: "TB", nodesep: 36, ranksep: 72 });
  drawn.setDefaultEdgeLabel(() => ({}));
  for (const node of graph.nodes) drawn.setNode(node.id, { width: WIDTH, height: HEIGHT });
  for (const edge of graph.edges) drawn.setEdge(edge.source, edge.target);
  dagre.layout(drawn);
  return new Map(
    graph.nodes.map((node) => {
      const { x, y } = drawn.node(node.id);
      return [node.id, { x: x - WIDTH / 2, y: y - HEIGHT / 2 }];
    }),
  );
}

const NONE: Step[] = [];

function short(text: string): string {
  return text.length > 34 ? `${text.slice(0, 33)}…` : text;
}

export function GraphView({ agent, view, onNode }: { agent: string; view?: RunView; onNode?: (name: string) => void }) {
  const { data: graph, error } = useGet<Graph>(`/agents/${encodeURIComponent(agent)}/graph`);
  const all = view?.steps ?? NONE;
  const [shown, lit] = useShown(all);
  const goesOn = lit < all.length || (view?.active.length ?? 0) > 0;
  const places = useMemo(() => (graph ? laidOut(graph) : null), [graph]);
  const { nodes, edges } = useMemo(() => {
    if (!graph || !places) return { nodes: [], edges: [] };
    const steps = all.slice(0, shown);
    const newest = steps.at(-1)?.step;
    const reached = (id: string) => steps.filter((step) => step.target === id).length;
    const nodes: Node<Data>[] = graph.nodes.map((node) => {
      const times = reached(node.id);
      const active = goesOn && steps.some((step) => step.step === newest && step.target === node.id);
      const ended = node.id === "__end__" && view?.status === "completed" && !goesOn;
      const state = active ? "active" : times || ended || (node.id === "__start__" && steps.length) ? "done" : "idle";
      return {
        id: node.id,
        type: "box",
        position: places.get(node.id)!,
        width: WIDTH,
        height: HEIGHT,
        data: { label: NAMES[node.id] ?? node.name, state, times },
        draggable: false,
        connectable: false,
      };
    });
    const edges: Edge[] = graph.edges.map((edge, index) => {
      const taken = steps.findLast((step) => step.source === edge.source && step.target === edge.target);
      const [from, to] = [places.get(edge.source)!, places.get(edge.target)!];
      const back = to.y > from.y ? null : from.x > to.x ? "right" : "left";
      return {
        id: `${index}`,
        type: back ? "smoothstep" : "default",
        source: edge.source,
        target: edge.target,
        sourceHandle: back,
        targetHandle: back,
        label: back ? undefined : short(taken ? taken.reason : edge.label),
        animated: false,
        style: taken
          ? { stroke: "var(--accent)", strokeWidth: 2.5 }
          : { strokeDasharray: edge.conditional ? "5 4" : undefined },
        labelStyle: { fill: "var(--ink)", fontSize: 11 },
        labelBgStyle: { fill: "var(--panel)" },
        markerEnd: { type: MarkerType.ArrowClosed, color: taken ? "var(--accent)" : "var(--soft)" },
      };
    });
    return { nodes, edges };
  }, [graph, places, all, shown, goesOn, view?.status]);
  if (error) return <div className="p-4"><Trouble error={error} /></div>;
  if (!graph) return <p className="p-4 text-soft">Loads…</p>;
  return (
    <div className="h-full min-h-80" data-graph={agent}>
      <ReactFlow
        nodes={nodes}
        edges={edges}
        nodeTypes={TYPES}
        fitView
        fitViewOptions={{ padding: 0.3, maxZoom: 1.1 }}
        minZoom={0.2}
        nodesFocusable={false}
        onNodeClick={onNode && ((_event, node) => onNode(node.id))}
        edgesFocusable={false}
        proOptions={{ hideAttribution: true }}
        aria-label={`Graph of ${agent}`}
      >
        <Background color="var(--line)" />
        <Controls showInteractive={false} />
      </ReactFlow>
    </div>
  );
}
