"""Judging calls: whether user code may be called now, by what the store and the ledger say."""

from active_workflow.core.retry import RetryPolicy
from active_workflow.core.snapshot import Step
from active_workflow.core.states import Effect, Phase, StepState
from active_workflow.engine.call import Call, CallKind
from active_workflow.testing.simulation.broken import demand
from active_workflow.testing.simulation.ledger import Entry, Ledger
from active_workflow.testing.simulation.record import Record

_CAME_TO_NOTHING = frozenset({"skipped", "rolled back"})
_UNDONE_OR_STUCK = frozenset({StepState.COMPENSATED, StepState.COMPENSATION_FAILED})


def check(record: Record, entry: Entry, ledger: Ledger, now: int) -> None:
    """Judge one call before it begins."""
    call, row = entry.call, record.row
    demand(
        record.owner == entry.worker and row.token == call.token,
        4,
        f"{call} by {entry.worker}: not its lease",
    )
    held = record.lease_until is not None and now < record.lease_until
    demand(held, 4, f"{call}: the lease is over or was given up")
    if call.kind is CallKind.RUN:
        demand(row.phase is not Phase.OVER, 3, f"{call}: the execution is over")
        _check_run(record, call, ledger, now)
    elif call.kind is CallKind.UNDO:
        _check_undo(record, call, ledger)
    elif row.revision == call.execution.revision:  # else somebody from outside was there in between
        _check_question(row.step(call.step), call)


def _check_question(step: Step, call: Call) -> None:
    if call.kind is CallKind.DECIDE:
        demand(step.state is StepState.PENDING, 2, f"{call}: was decided before")
    else:
        unknown = step.run.unknown or step.effect is Effect.UNKNOWN
        demand(unknown and not step.run.running, 6, f"{call}: nothing is unknown")


def _once(call: Call, ledger: Ledger) -> None:
    key = (call.id, call.kind, call.step, call.attempt)
    demand(key not in ledger.made, 2, f"{call}: this attempt was called before")
    ledger.made.add(key)


def _check_run(record: Record, call: Call, ledger: Ledger, now: int) -> None:
    row, key = record.row, (call.id, call.step)
    step, plan = row.step(call.step), row.plan.by_name[call.step]
    _once(call, ledger)
    demand(call.step not in record.completed, 2, f"{call}: a recorded step runs again")
    recorded = step.state is StepState.RUNNING and step.run.attempts == call.attempt
    demand(recorded, 2, f"{call}: the store has {step.state} attempt {step.run.attempts}")
    for name in plan.after:
        turned = row.phase is Phase.UNDOING  # it is called once more to learn whether it landed
        demand(turned or row.is_done(name), 6, f"{call}: {name} is not recorded as done")
    earlier = [entry for entry in ledger.runs.get(key, ()) if entry.end not in _CAME_TO_NOTHING]
    if earlier:
        _check_again(record, call, earlier[-1], now)
    runs = (CallKind.RUN, call.step)
    most = 1 + record.interruptions[runs] + record.failures[runs] + record.renewals
    demand(len(earlier) < most, 5, f"{call}: {len(earlier)} calls before, {most} are accounted for in all")
    if plan.at_most_once and not plan.verifies:
        known = all(entry.end == "raised" for entry in earlier)
        demand(
            known or call.step in record.resolved | record.rejected or record.renewals,
            5,
            f"{call}: at most once, and what it did is unknown",
        )


def _check_again(record: Record, call: Call, last: Entry, now: int) -> None:
    """A step is called again only if its last call is known to have failed, or nobody can know."""
    if last.call.token != call.token or call.step in record.resolved:
        return
    plan = record.row.plan.by_name[call.step]
    if last.end is None:
        timeout = last.call.timeout
        patience = plan.abandon_after if plan.abandon_after is not None else timeout or 0
        over_at = None if timeout is None else last.began + timeout + patience
        demand(over_at is not None and now >= over_at, 5, f"{call}: attempt {last.call.attempt} still runs")
    elif last.end == "returned" and plan.kind == "call":
        late = last.call.timeout is not None and last.call.stopping
        again = late or record.renewals  # an operator may have had it done again: its result fitted nowhere
        demand(again, 2, f"{call}: attempt {last.call.attempt} returned under this lease")
    elif last.end == "raised" and last.ended is not None and plan.retry and not record.renewals:
        if last.call.stopping:  # it had failed when its time was over, and the next attempt may have begun
            return
        pause = _least_delay(plan.retry[0], record.row.step(call.step).run.failures)
        demand(
            now >= last.ended + pause, 14, f"{call}: its retry's delay of {pause} microseconds is not over"
        )


def _least_delay(policy: RetryPolicy, failures: int) -> int:
    """Give how long a retry has to wait at least, reckoned without the law.

    Every policy here is for all errors.
    """
    base = policy.first_delay or 0
    if policy.backoff == "exponential" and failures > 1:
        base <<= failures - 1
    return min(base // 2 if policy.jitter else base, policy.max_delay)


def _check_undo(record: Record, call: Call, ledger: Ledger) -> None:
    row, key = record.row, (call.id, call.step)
    step, plan = row.step(call.step), row.plan.by_name[call.step]
    _once(call, ledger)
    demand(row.phase is Phase.UNDOING and plan.compensates, 7, f"{call}: nothing is to be undone")
    recorded = step.undo.running and step.undo.attempts == call.attempt
    demand(recorded, 7, f"{call}: the store has {step.state} undo attempt {step.undo.attempts}")
    known = ledger.runs.get(key) or call.step in record.resolved or step.run.attempts
    demand(known, 7, f"{call}: the step was never called")
    demand(not any(other.run.running for other in row.steps.values()), 7, f"{call}: a step still runs")
    others = [other.name for other in row.steps.values() if other.undo.running and other.name != call.step]
    demand(not others, 7, f"{call}: the undo of {others} is not over")
    place = record.order.index(call.step) if call.step in record.order else -1
    demand(place >= 0, 7, f"{call}: the step has no outcome")
    later = record.order[place + 1 : record.undo_began[call.step]]  # one that has begun is brought to an end
    for name in later:
        demand(_is_behind(row.steps[name], plan_compensates=row.plan.by_name[name].compensates), 7,
               f"{call}: {name} was recorded later and is not undone yet")  # fmt: skip
    undos = (CallKind.UNDO, call.step)
    most = 1 + record.interruptions[undos] + record.failures[undos] + record.renewals
    earlier = sum(entry.end not in _CAME_TO_NOTHING for entry in ledger.undos.get(key, ()))
    demand(earlier < most, 5, f"{call}: {earlier} undos before, {most} are accounted for in all")


def _is_behind(step: Step, *, plan_compensates: bool) -> bool:
    """Tell whether undo is through with a step."""
    return not plan_compensates or step.state in _UNDONE_OR_STUCK or step.effect is not Effect.LANDED
