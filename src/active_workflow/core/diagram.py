"""Plans and the table of moves as Mermaid: for the docs, the ``graph`` command and the UI."""

from collections.abc import Iterator

from active_workflow.core.moves import MOVES
from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import StepState

_SHAPES = {
    StepKind.CALL: ('["', '"]'),
    StepKind.EXTERNAL: ('[["', '"]]'),
    StepKind.SIGNAL: ('{{"', '"}}'),
    StepKind.SLEEP: ('(["', '"])'),
    StepKind.DETACHED: ('>"', '"]'),
}
_COLOURS = {
    StepState.PENDING: "fill:#fff,stroke:#999",
    StepState.RUNNING: "fill:#cfe8ff,stroke:#1c7ed6",
    StepState.WAITING: "fill:#fff3bf,stroke:#f08c00",
    StepState.COMPLETED: "fill:#d3f9d8,stroke:#2b8a3e",
    StepState.FAILED: "fill:#ffe3e3,stroke:#c92a2a",
    StepState.TIMED_OUT: "fill:#ffe3e3,stroke:#c92a2a",
    StepState.CANCELLED: "fill:#f1f3f5,stroke:#868e96",
    StepState.SKIPPED: "fill:#f1f3f5,stroke:#868e96,stroke-dasharray:4",
    StepState.IN_DOUBT: "fill:#ffd8a8,stroke:#d9480f",
    StepState.COMPENSATING: "fill:#e5dbff,stroke:#6741d9",
    StepState.COMPENSATED: "fill:#f3f0ff,stroke:#6741d9",
    StepState.COMPENSATION_FAILED: "fill:#ffc9c9,stroke:#c92a2a,stroke-width:3px",
}
_ESCAPES = str.maketrans(
    {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "`": "#96;", "\\": "#92;"}
)


def plan_diagram(plan: Plan, execution: Execution | None = None) -> str:
    """Draw a plan as a Mermaid flowchart.

    Args:
        plan: What to draw: steps that may run side by side share a frame; ``↩`` marks a compensation,
            a thick border the point of no return.
        execution: One that follows this plan: its steps are then coloured by state.

    Returns:
        The text of the diagram, ending with a line feed.
    """
    lines = ["flowchart TD", *_nodes(plan), *_edges(plan), *_pivot(plan)]
    if execution is not None:
        lines += _overlay(plan, execution)
    return "\n".join(lines) + "\n"


def moves_diagram() -> str:
    """Draw the table of legal moves of a step as a Mermaid state diagram, ending with a line feed."""
    lines = ["stateDiagram-v2", f"    [*] --> {StepState.PENDING}"]
    for state, moves in MOVES.items():
        lines += [
            f"    {state} --> {to}: {move}" for move, targets in moves.items() for to in sorted(targets)
        ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Give a text so that Mermaid shows it and reads nothing into it."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()).translate(_ESCAPES)


def _nodes(plan: Plan) -> Iterator[str]:
    groups: dict[tuple[str, ...], list[StepPlan]] = {}
    for step in plan.steps:
        groups.setdefault(step.after, []).append(step)
    for number, group in enumerate(groups.values()):
        if len(group) == 1:
            yield f"    {_node(plan, group[0])}"
            continue
        yield f'    subgraph g{number}["side by side"]'
        yield from (f"        {_node(plan, step)}" for step in group)
        yield "    end"


def _node(plan: Plan, step: StepPlan) -> str:
    opening, closing = _SHAPES[step.kind]
    return f"{_id(plan, step.name)}{opening}{'<br/>'.join(_label(step))}{closing}"


def _id(plan: Plan, name: str) -> str:
    return f"s{plan.positions[name]}"


def _label(step: StepPlan) -> Iterator[str]:
    yield escaped(step.name)
    if step.kind is StepKind.EXTERNAL:
        yield "waits for completion"
    if step.kind is StepKind.SIGNAL:
        yield "waits for " + " or ".join(escaped(name) for name in step.signals)
    if step.kind is StepKind.SLEEP:
        yield "sleeps"
    if step.kind is StepKind.DETACHED:
        yield "nobody waits for it"
    if step.pivot:
        yield "point of no return"
    if step.compensates:
        yield "↩ undo"


def _edges(plan: Plan) -> Iterator[str]:
    for step in plan.steps:
        yield from (f"    {_id(plan, name)} --> {_id(plan, step.name)}" for name in step.after)


def _pivot(plan: Plan) -> Iterator[str]:
    if plan.pivot is not None:
        yield "    classDef pivot stroke-width:4px"
        yield f"    class {_id(plan, plan.pivot.name)} pivot"


def _overlay(plan: Plan, execution: Execution) -> Iterator[str]:
    states = {step.name: execution.step(step.name).state for step in plan.steps}
    for state in sorted(set(states.values())):
        yield f"    classDef {state} {_COLOURS[state]}"
    yield from (f"    class {_id(plan, name)} {state}" for name, state in states.items())
