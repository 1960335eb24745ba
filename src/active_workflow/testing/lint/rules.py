"""The findings, one function each. None of them is about style: each has cost somebody money."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.dsl.program import Program
from active_workflow.dsl.where import listed, nearest
from active_workflow.testing.lint.source import Facts

Told = Iterator[tuple[str, str, str]]
"""Of each finding: the step, the problem, the remedy."""


@dataclass(frozen=True)
class Subject:
    """A workflow as the rules see it.

    Attributes:
        program: What is defined.
        runs: What the code of each step says.
        undos: The same of each compensation.
        queues: The queues that the workers serve, all together; None where that is not known.
    """

    program: Program
    runs: Mapping[str, Facts]
    undos: Mapping[str, Facts]
    queues: Collection[str] | None = None

    @property
    def plan(self) -> Plan:
        """Its plan."""
        return self.program.plan

    @cached_property
    def before(self) -> Mapping[str, frozenset[str]]:
        """For each step, the steps that are done when it starts."""
        found: dict[str, frozenset[str]] = {}
        for step in self.plan.in_order():
            found[step.name] = frozenset(step.after).union(*(found[name] for name in step.after))
        return found

    def written_by(self, step: StepPlan) -> set[str]:
        """Give the keys of ctx that a step is known to write."""
        payload = {step.payload_key} if step.kind in {StepKind.EXTERNAL, StepKind.SIGNAL} else set()
        facts = self.runs.get(step.name)
        if facts is None:
            return payload
        merged = {step.store_as} if step.store_as and step.kind is StepKind.CALL else facts.returns
        return payload | facts.writes | {key for key in merged if key}

    def may_write_more(self, name: str) -> bool:
        """Tell whether a step may write keys that its source doesn't show."""
        facts, step = self.runs.get(name), self.plan.by_name[name]
        return facts is not None and (facts.may_write or (facts.may_return and step.store_as is None))

    def past_pivot(self, step: StepPlan) -> bool:
        """Tell whether undo never reaches a step, as it comes after the pivot."""
        pivot = self.plan.pivot
        return pivot is not None and pivot.name in self.before[step.name]


def no_way_back(subject: Subject) -> Told:
    """AW101: a step changes something outside, and nothing undoes it."""
    for step in subject.plan.steps:
        bare = step.kind.calls and not (step.compensates or step.pivot or step.no_undo)
        if bare and subject.runs[step.name].acts and not subject.past_pivot(step):
            yield (
                step.name,
                "nothing undoes what it does outside when a later step fails or somebody cancels",
                'write a compensation; or say no_undo="why none is needed"; or pivot=True',
            )


def undo_reads_too_early(subject: Subject) -> Told:
    """AW102: a compensation reads a key of ctx that need not be there when it runs."""
    if subject.program.ctx_type is not None:
        return  # every field is there: given, or by its default
    for name, facts in subject.undos.items():
        step = subject.plan.by_name[name]
        others = subject.before[name]
        if any(subject.may_write_more(other) for other in (*others, name)):
            continue
        for key in sorted(facts.reads - facts.asked):
            writers = {s.name for s in subject.plan.steps if key in subject.written_by(s)}
            if not writers or writers & others:
                continue
            if name not in writers:
                late = " and ".join(sorted(writers))
                yield name, f"its undo reads ctx.{key}, which only {late} writes, after it", _GET
            elif step.compensate_on == "attempted":
                yield name, f"its undo also runs for failed attempts, which have not written ctx.{key}", _GET


_GET = "write ctx.get(…) and cope with None; or find it by ctx.step_key in the other system"


def waits_for_ever(subject: Subject) -> Told:
    """AW103: an external step without an end to its waiting."""
    for step in subject.plan.steps:
        ends = step.timeout or step.heartbeat_timeout or subject.plan.timeout
        if step.kind is StepKind.EXTERNAL and not ends:
            problem = "it waits for ever if its completion is lost: neither it nor the workflow has a timeout"
            yield step.name, problem, 'say timeout="1h", or heartbeat_timeout='


def signal_never_comes(subject: Subject) -> Told:
    """AW104: a wait for a signal without an end."""
    for step in subject.plan.steps:
        if step.kind is StepKind.SIGNAL and not (step.timeout or subject.plan.timeout):
            problem = (
                "it waits for ever if nobody sends the signal: neither it nor the workflow has a timeout"
            )
            yield step.name, problem, 'say timeout="2d", with on_timeout="continue" where that is no failure'


def repeated_without_key(subject: Subject) -> Told:
    """AW105: a step is tried again, and nothing tells the other side that it is the same once more."""
    for step in subject.plan.steps:
        facts = subject.runs.get(step.name)
        again = any(policy.max is None or policy.max > 1 for policy in step.retry)
        if facts is None or not again or not facts.acts or facts.may_use_key:
            continue
        if not (step.no_undo or step.verifies):
            yield (
                step.name,
                "it is tried again and does not use ctx.step_key: if an answer is lost, it happens twice",
                "pass ctx.step_key as the idempotency key, or write a verify that looks whether it happened",
            )


def written_side_by_side(subject: Subject) -> Told:
    """AW106: steps that may run at once write the same key of ctx."""
    told = set()
    for step in subject.plan.steps:
        for other in sorted(subject.plan.unordered[step.name]):
            pair = frozenset({step.name, other})
            both = subject.written_by(step) & subject.written_by(subject.plan.by_name[other])
            if both and pair not in told:
                told.add(pair)
                keys = ", ".join(f"ctx.{key}" for key in sorted(both))
                problem = (
                    f"it and {other} may run at once and both write {keys}: the later one fails for good"
                )
                yield step.name, problem, "write different keys, or order them with after="


def in_doubt_for_people(subject: Subject) -> Told:
    """AW107: a step that stops for an operator after each crash, though code could look."""
    for step in subject.plan.steps:
        if step.at_most_once and not step.verifies:
            yield (
                step.name,
                "at_most_once without verify: after a crash in it a person has to find out and say resolve",
                "write a verify that looks whether it happened; ignore this where only a person can",
            )


def queue_of_nobody(subject: Subject) -> Told:
    """AW108: a step on a queue that no worker serves, as far as that is known."""
    for step in subject.plan.steps:
        has_code = step.kind.calls or step.kind is StepKind.DETACHED or step.decides
        if has_code and subject.queues is not None and step.queue not in subject.queues:
            hint = nearest(step.queue, subject.queues)
            yield (
                step.name,
                f"no worker serves its queue {step.queue!r}{hint}: it would never run",
                f"name one of {listed(sorted(subject.queues))}; or start a worker with --queues {step.queue}",
            )


RULES: Mapping[str, Callable[[Subject], Told]] = {
    "AW101": no_way_back,
    "AW102": undo_reads_too_early,
    "AW103": waits_for_ever,
    "AW104": signal_never_comes,
    "AW105": repeated_without_key,
    "AW106": written_side_by_side,
    "AW107": in_doubt_for_people,
    "AW108": queue_of_nobody,
}
