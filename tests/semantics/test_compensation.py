"""Undo: what is undone, in which order, with what, and what happens when undoing fails."""

import pytest

import active_workflow as aw
from tests.semantics.until import until


def step_with_undo(log, name, undo_fails=lambda attempt: False, **options):
    def do(ctx):
        log.append(name)
        return {name: 1}

    def undo(ctx, result):
        log.append(("undo", name, ctx.attempt))
        if undo_fails(ctx.attempt):
            raise ValueError(f"can't undo {name}")

    return aw.task(do, compensate=undo, **options)


def fail(ctx):
    raise aw.NonRetryable("no")


def test_undo_goes_in_reverse_order_of_completion(engine, log):
    class Flow(aw.Workflow):
        one = step_with_undo(log, "one")
        two = step_with_undo(log, "two")
        three = step_with_undo(log, "three")
        last = aw.task(fail, compensate=lambda ctx, result: log.append("never"))
        after = aw.task(lambda ctx: log.append("never"))

    execution = engine.run(Flow.start())

    assert log == ["one", "two", "three", ("undo", "three", 1), ("undo", "two", 1), ("undo", "one", 1)]
    assert execution.state == "failed"
    assert {name: step.state.value for name, step in execution.steps.items()} == {
        "one": "compensated",
        "two": "compensated",
        "three": "compensated",
        "last": "failed",
        "after": "cancelled",
    }
    assert execution.error.step == "last"
    assert execution.completed_at is not None


def test_steps_without_undo_are_passed_by(engine, log):
    class Flow(aw.Workflow):
        one = step_with_undo(log, "one")
        two = aw.task(lambda ctx: log.append("two"), no_undo="only logs")
        last = aw.task(fail)

    execution = engine.run(Flow.start())

    assert log == ["one", "two", ("undo", "one", 1)]
    assert execution.steps["two"].state == "completed"
    assert execution.state == "failed"


@pytest.mark.parametrize("result", [None, 0, "", {"id": 7}, [1, 2]])
def test_the_result_is_passed_as_it_was_returned(engine, log, result):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: result, compensate=lambda ctx, result: log.append(result))
        last = aw.task(fail)

    engine.run(Flow.start())

    assert log == [result]


def test_an_undo_may_take_ctx_alone_and_sees_what_is_recorded_by_then(engine, log):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: {"n": 1}, compensate=lambda ctx: log.append(dict(ctx)))

        @aw.step
        def two(self):
            self.ctx.n += 1

        @two.compensate
        def undo_two(self):
            log.append(dict(self.ctx))
            self.ctx.undone = "two"

        last = aw.task(fail)

    execution = engine.run(Flow.start())

    assert log == [{"n": 2}, {"n": 2, "undone": "two"}]
    assert dict(execution.ctx) == {"n": 2, "undone": "two"}


def test_an_async_undo_in_threads(live, log):
    class Flow(aw.Workflow):
        @aw.step
        async def one(self):
            return {"n": 1}

        @one.compensate
        async def undo_one(self, result):
            log.append(result)

        last = aw.task(fail)

    assert Flow.start().wait(20).state == "failed"
    assert log == [{"n": 1}]


def test_an_undo_is_tried_again_by_the_step_s_policy(engine, log):
    class Flow(aw.Workflow):
        one = step_with_undo(
            log, "one", lambda attempt: attempt < 3, retry=aw.Retry(max=3, backoff="fixed", delay="1s")
        )
        last = aw.task(fail)

    execution = Flow.start()
    engine.run(execution)
    assert execution.state == "compensating"
    assert execution.steps["one"].state == "compensating"
    assert execution.steps["one"].retry_at is not None
    engine.after("1s")
    engine.after("1s", execution)

    assert log == ["one", ("undo", "one", 1), ("undo", "one", 2), ("undo", "one", 3)]
    assert execution.state == "failed"


def test_undo_retry_takes_the_place_of_the_step_s_policy(engine, log):
    class Flow(aw.Workflow):
        one = step_with_undo(
            log,
            "one",
            lambda attempt: attempt < 2,
            undo_retry=aw.Retry(max=2, backoff="fixed", delay="5s"),
        )
        last = aw.task(fail)

    execution = Flow.start()
    engine.run()
    engine.after("4s")
    assert log == ["one", ("undo", "one", 1)]
    engine.after("1s", execution)
    assert execution.state == "failed"
    assert log[-1] == ("undo", "one", 2)


def broken_undo(log, broken):
    class Flow(aw.Workflow):
        one = step_with_undo(log, "one")
        two = step_with_undo(log, "two", lambda attempt: bool(broken))
        three = step_with_undo(log, "three")
        last = aw.task(fail)

    return Flow


UNDONE = [("undo", "three", 1), ("undo", "two", 1), ("undo", "one", 1)]


def test_a_failing_undo_stops_none_of_the_others(engine, log):
    execution = engine.run(broken_undo(log, [True]).start())

    assert log[3:] == UNDONE
    assert execution.state == "compensation_failed"
    assert not execution.state.terminal
    assert execution.steps["two"].state == "compensation_failed"
    assert execution.steps["two"].error.message == "can't undo two"
    assert execution.steps["one"].state == "compensated"
    assert execution.error.message == "no"  # why it failed in the first place
    assert execution.wait(1).state == "compensation_failed"
    with pytest.raises(aw.ExecutionFailed) as caught:
        execution.wait(1, check=True)
    assert caught.value.execution is execution


def test_retry_tries_the_failed_undo_again(engine, log):
    broken = [True]
    execution = engine.run(broken_undo(log, broken).start())
    assert engine.retry(execution.id) is True
    engine.run(execution)
    assert execution.state == "compensation_failed"
    assert log[6:] == [("undo", "two", 2)]

    broken.clear()
    assert aw.retry(execution.id) is True
    assert engine.run(execution).state == "failed"
    assert log[6:] == [("undo", "two", 2), ("undo", "two", 3)]
    assert aw.retry(execution.id) is False


def test_resolve_takes_a_failed_undo_as_done_by_hand(engine, log):
    execution = engine.run(broken_undo(log, [True]).start())

    assert aw.resolve(execution.id, "two", undone=True) is True
    engine.run(execution)
    assert execution.state == "failed"
    assert execution.steps["two"].state == "compensated"
    assert aw.resolve(execution.id, "two", undone=True) is False
    with pytest.raises(aw.IllegalMove):
        aw.resolve(execution.id, "last", undone=True)


def test_the_failing_step_is_undone_only_if_it_may_have_had_an_effect(engine, log):
    def attempted(ctx):
        raise aw.NonRetryable("no")

    for compensate_on, expected in (("completed", []), ("attempted", [None])):
        log.clear()

        class Flow(aw.Workflow):
            one = aw.task(
                attempted, compensate=lambda ctx, result: log.append(result), compensate_on=compensate_on
            )

        execution = engine.run(Flow.start())
        assert execution.state == "failed"
        assert log == expected


def test_a_failing_step_lets_its_parallel_siblings_end_and_undoes_them(live, gate, log):
    class Flow(aw.Workflow):
        with aw.parallel():
            slow = aw.task(
                lambda ctx: (gate.enter(), {"slow": 1})[1],
                compensate=lambda ctx, result: log.append(("undo slow", result)),
            )
            quick = aw.task(lambda ctx: quick_fails())
        never = aw.task(lambda ctx: log.append("never"))

    def quick_fails():
        raise aw.NonRetryable("quick failed")

    execution = Flow.start()
    gate.wait_entered()
    until(lambda: execution.refresh().steps["quick"].state == "failed")
    assert not execution.state.terminal
    assert execution.steps["slow"].state == "running"  # it is never moved from outside
    assert log == []
    gate.open()

    assert execution.wait(20).state == "failed"
    assert log == [("undo slow", {"slow": 1})]
    assert execution.error.message == "quick failed"


def test_of_parallel_siblings_that_both_fail_the_first_is_the_error(engine, log):
    class Flow(aw.Workflow):
        zero = step_with_undo(log, "zero")
        with aw.parallel():
            left = aw.task(fail)
            right = aw.task(fail)

    execution = engine.run(Flow.start())

    assert execution.state == "failed"
    assert log == ["zero", ("undo", "zero", 1)]
    assert execution.error.step in ("left", "right")


def test_undo_of_parallel_steps_is_one_at_a_time_in_reverse_of_recording(live, log):
    class Flow(aw.Workflow):
        with aw.parallel():
            a = step_with_undo(log, "a")
            b = step_with_undo(log, "b")
            c = step_with_undo(log, "c")
        last = aw.task(fail)

    for _ in range(5):
        log.clear()
        execution = Flow.start().wait(20)
        recorded = sorted(
            execution.steps.values(), key=lambda s: live.load(execution.id).steps[s.name].seq or 0
        )
        order = [s.name for s in recorded if s.state == "compensated"]
        undone = [entry[1] for entry in log if isinstance(entry, tuple)]
        assert undone == order[::-1]


def test_an_undo_whose_ctx_can_t_be_recorded_is_undone_all_the_same(engine, log):
    def undo(ctx, result):
        log.append("undone")
        ctx.bad = object()

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1, compensate=undo)
        last = aw.task(fail)

    execution = engine.run(Flow.start())

    assert execution.state == "failed"
    assert execution.steps["one"].state == "compensated"
    assert log == ["undone"]


def test_an_undo_raising_non_retryable_is_not_tried_again(engine, log):
    def undo(ctx, result):
        log.append("tried")
        raise aw.NonRetryable("gone")

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1, compensate=undo, undo_retry=aw.Retry(max=5, first_delay=1))
        last = aw.task(fail)

    execution = Flow.start()
    engine.run()
    engine.after("1h", execution)

    assert execution.state == "compensation_failed"
    assert log == ["tried"]


def test_a_flow_timeout_does_not_cut_an_undo_short(engine, log):
    class Flow(aw.Workflow, timeout="10s"):
        one = step_with_undo(
            log, "one", lambda attempt: attempt < 3, undo_retry=aw.Retry(max=3, backoff="fixed", delay="20s")
        )
        last = aw.task(fail)

    execution = Flow.start()
    engine.run()
    engine.after("20s")
    engine.after("20s", execution)

    assert execution.state == "failed"
    assert execution.error.type == "NonRetryable"
    assert log[-1] == ("undo", "one", 3)


def test_an_external_undo_waits_for_its_completion(engine, log):
    class Refund(aw.Task):
        def call(self, ctx):
            return {"paid": 1}

    class Flow(aw.Workflow):
        @aw.step
        def pay(self):
            return {"paid": 1}

        @pay.compensate(external=True, timeout="1h")
        def refund(self, result):
            log.append(result)

        last = aw.task(fail)

    execution = engine.run(Flow.start())
    assert execution.state == "compensating"
    assert log == [{"paid": 1}]
    assert execution.complete_step("pay", {"refunded": True}, idempotency_key="k") is True
    assert execution.complete_step("pay", {"refunded": True}, idempotency_key="k") is False
    engine.run(execution)

    assert execution.state == "failed"
    assert execution.steps["pay"].state == "compensated"


def test_an_external_undo_that_nobody_completes_fails(engine):
    class Flow(aw.Workflow):
        @aw.step
        def pay(self):
            return {"paid": 1}

        @pay.compensate(external=True, timeout="1h")
        def refund(self, result):
            pass

        last = aw.task(fail)

    execution = engine.run(Flow.start())
    engine.after("1h", execution)

    assert execution.state == "compensation_failed"
    assert execution.steps["pay"].error.type == "TimeoutError"
