"""What must hold of every execution, and of every move from one snapshot to the next."""

from collections.abc import Iterator

from active_workflow.core import events as ev
from active_workflow.core.commands import Compensate, Decide, RunStep, Verify, WaitUntil
from active_workflow.core.machine import apply
from active_workflow.core.needs import Code, needs
from active_workflow.core.ready import due_at, next_commands
from active_workflow.core.recording import refolded
from active_workflow.core.snapshot import Execution, Step
from active_workflow.core.states import Effect, Phase, State
from active_workflow.core.states import StepState as S

DONE_FOR_EVER = {S.COMPLETED, S.COMPENSATING, S.COMPENSATED, S.COMPENSATION_FAILED}
OPEN = {Effect.LANDED, Effect.UNKNOWN}


def holds(x: Execution, now: int) -> None:
    """Check one snapshot by itself."""
    numbers = [n for s in x.steps.values() for n in (s.seq, s.undo_seq) if n is not None]
    assert len(numbers) == len(set(numbers)), "every outcome has a number of its own"
    assert all(0 < n <= x.seq for n in numbers)
    assert refolded(x).ctx == x.ctx, "ctx is the input with all patches laid over it"
    busy = [s for s in x.steps.values() if s.undo.running or s.undo_waiting_since is not None]
    assert len(busy) <= 1, "one undo at a time"
    assert not (busy and any(s.run.running for s in x.steps.values())), "settle first, then undo"
    for step in x.steps.values():
        assert step.run.running is (step.state is S.RUNNING)
        _within_its_policy(x, step)
    assert x.active_steps == [step for step in x.steps.values() if step.active]
    _code_is_known(x, now)
    if x.phase is Phase.OVER:
        _over(x)
    else:
        _not_stuck(x, now)


CODE_OF = {RunStep: Code.RUN, Compensate: Code.UNDO, Verify: Code.VERIFY, Decide: Code.DECIDE}


def _code_is_known(x: Execution, now: int) -> None:
    """Whatever is called next, or runs, was said to be needed."""
    wanted = needs(x)
    for command in next_commands(x, now):
        code = CODE_OF.get(type(command))
        assert code is None or code in wanted.get(command.step, ()), command
    for step in x.steps.values():
        assert not step.undo.running or Code.UNDO in wanted.get(step.name, ())


def _needs_no_more(before: Execution, after: Execution) -> None:
    earlier = needs(before)
    for name, codes in needs(after).items():
        assert codes <= earlier.get(name, frozenset()), "what an execution may need is said from the start"


def _within_its_policy(x: Execution, step: Step) -> None:
    plan = x.plan.by_name[step.name]
    once_more = 0 if x.phase is Phase.FORWARD else 1  # to settle an attempt of unknown outcome
    for run, policies, more in ((step.run, plan.retry, once_more), (step.undo, plan.undo_policies, 0)):
        assert run.failures <= run.attempts or not plan.kind.calls, "only attempts that ended count"
        most = max((p.max or 1_000 for p in policies), default=1)
        assert run.failures <= most + more, "no more attempts fail than the policy allows"
    assert not (step.undo.attempts and not plan.compensates)


def _over(x: Execution) -> None:
    assert x.state.terminal
    assert not any(s.active and s.state is not S.PENDING for s in x.steps.values()), "rows tell all of it"
    assert not any(s.state in (S.RUNNING, S.WAITING, S.PENDING) for s in x.steps.values())
    assert due_at(x) is None
    if x.state is State.COMPLETED:
        assert all(x.is_done(step.name) for step in x.plan.steps)
        return
    for step in x.steps.values():
        if x.plan.by_name[step.name].compensates:
            assert step.effect not in OPEN, "nothing that may have happened is passed by"


def _not_stuck(x: Execution, now: int) -> None:
    """Something runs, is ready, has a time, waits for the outside, or a person is told."""
    commands, due = next_commands(x, now), due_at(x)
    if not isinstance(commands[0], WaitUntil):
        assert due is not None
        assert due <= now, "what can be started is due"
        return
    assert commands == [WaitUntil(due)]
    running = any(s.run.running or s.undo.running for s in x.steps.values())
    if due is None:
        assert running or x.stalled or _waits_for_outside(x), f"stuck: {x}"
    elif due <= now and not running and not x.stalled:
        assert apply(x, ev.Wake(), now) is not x, f"due for nothing: {x}"


def _waits_for_outside(x: Execution) -> bool:
    return any(s.state is S.WAITING or s.undo_waiting_since is not None for s in x.steps.values())


def moves_well(before: Execution, after: Execution) -> None:
    """Check one move."""
    assert before.phase is not Phase.OVER, "terminal states are final"
    assert after.seq >= before.seq
    if before.ending is not None:
        assert after.ending is before.ending, "the first reason stays"
    for name, step in after.steps.items():
        old = before.step(name)
        _outcome_stays(old, step)
        _in_order(before, after, old, step)
    assert before.steps.keys() <= after.steps.keys()
    _needs_no_more(before, after)
    _undone_in_reverse(before, after)
    _signals_kept(before, after)


def _outcome_stays(old: Step, step: Step) -> None:
    if old.state is S.COMPLETED:
        assert step.state in DONE_FOR_EVER
        assert (step.result, step.payload, step.patch, step.seq) == (
            old.result,
            old.payload,
            old.patch,
            old.seq,
        )
    if old.state is S.COMPENSATED:
        assert step is old
    if old.seq is not None:
        assert step.seq == old.seq


def _in_order(before: Execution, after: Execution, old: Step, step: Step) -> None:
    begins = old.state is S.PENDING and step.state is not S.PENDING and not old.run.attempts
    if begins and step.state is not S.CANCELLED:
        assert all(
            after.is_done(name) or before.is_done(name) for name in after.plan.by_name[step.name].after
        )


def _undone_in_reverse(before: Execution, after: Execution) -> None:
    for name, step in after.steps.items():
        old = before.step(name)
        if step.state is S.COMPENSATING and old.state not in (S.COMPENSATING, S.COMPENSATION_FAILED):
            later = [
                s for s in before.steps.values()
                if s.effect is Effect.LANDED and after.plan.by_name[s.name].compensates
                and s.state is not S.COMPENSATION_FAILED and s is not old
            ]  # fmt: skip
            assert all((s.seq or 0) < (step.seq or 0) for s in later), "the last recorded is undone first"


def _signals_kept(before: Execution, after: Execution) -> None:
    left = {signal.number for signal in after.signals}
    new = {n + 1 for n in range(before.signal_count, after.signal_count)}
    taken = ({signal.number for signal in before.signals} | new) - left
    takers = list(_takers(before, after))
    assert len(taken) == len(takers), "a signal is consumed by one step, and never dropped"
    assert left <= {signal.number for signal in before.signals} | new


def _takers(before: Execution, after: Execution) -> Iterator[str]:
    for plan in after.plan.steps:
        took = before.step(plan.name).payload is None and after.step(plan.name).payload is not None
        if plan.signals and took:
            yield plan.name
