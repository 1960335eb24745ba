"""Walks through the executions in flight, and does with each what a worker does when it has claimed it.

Only in memory: the store is read, and nothing else.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field

from active_workflow.core.commands import RunStep
from active_workflow.core.needs import Needs, needs
from active_workflow.core.ready import next_commands
from active_workflow.core.snapshot import BlockKind, Execution
from active_workflow.core.states import Effect, State
from active_workflow.dsl import registry
from active_workflow.dsl.program import Program
from active_workflow.engine.held import Held
from active_workflow.engine.replaying import findings
from active_workflow.engine.replaying.findings import KINDS, Finding, Outcome
from active_workflow.engine.runtime import why_not_served
from active_workflow.store.base import Query, Store
from active_workflow.store.serializer import Serializer

PAGE = 500
_IN_FLIGHT = tuple(state for state in State if not state.terminal)
_FOR_EVER = 2**62
"""An instant by which every delay is over."""


@dataclass(slots=True)
class Group:
    """Executions of which the same is to be said.

    Attributes:
        finding: What.
        count: Of how many.
        examples: Ids of some of them, the newest first.
    """

    finding: Finding
    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Replay:
    """What a replay came to.

    Attributes:
        checked: How many executions were looked at.
        unblocked: How many that are blocked for want of code would go on.
        groups: What was found, the worst first.
    """

    checked: int = 0
    unblocked: int = 0
    groups: list[Group] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether no execution would be blocked, fail, skip something or run something again."""
        return all(group.finding.outcome is Outcome.KEEP for group in self.groups)

    def __str__(self) -> str:
        return "\n".join(
            f"{group.finding.outcome} {group.finding.id} {group.finding.workflow}"
            f"{f'.{group.finding.step}' if group.finding.step else ''}: {group.finding.told}; "
            f"{group.finding.remedy} ({group.count} executions, such as {' '.join(group.examples)})"
            for group in self.groups
        )


def replay(
    store: Store,
    serializer: Serializer,
    *,
    queues: Collection[str] | None = None,
    ignore: Collection[str] = (),
    examples: int = 3,
    progress: Callable[[int], None] = lambda _: None,
) -> Replay:
    """Tell what the code of this process would do with the executions in flight, without doing it.

    Args:
        store: Where they are; it is only read.
        serializer: How values are encoded.
        queues: The queues that all workers together serve; None is all.
        ignore: Findings to leave out: ``"AW211"``, ``"AW211:Checkout"``, ``"AW211:Checkout.audit"``.
        examples: How many ids to give for each finding.
        progress: Told how many have been looked at, now and then.

    Raises:
        ValueError: There is no such finding to be ignored.
    """
    unknown = [given for given in ignore if given.partition(":")[0] not in KINDS]
    if unknown:
        raise ValueError(f"ignore: there is no finding {unknown[0]!r}; there are {', '.join(KINDS)}")
    looks = _Looks(store, serializer, None if queues is None else frozenset(queues))
    result, groups, silenced = Replay(), dict[Finding, Group](), frozenset(ignore)
    for x in _in_flight(store):
        result.checked += 1
        if result.checked % PAGE == 0:
            progress(result.checked)
        found = [finding for finding in looks.at(x) if not finding.names & silenced]
        result.unblocked += looks.unblocks
        for finding in found:
            group = groups.setdefault(finding, Group(finding))
            group.count += 1
            if len(group.examples) < examples:
                group.examples.append(x.id)
    order = list(Outcome)
    result.groups = sorted(
        groups.values(), key=lambda g: (order.index(g.finding.outcome), g.finding.id, -g.count)
    )
    return result


def _in_flight(store: Store) -> Iterator[Execution]:
    """Give them page by page; one whose row can't be read is told in the log by the store."""
    after: str | None = None
    while page := store.find(Query(states=_IN_FLIGHT, after=after, limit=PAGE)):
        yield from page
        after = page[-1].id


class _Looks:
    """Looks at one execution after the other; what depends on plan and progress alone is kept.

    Attributes:
        unblocks: Whether the newest one is blocked for want of code, and would go on.
    """

    def __init__(self, store: Store, serializer: Serializer, queues: frozenset[str] | None) -> None:
        self._store = store
        self._serializer = serializer
        self._queues = queues
        self._by_plan: dict[tuple[object, ...], list[Finding]] = {}
        self.unblocks = False

    def at(self, x: Execution) -> Iterator[Finding]:
        """Give what is to be said of an execution."""
        program = registry.lookup(x.plan.workflow, x.plan.version)
        reason = why_not_served(x)
        self.unblocks = reason is None and x.blocked is not None and x.blocked.kind is BlockKind.CODE
        if program is None:
            yield findings.no_code(x.plan, str(reason))
            return
        needed = needs(x)
        yield from self._of_plan(x, needed, program)
        if needed:
            yield from findings.of_ctx(x, needed, program, self._serializer)
        yield from findings.of_repeats(x.plan, self._repeats(x, reason))

    def _of_plan(self, x: Execution, needed: Needs, program: Program) -> list[Finding]:
        key = (x.plan.hash, program.plan.hash, x.phase, x.ending is None, tuple(needed.items()))
        if key not in self._by_plan:
            self._by_plan[key] = [
                *findings.of_lacks(x.plan, program.lacks(x.plan, needed)),
                *findings.of_queues(x.plan, needed, self._queues),
                *findings.of_differences(x, needed, program),
            ]
        return self._by_plan[key]

    def _repeats(self, x: Execution, reason: str | None) -> list[str]:
        """Give the steps that run once more, once somebody claims it, though nobody knows what they did."""
        held = Held(x.evolve(paused_at=None), _FOR_EVER, 0)
        if held.attempts() and self._store.lease_of(x.id) is not None:
            return []  # who has it lets them end
        for event in held.at_claim(reason):
            held.tell(event, 0)
        steps = (c.step for c in next_commands(held.known, _FOR_EVER) if isinstance(c, RunStep))
        return [name for name in steps if _is_unknown(held.known, name)]


def _is_unknown(x: Execution, name: str) -> bool:
    step = x.step(name)
    return step.run.unknown or step.effect is Effect.UNKNOWN
