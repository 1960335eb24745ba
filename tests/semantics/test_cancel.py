"""Cancel: from every state, repeated, while a step runs; a running step is never moved from outside."""

import threading

import pytest

import active_workflow as aw
from tests.semantics.until import until


def undone(log, name):
    return aw.task(lambda ctx: {name: 1}, compensate=lambda ctx, result: log.append((name, result)))


def test_before_anything_has_run(engine, log):
    class Flow(aw.Workflow):
        one = undone(log, "one")

    execution = Flow.start()
    assert execution.cancel("changed my mind") is True
    execution = engine.run(execution)

    assert execution.state == "cancelled"
    assert execution.cancelled_at == engine.clock()
    assert execution.completed_at == execution.cancelled_at
    assert execution.steps["one"].state == "cancelled"
    assert execution.steps["one"].attempts == 0
    assert "changed my mind" in execution.error.message
    assert log == []


def test_while_waiting_for_a_signal(engine, log):
    class Flow(aw.Workflow):
        one = undone(log, "one")
        two = undone(log, "two")
        approval = aw.wait_for_signal(timeout="1h")
        never = undone(log, "never")

    execution = engine.run(Flow.start())
    assert execution.state == "waiting"
    assert aw.cancel(execution.id, reason="user_aborted") is True
    engine.run(execution)

    assert execution.state == "cancelled"
    assert log == [("two", {"two": 1}), ("one", {"one": 1})]
    assert execution.steps["approval"].state == "cancelled"
    assert execution.steps["never"].state == "cancelled"
    engine.after("2h", execution)  # its timeout is cleared
    assert execution.state == "cancelled"
    assert execution.steps["approval"].timeout_at is None


def test_while_sleeping(engine, log):
    class Flow(aw.Workflow):
        one = undone(log, "one")
        pause = aw.sleep("1h")

    execution = engine.run(Flow.start())
    assert execution.cancel() is True

    assert engine.run(execution).state == "cancelled"
    assert log == [("one", {"one": 1})]


def test_in_a_retry_delay(engine, log):
    class Flow(aw.Workflow):
        one = undone(log, "one")

        @aw.step(retry=aw.Retry(max=5, first_delay="1h"))
        def two(self):
            log.append("tried")
            raise ValueError

    execution = engine.run(Flow.start())
    assert execution.cancel() is True
    engine.run(execution)
    engine.after("2h", execution)

    assert execution.state == "cancelled"
    assert log == ["tried", ("one", {"one": 1})]
    assert execution.steps["two"].state == "cancelled"


def test_while_an_external_step_waits_it_is_undone_with_its_first_return(engine, log):
    class Fulfil(aw.Task, external=True, timeout="1h"):
        def call(self, ctx):
            return {"job": 7, "correlation_id": "c"}

        def compensate(self, ctx, result):
            log.append(result)

    class Flow(aw.Workflow):
        fulfil = aw.task(Fulfil)

    execution = engine.run(Flow.start())
    assert execution.state == "waiting"
    assert execution.cancel() is True
    assert execution.complete_step("fulfil", {"late": True}) is False
    engine.run(execution)

    assert execution.state == "cancelled"
    assert log == [{"job": 7}]
    assert execution.steps["fulfil"].state == "compensated"


def test_while_a_step_runs_it_ends_first_and_is_undone(live, gate, log):
    class Flow(aw.Workflow):
        @aw.step
        def charge(self):
            gate.enter()
            log.append("charged")
            return {"charge": 7}

        @charge.compensate
        def refund(self, result):
            log.append(("refunded", result))

        never = aw.task(lambda ctx: log.append("never"))

    execution = Flow.start()
    gate.wait_entered()
    assert execution.cancel() is True
    assert execution.cancel() is True
    found = execution.refresh()
    assert found.steps["charge"].state == "running"
    assert found.state == "running"  # undo begins when it has reported
    assert found.cancel_requested_at is not None
    gate.open()

    assert execution.wait(20).state == "cancelled"
    assert log == ["charged", ("refunded", {"charge": 7})]


def test_while_a_step_runs_that_then_fails(live, gate, log):
    class Flow(aw.Workflow):
        one = undone(log, "one")

        @aw.step(retry=aw.Retry(max=5, first_delay=0))
        def two(self):
            log.append("two")
            gate.enter()
            raise ValueError

        @two.compensate
        def undo_two(self):
            log.append("never: it is known to have failed")

    execution = Flow.start()
    gate.wait_entered()
    assert execution.cancel() is True
    gate.open()

    assert execution.wait(20).state == "cancelled"
    assert log == ["two", ("one", {"one": 1})]


def test_while_an_async_step_runs(live, log):
    begun = threading.Event()
    go_on = threading.Event()

    class Flow(aw.Workflow):
        @aw.step
        async def one(self):
            import asyncio  # noqa: PLC0415 - a step's own

            begun.set()
            await asyncio.to_thread(go_on.wait, 20)
            return {"one": 1}

        @one.compensate
        async def undo_one(self, result):
            log.append(result)

    execution = Flow.start()
    assert begun.wait(20)
    assert execution.cancel() is True
    go_on.set()

    assert execution.wait(20).state == "cancelled"
    assert log == [{"one": 1}]


def test_when_it_is_over(engine, log):
    class Flow(aw.Workflow):
        one = undone(log, "one")

    class Fails(aw.Workflow):
        one = aw.task(lambda ctx: 1 / 0)

    for flow, state in ((Flow, "completed"), (Fails, "failed")):
        execution = engine.run(flow.start())
        assert execution.cancel() is False
        assert engine.run(execution).state == state
    assert log == []


def test_the_first_reason_stays(engine, log):
    class Flow(aw.Workflow):
        one = undone(log, "one")
        pause = aw.sleep("1h")

    execution = engine.run(Flow.start())
    assert execution.cancel("first") is True
    assert execution.cancel("second") is True
    engine.run(execution)
    assert "first" in execution.error.message
    assert log == [("one", {"one": 1})]


def test_repeats_answer_true_until_it_is_over(engine, log):
    class Flow(aw.Workflow):
        one = undone(log, "one")
        pause = aw.sleep("1h")

    execution = engine.run(Flow.start())
    assert [execution.cancel() for _ in range(3)] == [True] * 3
    assert execution.refresh().state == "compensating"
    engine.run(execution)
    assert execution.state == "cancelled"
    assert execution.cancel() is False


def test_while_it_is_being_undone_for_a_failure_it_still_ends_failed(engine, log):
    class Flow(aw.Workflow):
        one = aw.task(
            lambda ctx: 1,
            compensate=lambda ctx, result: attempt(ctx),
            undo_retry=aw.Retry(max=2, first_delay="1m"),
        )
        last = aw.task(lambda ctx: 1 / 0)

    def attempt(ctx):
        log.append(ctx.attempt)
        if ctx.attempt == 1:
            raise ValueError

    execution = engine.run(Flow.start())
    assert execution.state == "compensating"
    assert execution.cancel() is False
    engine.after("1m", execution)

    assert execution.state == "failed"
    assert log == [1, 2]


def test_while_it_is_paused(engine, log):
    class Flow(aw.Workflow):
        one = undone(log, "one")
        approval = aw.wait_for_signal()

    execution = engine.run(Flow.start())
    assert engine.pause(execution.id) is True
    assert execution.cancel() is True

    assert engine.run(execution).state == "cancelled"
    assert log == [("one", {"one": 1})]


def test_before_its_run_at(engine, log):
    class Flow(aw.Workflow):
        one = undone(log, "one")

    from datetime import timedelta  # noqa: PLC0415 - used here only

    execution = Flow.start({}, run_at=engine.clock() + timedelta(hours=1))
    assert execution.cancel() is True

    assert engine.run(execution).state == "cancelled"


def test_an_undo_is_shielded_from_cancel(live, gate, log):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1, compensate=lambda ctx, result: (gate.enter(), log.append("undone")))
        pause = aw.sleep("1h")

    execution = Flow.start()
    until(lambda: execution.refresh().state == "waiting")
    assert execution.cancel() is True
    gate.wait_entered()
    assert execution.cancel() is True
    gate.open()

    assert execution.wait(20).state == "cancelled"
    assert log == ["undone"]


def test_a_failing_undo_after_cancel(engine, log):
    broken = [True]

    def undo(ctx, result):
        if broken:
            raise ValueError("broken")

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1, compensate=undo)
        pause = aw.sleep("1h")

    execution = engine.run(Flow.start())
    execution.cancel()
    assert engine.run(execution).state == "compensation_failed"
    broken.clear()
    assert aw.retry(execution.id) is True

    assert engine.run(execution).state == "cancelled"


def test_many_callers_at_once(live, gate, log):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1, compensate=lambda ctx: (gate.enter(), log.append("undone")))
        approval = aw.wait_for_signal()

    execution = Flow.start()
    until(lambda: execution.refresh().state == "waiting")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(aw.cancel(execution.id))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gate.open()

    assert execution.wait(20).state == "cancelled"
    assert answers == [True] * 8
    assert log == ["undone"]


def test_an_unknown_execution(engine):
    with pytest.raises(aw.ExecutionNotFound, match="nobody"):
        aw.cancel("nobody")


def test_plan_cancel_says_what_would_be_undone(engine, log):
    class Flow(aw.Workflow):
        one = undone(log, "one")
        two = undone(log, "two")
        pause = aw.sleep("1h")

    execution = engine.run(Flow.start())
    planned = execution.plan_cancel()

    assert [undo.step for undo in planned] == ["two", "one"]
    assert log == []
    assert engine.run(execution).state == "waiting"
