"""Time that runs out: of a step in a thread or on the loop, of a flow, of a sleep."""

import asyncio
import threading
from datetime import timedelta

import pytest

import active_workflow as aw
from tests.semantics.until import until

# --- The time of a flow, and sleeps ---------------------------------------------------------------------


def test_a_flow_that_runs_out_of_time_is_failed_after_undo(engine, log):
    class Flow(aw.Workflow, timeout="1h"):
        one = aw.task(lambda ctx: 1, compensate=lambda ctx, result: log.append("undone"))
        approval = aw.wait_for_signal()

    execution = engine.run(Flow.start())
    engine.after("59m", execution)
    assert execution.state == "waiting"
    engine.after("1m", execution)

    assert execution.state == "failed"
    assert execution.error.type == "TimeoutError"
    assert execution.error.step is None
    assert log == ["undone"]


def test_the_flow_timeout_counts_from_run_at(engine):
    class Flow(aw.Workflow, timeout="1h"):
        approval = aw.wait_for_signal()

    execution = Flow.start({}, run_at=engine.clock() + timedelta(hours=5))
    engine.after(5.5 * 3600, execution)
    assert execution.state == "waiting"
    engine.after("30m", execution)
    assert execution.state == "failed"


def test_a_sleep_lasts_as_long_as_it_says_and_holds_nothing(engine, log):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: log.append("one"))
        cool_off = aw.sleep("1h")
        two = aw.task(lambda ctx: log.append("two"))

    execution = engine.run(Flow.start())
    assert execution.state == "waiting"
    assert execution.steps["cool_off"].state == "waiting"
    assert execution.steps["cool_off"].timeout_at == engine.clock() + timedelta(hours=1)
    engine.after(3599.999, execution)
    assert log == ["one"]
    engine.after(0.001, execution)

    assert execution.state == "completed"
    assert log == ["one", "two"]


def test_a_sleep_until_an_instant_of_ctx(engine):
    class Flow(aw.Workflow):
        nap = aw.sleep(until=lambda ctx: ctx.due)

    execution = engine.run(Flow.start(due=engine.clock() + timedelta(days=1)))
    engine.after("23h", execution)
    assert execution.state == "waiting"
    assert engine.after("1h", execution).state == "completed"
    assert engine.run(Flow.start(due=engine.clock() - timedelta(days=1))).state == "completed"


@pytest.mark.parametrize("due", ["tomorrow?", None])
def test_a_sleep_until_nonsense_fails(engine, due):
    class Flow(aw.Workflow):
        nap = aw.sleep(until=lambda ctx: ctx.due)

    execution = engine.run(Flow.start(due=due))
    assert execution.state == "failed"
    assert execution.error.step == "nap"


def test_a_sleep_with_a_condition(engine):
    class Flow(aw.Workflow):
        nap = aw.sleep("1h", when=lambda ctx: ctx.tired)
        never = aw.sleep("1h", unless=lambda ctx: not ctx.tired)

    assert engine.run(Flow.start(tired=False)).state == "completed"
    execution = engine.run(Flow.start(tired=True))
    assert execution.state == "waiting"
    engine.after("1h")
    assert engine.after("1h", execution).state == "completed"


def test_a_backlog_of_due_work_after_a_long_downtime(engine, log):
    class Flow(aw.Workflow, timeout="10h"):
        one = aw.sleep("1h")
        two = aw.sleep("1h")
        three = aw.task(lambda ctx: log.append("three"))

    execution = engine.run(Flow.start())
    engine.after("5h", execution)
    assert execution.state == "waiting"  # the second sleep begins when the first is found over
    engine.after("1h", execution)
    assert execution.state == "completed"


def test_timers_that_are_due_together_fire_in_order_of_time(engine):
    class Flow(aw.Workflow, timeout="2h"):
        approval = aw.wait_for_signal(timeout="1h", on_timeout="continue")

    execution = engine.after("5h", engine.run(Flow.start()))
    assert execution.steps["approval"].state == "timed_out"

    class Other(aw.Workflow, timeout="1h"):
        approval = aw.wait_for_signal(timeout="2h", on_timeout="continue")

    execution = engine.after("5h", engine.run(Other.start()))
    assert execution.state == "failed"
    assert execution.steps["approval"].state == "cancelled"


# --- The time of a step in a thread ------------------------------------------------------------------


def thread_flow(gate, log, *, passes=lambda attempt: attempt > 1, fails=False, **options):
    class Flow(aw.Workflow):
        @aw.step(**{"timeout": "50ms", **options})
        def slow(self):
            attempt = self.ctx.attempt
            log.append(("begin", attempt))
            if not passes(attempt):
                gate.enter()
            log.append(("end", attempt))
            return {"slow": attempt}

        @slow.compensate
        def undo_slow(self, result):
            log.append(("undo", result))

        @aw.step
        def last(self):
            if fails:
                raise aw.NonRetryable("no")

    return Flow


def test_the_next_attempt_waits_for_the_thread_and_a_late_return_settles_it(live, gate, log):
    flow = thread_flow(gate, log, abandon_after="1h", retry=aw.Retry(max=3, first_delay=0))
    execution = flow.start()
    gate.wait_entered()
    until(lambda: execution.refresh().steps["slow"].error is not None)
    assert execution.steps["slow"].error.type == "TimeoutError"
    assert log == [("begin", 1)]  # nothing starts beside a thread that may still be at it
    gate.open()

    assert execution.wait(20).state == "completed"
    assert execution.ctx.slow == 1
    assert log == [("begin", 1), ("end", 1)]


def test_after_abandon_after_the_next_attempt_starts_and_the_late_return_is_refused(live, gate, log):
    flow = thread_flow(gate, log, abandon_after="50ms", retry=aw.Retry(max=3, first_delay=0))
    execution = flow.start()
    gate.wait_entered()

    assert execution.wait(20).state == "completed"
    assert execution.ctx.slow == 2
    gate.open()
    until(lambda: ("end", 1) in log)
    assert execution.refresh().ctx.slow == 2
    assert execution.steps["slow"].attempts == 2


def test_without_retry_a_timeout_fails_the_flow_and_the_late_return_is_undone(live, gate, log):
    execution = thread_flow(gate, log, abandon_after="1h").start()
    gate.wait_entered()
    until(lambda: execution.refresh().steps["slow"].state == "timed_out")
    assert execution.error.type == "TimeoutError"
    assert not execution.state.terminal
    gate.open()

    assert execution.wait(20).state == "failed"
    assert log == [("begin", 1), ("end", 1), ("undo", {"slow": 1})]


def test_a_timed_out_attempt_that_is_abandoned_is_settled_by_running_once_more(live, gate, log):
    execution = thread_flow(gate, log, abandon_after="50ms").start()
    gate.wait_entered()

    assert execution.wait(20).state == "failed"
    assert log == [("begin", 1), ("begin", 2), ("end", 2), ("undo", {"slow": 2})]


def test_a_timed_out_step_with_at_most_once_is_in_doubt(live, gate, log):
    execution = thread_flow(gate, log, at_most_once=True, abandon_after="50ms").start()
    gate.wait_entered()
    assert execution.wait(20).state == "blocked"
    assert execution.steps["slow"].state == "in_doubt"
    assert live.resolve(execution.id, "slow", landed=True, result={"slow": 7}) is True

    assert execution.wait(20).state == "completed"
    assert execution.ctx.slow == 7


def test_a_late_return_settles_a_step_in_doubt(live, gate, log):
    execution = thread_flow(gate, log, at_most_once=True, abandon_after="1h").start()
    gate.wait_entered()
    until(lambda: execution.refresh().steps["slow"].state == "in_doubt")
    gate.open()

    assert execution.wait(20).state == "completed"
    assert execution.ctx.slow == 1


def test_a_late_error_counts_once(live, gate, log):
    class Flow(aw.Workflow):
        @aw.step(timeout="50ms", abandon_after="1h", retry=aw.Retry(max=2, first_delay=0))
        def slow(self):
            log.append(self.ctx.attempt)
            if self.ctx.attempt == 1:
                gate.enter()
                raise ValueError("late")
            return {"slow": 2}

    execution = Flow.start()
    gate.wait_entered()
    until(lambda: execution.refresh().steps["slow"].error is not None)
    gate.open()

    assert execution.wait(20).state == "completed"
    assert log == [1, 2]


def test_the_slot_of_a_timed_out_thread_is_kept_and_others_run(live, gate, log):
    execution = thread_flow(gate, log, abandon_after="50ms", retry=aw.Retry(max=2, first_delay=0)).start()
    gate.wait_entered()

    class Quick(aw.Workflow):
        one = aw.task(lambda ctx: None)

    assert all(x.wait(20).state == "completed" for x in Quick.start_many([{}] * 20))
    assert execution.wait(20).state == "completed"


def test_cancel_while_a_timed_out_thread_still_runs_waits_for_it_before_undo(live, gate, log):
    execution = thread_flow(gate, log, abandon_after="1h", retry=aw.Retry(max=3, first_delay=0)).start()
    gate.wait_entered()
    until(lambda: execution.refresh().steps["slow"].error is not None)
    assert execution.cancel() is True
    assert log == [("begin", 1)]
    gate.open()

    assert execution.wait(20).state == "cancelled"
    assert log == [("begin", 1), ("end", 1), ("undo", {"slow": 1})]


# --- The time of a step on the loop --------------------------------------------------------------------


def test_an_async_step_is_cancelled_and_tried_again(live, log):
    class Flow(aw.Workflow):
        @aw.step(timeout="50ms", retry=aw.Retry(max=2, first_delay=0))
        async def slow(self):
            log.append(self.ctx.attempt)
            if self.ctx.attempt == 1:
                try:
                    await asyncio.Event().wait()
                finally:
                    log.append("cancelled")
            return {"slow": self.ctx.attempt}

    execution = Flow.start().wait(20)
    assert execution.state == "completed"
    assert log == [1, "cancelled", 2]


def test_an_async_step_that_lets_nobody_cancel_it_is_left_behind_like_a_thread(live, log):
    ended = asyncio.Event()

    class Flow(aw.Workflow):
        @aw.step(timeout="50ms", abandon_after="50ms", retry=aw.Retry(max=2, first_delay=0))
        async def deaf(self):
            log.append(self.ctx.attempt)
            while self.ctx.attempt == 1 and not ended.is_set():
                try:
                    await ended.wait()
                except asyncio.CancelledError:
                    log.append("ignored")

    execution = Flow.start()
    assert execution.wait(20).state == "completed"
    assert log == [1, "ignored", 2]
    live._host.worker.pool.loop.loop.call_soon_threadsafe(ended.set)
    until(lambda: live._host.worker._scheduler.pace.in_use == 0)


def test_an_async_step_that_runs_out_of_time_fails_the_flow(live, log):
    class Flow(aw.Workflow):
        @aw.step(timeout="50ms", no_undo="reads")
        async def slow(self):
            await asyncio.Event().wait()

    execution = Flow.start().wait(20)
    assert execution.state == "failed"
    assert execution.error.type == "TimeoutError"
    assert execution.steps["slow"].state == "timed_out"


def test_an_async_step_that_raises_cancelled_error_itself_has_an_error(live, log):
    class Flow(aw.Workflow):
        @aw.step
        async def slow(self):
            raise asyncio.CancelledError

    execution = Flow.start().wait(20)
    assert execution.state == "failed"
    assert execution.error.type == "CancelledError"


def test_a_flow_timeout_while_a_step_runs_waits_for_its_end(live, gate, log):
    class Flow(aw.Workflow, timeout="200ms"):
        @aw.step
        def slow(self):
            gate.enter()
            return {"slow": 1}

        @slow.compensate
        def undo_slow(self, result):
            log.append(result)

        never = aw.task(lambda ctx: log.append("never"))

    execution = Flow.start()
    gate.wait_entered()
    until(lambda: execution.refresh().error is not None)
    assert execution.steps["slow"].state == "running"
    gate.open()

    assert execution.wait(20).state == "failed"
    assert execution.error.type == "TimeoutError"
    assert log == [{"slow": 1}]


def test_an_undo_that_runs_out_of_time_is_tried_again(live, gate, log):
    class Flow(aw.Workflow):
        @aw.step(timeout="50ms", abandon_after="50ms", undo_retry=aw.Retry(max=2, first_delay=0))
        def one(self):
            return 1

        @one.compensate
        def undo_one(self):
            log.append(self.ctx.attempt)
            if self.ctx.attempt == 1:
                gate.enter()

        last = aw.task(lambda ctx: 1 / 0)

    execution = Flow.start().wait(20)
    assert execution.state == "failed"
    assert log == [1, 2]


def test_a_thread_of_the_worker_s_loop_lives_on_after_all_that(live):
    class Flow(aw.Workflow):
        @aw.step
        async def one(self):
            return {"thread": threading.current_thread().name}

    assert "loop" in Flow.start().wait(20).ctx.thread
