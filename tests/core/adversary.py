"""Everything that may befall an execution at one moment, likely or not, as events to pick from."""

from collections.abc import Iterator

from active_workflow.core import events as ev
from active_workflow.core.attempts import Failure, Run
from active_workflow.core.commands import Command, Compensate, Decide, RunStep, Verify
from active_workflow.core.plan import StepPlan
from active_workflow.core.ready import due_at, next_commands
from active_workflow.core.snapshot import Execution, Step

ERRORS = (
    Failure("Boom", "it broke", ("app.Boom", "builtins.Exception")),
    Failure("Final", "no use", ("app.Final",), retryable=False),
    Failure("Later", "not now", ("app.Boom",), retry_after=7),
)
PATCHES: tuple[dict[str, str | None], ...] = ({}, {}, {}, {"shared": "1"}, {"shared": "2"}, {"who": None})


def likely(x: Execution, now: int, pick: int) -> list[ev.Event]:
    """What a healthy runner and partner do next."""
    commands = next_commands(x, now)
    found = [event for command in commands for event in _obeyed(x, command, pick)]
    for step in x.steps.values():
        if step.run.running:
            found.append(_returned(step.name, step.run, pick))
        if step.undo.running:
            found.append(ev.Returned(step.name, step.undo.attempts, None, _undo_patch(pick), undo=True))
    due = due_at(x)
    if due is not None and due <= now:
        found.append(ev.Wake())
    return found


def _undo_patch(pick: int) -> dict[str, str | None]:
    return {"undone": str(pick)} if pick % 3 == 0 else {}


def _obeyed(x: Execution, command: Command, pick: int) -> Iterator[ev.Event]:
    match command:
        case RunStep(name):
            yield ev.Started(name, attempt=x.step(name).run.attempts + 1)
        case Compensate(name):
            yield ev.Started(name, undo=True, attempt=x.step(name).undo.attempts + 1)
        case Verify(name):
            run = x.step(name).run
            answer = (True, False, None)[pick % 3]
            yield ev.Verified(name, run.attempts, answer, "7", PATCHES[pick % len(PATCHES)])
            yield ev.VerifyFailed(name, run.attempts, ERRORS[pick % 3], doubts=run.doubts)
        case Decide(name):
            yield ev.Decided(name, go=pick % 3 > 0)
            yield ev.DecideFailed(name, ERRORS[1])


def _returned(name: str, run: Run, pick: int) -> ev.Returned:
    return ev.Returned(
        name, run.attempts, str(pick), PATCHES[pick % len(PATCHES)], "corr" if pick % 2 else None
    )


def troubles(x: Execution, pick: int) -> list[ev.Event]:
    """How what runs now may end other than well."""
    found: list[ev.Event] = []
    for step in x.steps.values():
        name, error = step.name, ERRORS[pick % 3]
        for run, undo in ((step.run, False), (step.undo, True)):
            if run.running or run.lingering is not None:
                attempt = run.attempts if run.running else run.lingering or 0
                stopped = pick % 2 == 0
                found += [
                    ev.Failed(name, attempt, error, undo=undo, decided=not stopped),
                    ev.RanOut(name, attempt, stopped=stopped, undo=undo, decided=stopped),
                    ev.WorkerLost(frozenset({(name, undo, attempt)})),
                    ev.NotCalled(name, attempt, undo=undo),
                    ev.Failed(name, attempt, error, returned=True, undo=undo),
                    ev.Completed(name, str(pick % 2), f"key{pick % 3}"),
                    ev.Rejected(name, error, f"no{pick}"),
                    ev.Returned(name, attempt, str(pick), {}, undo=undo),
                ]
                if not undo:
                    found.append(ev.Skipped(name, attempt))
    return found


def unlikely(x: Execution, pick: int) -> list[ev.Event]:
    """What goes wrong: reports of any attempt, late or made up; outsiders and operators at any moment."""
    events: list[ev.Event] = [
        ev.WorkerLost(),
        ev.CancelRequested(),
        ev.Paused(),
        ev.Resumed(),
        ev.RetryRequested(),
        ev.CodeMissing("not here"),
        ev.CodeFound(),
        ev.Wake(),
    ]
    for plan in x.plan.steps:
        step = x.step(plan.name)
        events += _reports(step, step.run, pick, undo=False)
        events += _reports(step, step.undo, pick, undo=True)
        events += _about(plan, step, pick)
    return events


def _reports(step: Step, run: Run, pick: int, *, undo: bool) -> Iterator[ev.Event]:
    name, error = step.name, ERRORS[pick % 3]
    yield ev.Started(name, undo=undo)
    for attempt in {run.attempts, run.lingering or 0, run.attempts + pick % 2}:
        yield ev.Returned(name, attempt, str(pick), {} if undo else PATCHES[pick % len(PATCHES)], undo=undo)
        yield ev.Failed(name, attempt, error, undo=undo)
        yield ev.Failed(name, attempt, error, returned=True, undo=undo)
        yield ev.RanOut(name, attempt, stopped=False, undo=undo)
        yield ev.RanOut(name, attempt, stopped=True, undo=undo)
        yield ev.NotCalled(name, attempt, undo=undo)
        if not undo:
            yield ev.Skipped(name, attempt)
            yield ev.Verified(name, attempt, (True, False, None)[pick % 3], "7")
            yield ev.VerifyFailed(name, attempt, error, doubts=run.doubts)


def _about(plan: StepPlan, step: Step, pick: int) -> Iterator[ev.Event]:
    name = plan.name
    if not plan.kind.calls:
        yield ev.Decided(name, go=pick % 2 == 0)
        yield ev.DecideFailed(name, ERRORS[pick % 3])
    for told in plan.signals:
        yield ev.Signalled(told, str(pick), f"key{pick}")
    if plan.kind.calls:
        yield ev.Completed(name, str(pick % 2), f"key{pick % 3}", step.correlation_id if pick % 2 else None)
    yield ev.Rejected(name, ERRORS[pick % 3], f"no{pick}")
    yield ev.Extended(name, 5)
    yield ev.Resolved(name, landed=True, result="9", patch={"by_hand": "1"})
    yield ev.Resolved(name, landed=False)
    yield ev.Resolved(name, skip=True)
    yield ev.Resolved(name, undone=True)
