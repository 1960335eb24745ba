"""Calls: whatever user code does comes out as one event, and nothing escapes."""

import asyncio
import inspect

import pytest

import active_workflow as aw
from active_workflow.core.events import (
    CodeMissing,
    Decided,
    DecideFailed,
    Failed,
    NotCalled,
    Returned,
    Skipped,
    Started,
    Verified,
    VerifyFailed,
)
from active_workflow.core.machine import apply
from active_workflow.core.snapshot import Execution
from active_workflow.dsl import registry
from active_workflow.engine.call import Call, CallKind, Tenure
from active_workflow.engine.calls import Caller
from active_workflow.store.serializer import JsonSerializer

NOW = 1_000_000


class Fix:
    """A caller whose clock and chance are fixed, and executions of a workflow to call steps of."""

    def __init__(self):
        self.awaited = []
        self.caller = Caller(
            program_of=lambda plan: registry.find(plan.workflow),
            serializer=JsonSerializer(),
            now=lambda: NOW,
            roll=lambda: 0.25,
            wait_for=self._wait_for,
        )

    def _wait_for(self, awaitable):
        self.awaited.append(awaitable)

        async def awaited():
            return await awaitable

        return asyncio.run(awaited())

    def call(self, workflow, step="work", kind=CallKind.RUN, *, ctx=None, attempt=1, tenure=None, start=True):
        plan = registry.find(workflow.__name__).plan
        values = {key: JsonSerializer().dump(value) for key, value in (ctx or {}).items()}
        x = Execution(
            id="x", plan=plan, input=values, ctx=values, input_hash="", created_at=0, run_at=0, revision=1
        )
        if start and kind is CallKind.RUN:
            x = apply(x, Started(step), NOW)
        call = Call(x, kind, step, attempt, *([] if tenure is None else [tenure]))
        if self.caller.is_async(call):
            return asyncio.run(self.caller.call_async(call)).event
        report = self.caller.call(call)
        assert report.over
        return report.event


@pytest.fixture
def fix():
    return Fix()


def flow(function, **options):
    class CalledFlow(aw.Workflow):
        work = aw.task(function, **options)

    return CalledFlow


def test_a_return_with_its_patch(fix):
    def work(ctx):
        ctx.n += 1
        del ctx.gone
        return {"new": [1]}

    event = fix.call(flow(work), ctx={"n": 1, "gone": 2, "kept": 3})

    assert event == Returned("work", 1, '{"new":[1]}', {"n": "2", "new": "[1]", "gone": None})


@pytest.mark.parametrize(("value", "text"), [(None, None), (0, "0"), ("", '""'), ([1], "[1]")])
def test_a_value_that_is_no_mapping(fix, value, text):
    assert fix.call(flow(lambda ctx: value)) == Returned("work", 1, text, {})


def test_an_error_with_its_roll(fix):
    event = fix.call(flow(lambda ctx: 1 / 0))

    assert isinstance(event, Failed)
    assert event.error.type == "ZeroDivisionError"
    assert "builtins.ArithmeticError" in event.error.names
    assert event.roll == 0.25
    assert not event.returned
    assert not event.undo


def test_a_result_that_can_t_be_stored_has_returned(fix):
    for function in (lambda ctx: {"bad": object()}, lambda ctx: object(), lambda ctx: {1: 2}):
        event = fix.call(flow(function))
        assert isinstance(event, Failed)
        assert event.returned
        assert event.error.type == "SerializationError"


def test_awaitables_that_a_def_returns_are_awaited_on_the_loop(fix):
    async def later():
        return {"n": 1}

    event = fix.call(flow(lambda ctx: later()))

    assert event == Returned("work", 1, '{"n":1}', {"n": "1"})
    assert len(fix.awaited) == 1
    assert inspect.iscoroutine(fix.awaited[0])


def test_conditions_are_asked_in_the_attempt(fix):
    asked = []

    def wanted(ctx):
        asked.append(ctx.step_name)
        return ctx.n == 1

    assert isinstance(fix.call(flow(lambda ctx: 1, when=wanted), ctx={"n": 1}), Returned)
    assert fix.call(flow(lambda ctx: 1, when=wanted), ctx={"n": 2}) == Skipped("work", 1)
    assert fix.call(flow(lambda ctx: 1, unless=wanted), ctx={"n": 1}) == Skipped("work", 1)
    assert asked == ["work"] * 3
    event = fix.call(flow(lambda ctx: 1, when=lambda ctx: 1 / 0))
    assert isinstance(event, Failed)
    assert not event.decided
    event = fix.call(flow(lambda ctx: 1 / 0, when=wanted), ctx={"n": 1})
    assert isinstance(event, Failed)
    assert event.decided


def test_a_call_whose_lease_may_be_over_is_not_made(fix):
    made = []
    event = fix.call(flow(made.append), tenure=Tenure(NOW))
    assert event == NotCalled("work", 1)
    assert made == []
    assert isinstance(fix.call(flow(made.append), tenure=Tenure(NOW + 1)), Returned)

    async def later(ctx):
        made.append(ctx)

    made.clear()
    assert fix.call(flow(later), tenure=Tenure(NOW)) == NotCalled("work", 1)
    assert made == []


def test_code_that_is_gone_is_said_so(fix):
    class GoneFlow(aw.Workflow):
        work = aw.task(lambda ctx: 1)

    plan = registry.find("GoneFlow").plan

    class GoneFlow(aw.Workflow):  # noqa: F811 - the next release
        other = aw.task(lambda ctx: 1)

    x = Execution(id="x", plan=plan, input={}, ctx={}, input_hash="", created_at=0, run_at=0, revision=1)
    call = Call(apply(x, Started("work"), NOW), CallKind.RUN, "work", 1)
    assert fix.caller.is_async(call) is False
    event = fix.caller.call(call).event
    assert isinstance(event, CodeMissing)
    assert "work" in event.reason


def test_an_external_step_s_correlation_id_is_taken_out(fix):
    event = fix.call(flow(lambda ctx: {"job": 1, "correlation_id": 7}, external=True))

    assert event == Returned("work", 1, '{"job":1}', {"job": "1"}, correlation_id="7")


@pytest.mark.parametrize(
    ("answer", "landed", "result"),
    [
        (aw.Landed({"a": 1}), True, '{"a":1}'),
        (aw.NOT_LANDED, False, None),
        (aw.UNKNOWN, None, None),
        (True, True, None),
        (False, False, None),
        (None, None, None),
    ],
)
def test_verify(fix, answer, landed, result):
    event = fix.call(flow(lambda ctx: 1, verify=lambda ctx: answer), kind=CallKind.VERIFY)

    assert isinstance(event, Verified)
    assert (event.landed, event.result) == (landed, result)
    assert event.patch == ({"a": "1"} if result else {})


@pytest.mark.parametrize("answer", ["yes", 1, {}])
def test_verify_that_answers_nonsense_or_raises(fix, answer):
    assert isinstance(
        fix.call(flow(lambda ctx: 1, verify=lambda ctx: answer), kind=CallKind.VERIFY), VerifyFailed
    )
    assert isinstance(
        fix.call(flow(lambda ctx: 1, verify=lambda ctx: 1 / 0), kind=CallKind.VERIFY), VerifyFailed
    )


def test_an_undo_gets_the_result_and_its_ctx_is_a_patch(fix):
    got = []

    def undo(ctx, result):
        got.append(result)
        ctx.undone = True

    event = fix.call(flow(lambda ctx: 1, compensate=undo), kind=CallKind.UNDO)
    assert event == Returned("work", 1, None, {"undone": "true"}, undo=True)
    assert got == [None]
    event = fix.call(flow(lambda ctx: 1, compensate=lambda ctx: 1 / 0), kind=CallKind.UNDO)
    assert isinstance(event, Failed)
    assert event.undo


def test_decisions_of_waits(fix):
    class DecidedFlow(aw.Workflow):
        work = aw.sleep(until=lambda ctx: ctx.until, when=lambda ctx: ctx.go)

    assert fix.call(DecidedFlow, kind=CallKind.DECIDE, ctx={"go": False}) == Decided("work", go=False)
    event = fix.call(DecidedFlow, kind=CallKind.DECIDE, ctx={"go": True, "until": 5})
    assert event == Decided("work", go=True, until=NOW + 5_000_000)
    event = fix.call(DecidedFlow, kind=CallKind.DECIDE, ctx={"go": True, "until": "soon"})
    assert isinstance(event, DecideFailed)
    assert event.roll == 0.25


def test_after_a_call_no_step_runs_here_any_more(fix):
    fix.call(flow(lambda ctx: aw.current()))
    with pytest.raises(aw.MisuseError):
        aw.current()
