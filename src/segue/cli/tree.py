"""The trace of a run as a tree for a terminal: times, tokens, cost, and why each edge was taken."""

from __future__ import annotations

from rich.text import Text
from rich.tree import Tree

from segue.cli.show import cost
from segue.tracing.tree import TraceNode

_STYLE = {"ok": "", "error": "red", "waiting": "yellow", "cancelled": "yellow"}


def tree(roots: list[TraceNode]) -> Tree:
    """The segments of a run, each a branch."""
    total = sum((root.usage for root in roots[1:]), roots[0].usage)
    head = Text(roots[0].span.name, style="bold")
    head.append(f"  {roots[0].span.run_id}  {total.total_tokens} tokens, {cost(total.cost_usd)}", style="dim")
    drawn = Tree(head)
    for index, root in enumerate(roots):
        branch = drawn if len(roots) == 1 else drawn.add(_segment(root, index))
        for child in root.children:
            _add(branch, child)
    return drawn


def _segment(root: TraceNode, index: int) -> Text:
    words = "waited for a person" if root.span.status == "waiting" else root.span.status
    return Text(f"segment {index + 1}: {root.duration_s * 1000:.0f} ms, {words}", style=_STYLE[root.span.status])


def _add(branch: Tree, node: TraceNode) -> None:
    below = branch.add(_line(node))
    for child in node.children:
        _add(below, child)


def _line(node: TraceNode) -> Text:
    span, held = node.span, node.span.attributes
    if span.kind == "edge":
        line = Text(f"{span.name}", style="blue")
        line.append(f"  {held.get('segue.edge.reason', '')}", style="dim")
        return line
    line = Text(f"{span.kind} ", style="dim")
    line.append(span.name, style=_STYLE[span.status] or "bold")
    line.append(f"  {node.duration_s * 1000:.1f} ms", style="dim")
    if span.status != "ok":
        line.append(f"  {span.status}", style=_STYLE[span.status])
    if span.kind == "generation":
        usage = node.usage
        model = held.get("gen_ai.response.model", "")
        line.append(
            f"  {model}  {usage.input_tokens} + {usage.output_tokens} tokens, {cost(usage.cost_usd)}", style="cyan"
        )
    elif span.kind == "tool":
        line.append(f"  {held.get('segue.effect', '')}: {held.get('segue.reason', '')}", style="cyan")
    elif node.children and (usage := node.usage).model_calls:
        line.append(f"  {usage.total_tokens} tokens, {cost(usage.cost_usd)}", style="dim")
    return line
