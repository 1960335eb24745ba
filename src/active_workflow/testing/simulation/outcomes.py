"""Judging what is written: outcomes, signals, completions that came early, and what is left at the end."""

from active_workflow.core.plan import StepKind
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import Effect, Phase, State, StepState
from active_workflow.engine.call import CallKind
from active_workflow.testing.simulation.broken import demand
from active_workflow.testing.simulation.ledger import Ledger
from active_workflow.testing.simulation.record import Record

_AFTER_COMPLETED = frozenset(
    {StepState.COMPLETED, StepState.COMPENSATING, StepState.COMPENSATED, StepState.COMPENSATION_FAILED}
)


def from_outside(before: Execution, after: Execution) -> None:
    """Judge a change that no owner of the lease made: it must not move what runs."""
    demand(after.token == before.token, 4, "a change from outside moved the token")
    for step in before.steps.values():
        if step.run.running or step.undo.running:
            now = after.steps[step.name]
            same = now.run == step.run and now.undo == step.undo and now.state is step.state
            demand(same, 4, f"running step {step.name} was moved from outside")


def check(record: Record, before: Execution, after: Execution, ledger: Ledger) -> None:
    """Judge one write."""
    if before.phase is Phase.OVER:
        same = before.evolve(revision=0, token=0) == after.evolve(revision=0, token=0)
        demand(same, 3, f"{before.id} was {before.state}, which is final, and became {after.state}")
        return
    for name, step in after.steps.items():
        old = before.steps.get(name)
        if step is not old:
            if old is not None:
                _check_step(old, step)
            if step.state is StepState.COMPLETED and name not in record.completed:
                _check_completion(record, before, after, step, ledger)
            _check_bounds(after, step)
    demand(before.steps.keys() <= after.steps.keys(), 2, "a step was forgotten")
    if before.ending is not None:
        demand(after.ending == before.ending, 9, f"why {before.id} ends was recorded, and forgotten or changed")
    _check_signals(record, before, after)


def _check_step(old: Step, new: Step) -> None:
    if old.state is StepState.COMPLETED:
        demand(new.state in _AFTER_COMPLETED, 2, f"{old.name} was completed and became {new.state}")
        same = (old.result, old.payload, old.patch, old.seq) == (new.result, new.payload, new.patch, new.seq)
        demand(same, 2, f"the recorded outcome of {old.name} changed")
    if old.state is StepState.COMPENSATED or (old.state is StepState.SKIPPED and old.run.attempts == 0):
        demand(new.state is old.state, 3, f"{old.name} was {old.state} and became {new.state}")
    demand(old.seq is None or new.seq == old.seq, 2, f"the number of {old.name} changed")
    demand(new.run.attempts >= old.run.attempts - 1, 10, f"attempts of {old.name} were forgotten")


def _check_completion(record: Record, before: Execution, x: Execution, step: Step, ledger: Ledger) -> None:
    """What is recorded of a step is what its code, its partner or an operator said."""
    plan = x.plan.by_name[step.name]
    if plan.kind.calls and step.result is not None and step.name not in record.resolved:
        said = ledger.values((x.id, step.name))
        demand(step.result in said, 9, f"{step.name} of {x.id} never gave {step.result}")
    for name in plan.after if x.phase is Phase.FORWARD else ():  # a late return may settle it while undoing
        done = x.is_done(name) or before.is_done(name)
        demand(done, 6, f"{step.name} is completed before {name}, which it needs")


def _check_bounds(x: Execution, step: Step) -> None:
    plan = x.plan.by_name[step.name]
    for run, policies in ((step.run, plan.retry), (step.undo, plan.undo_policies)):
        most = max((policy.max or 0 for policy in policies), default=1)
        demand(run.failures <= most + 1, 10, f"{step.name} failed {run.failures} times, {most} are allowed")
    most = plan.max_interruptions + (x.phase is not Phase.FORWARD)  # one more to learn if it landed
    demand(step.run.strikes <= most, 10, f"{step.name} lost its worker too often")
    if plan.kind.calls:
        often = f"{step.name} failed {step.run.failures} times in {step.run.attempts} attempts"
        demand(step.run.failures <= step.run.attempts, 10, often)


def _check_signals(record: Record, before: Execution, after: Execution) -> None:
    left = {signal.number for signal in after.signals}
    takers = {
        step.payload: name
        for name, step in after.steps.items()
        if after.plan.by_name[name].kind is StepKind.SIGNAL
        and step.state in (StepState.COMPLETED, StepState.FAILED)
        and step is not before.steps.get(name)
    }
    for signal in before.signals:
        if signal.number not in left:
            demand(signal.payload in takers or _conflicts(takers), 8, f"signal {signal.number} was dropped")
    for name, step in after.steps.items():
        if after.plan.by_name[name].kind is StepKind.SIGNAL and step.payload is not None:
            for other, payload in record.taken.items():
                again = other != name and payload == step.payload  # no two signals of a run carry the same
                demand(not again, 8, f"{name} took the signal of {other} again")
            record.taken[name] = step.payload


def _conflicts(takers: dict[str | None, str]) -> bool:
    """Tell whether a step failed by taking a signal: then its payload is not kept."""
    return None in takers


def check_early(before: Execution, after: Execution) -> None:
    """A completion that came early is kept until its call ends, and then used."""
    if after.ending is not None or after.phase is not Phase.FORWARD:
        return
    for name, step in before.steps.items():
        new = after.steps[name]
        if step.early is None or new.early is not None or step.early.error is not None:
            continue
        if step.early.correlation_id not in (None, new.correlation_id):
            continue
        used = new.payload == step.early.payload or new.state in (StepState.FAILED, StepState.SKIPPED)
        demand(used, 9, f"a completion of {name} that came early was lost")


def note(record: Record, before: Execution, after: Execution) -> None:
    """Remember what a write said."""
    check_early(before, after)
    fresh: list[Step] = []
    for name, step in after.steps.items():
        old = before.steps.get(name)
        if step is old:
            continue
        if step.state is StepState.COMPLETED:
            record.completed.add(name)
        if step.seq is not None and (old is None or old.seq is None):
            fresh.append(step)
        if old is not None:
            record.failures[CallKind.RUN, name] += max(0, step.run.failures - old.run.failures)
            record.failures[CallKind.UNDO, name] += max(0, step.undo.failures - old.undo.failures)
    record.order += [step.name for step in sorted(fresh, key=lambda step: step.seq or 0)]
    for name, step in after.steps.items():
        if step.undo.attempts:
            record.undo_began.setdefault(name, len(record.order))


# --- The end ----------------------------------------------------------------------------------------


def check_end(record: Record, ledger: Ledger) -> None:
    """Judge an execution that is over or needs a person."""
    x = record.row
    demand(x.state is not State.BLOCKED or x.blocked is not None, 1, f"{x.id} is blocked without a reason")
    for step in x.steps.values():
        key = (x.id, step.name)
        plan = x.plan.by_name[step.name]
        effects = sum(entry.effect for entry in ledger.runs.get(key, ()))
        run, undo = (CallKind.RUN, step.name), (CallKind.UNDO, step.name)
        most = 1 + record.interruptions[run] + record.failures[run] + record.renewals
        demand(effects <= most, 5, f"{effects} effects of {key}, {most} are accounted for")
        if plan.transactional and step.name not in record.resolved:
            once = step.name in record.completed
            demand(effects == once, 5, f"{effects} effects of {key}, which is transactional and {step.state}")
        undone = sum(entry.effect for entry in ledger.undos.get(key, ()))
        most = 1 + record.interruptions[undo] + record.failures[undo] + record.renewals
        demand(undone <= most, 5, f"{undone} undos of {key}, {most} are accounted for")
        if x.state.terminal and x.state is not State.COMPLETED and plan.compensates:
            open_still = step.name in record.completed or step.effect is Effect.LANDED
            demand(
                not open_still or step.state is StepState.COMPENSATED, 7, f"{key} was done and is not undone"
            )
            demand(step.effect is not Effect.UNKNOWN, 7, f"nobody found out what {key} did")
            by_others = step.name in record.resolved or plan.undo_external
            demand(
                step.state is not StepState.COMPENSATED or undone or by_others, 7, f"{key} was never undone"
            )
    if x.state is State.COMPLETED:
        done = all(x.is_done(plan.name) for plan in x.plan.steps)
        demand(done, 1, f"{x.id} is completed with steps left")
        undone_any = any(ledger.undos.get((x.id, plan.name)) for plan in x.plan.steps)
        demand(not undone_any, 7, f"{x.id} is completed, and something was undone")
