"""Retries: how many attempts, how long between them, and for which errors."""

from datetime import timedelta

import pytest

import active_workflow as aw


class RateLimited(Exception):
    pass


class Busy(RateLimited):
    pass


def failing(log, clock, error=lambda attempt: ValueError(f"no {attempt}"), until=None, **options):
    """A workflow whose one step notes when it was called, and fails until an attempt."""

    class Flow(aw.Workflow):
        @aw.task(**options)
        @staticmethod
        def work(ctx):
            log.append((ctx.attempt, clock() - start))
            if until is None or ctx.attempt < until:
                raise error(ctx.attempt)
            return {"done": ctx.attempt}

    start = clock()
    return Flow


def seconds(log):
    return [delay.total_seconds() for _, delay in log]


def pass_time(engine, execution, total, step="100ms"):
    """Let time pass in small steps, running what is due."""
    micros = timedelta(seconds=total)
    end = engine.clock.now + micros
    engine.run()
    while engine.clock.now < end:
        engine.after(step)
    return execution.refresh()


def test_without_any_retry_there_is_one_attempt(engine, log):
    execution = pass_time(engine, failing(log, engine.clock).start(), 10, "1s")

    assert execution.state == "failed"
    assert len(log) == 1
    assert execution.error.type == "ValueError"
    assert execution.error.message == "no 1"
    assert execution.error.step == "work"
    assert "raise error" in execution.error.traceback


def test_max_counts_the_first_attempt_and_exponential_doubles(engine, log):
    flow = failing(log, engine.clock, retry=aw.Retry(max=4, backoff="exponential", first_delay="1s"))
    execution = pass_time(engine, flow.start(), 20)

    assert seconds(log) == [0, 1, 3, 7]
    assert execution.state == "failed"
    assert execution.steps["work"].attempts == 4
    assert execution.error.message == "no 4"


def test_fixed_waits_the_same_each_time(engine, log):
    flow = failing(log, engine.clock, retry=aw.Retry(max=4, backoff="fixed", delay="2s"))
    pass_time(engine, flow.start(), 20)

    assert seconds(log) == [0, 2, 4, 6]


def test_fixed_with_another_first_delay(engine, log):
    flow = failing(log, engine.clock, retry=aw.Retry(max=4, backoff="fixed", first_delay="1s", delay="3s"))
    pass_time(engine, flow.start(), 20)

    assert seconds(log) == [0, 1, 4, 7]


def test_max_delay_caps(engine, log):
    flow = failing(log, engine.clock, retry=aw.Retry(max=5, first_delay="1s", max_delay="2s"))
    pass_time(engine, flow.start(), 20)

    assert seconds(log) == [0, 1, 3, 5, 7]


def test_success_ends_it_and_the_step_shows_the_attempts(engine, log):
    flow = failing(log, engine.clock, until=3, retry=aw.Retry(max=5, first_delay=1))
    execution = pass_time(engine, flow.start(), 20, "1s")

    assert execution.state == "completed"
    assert execution.ctx.done == 3
    assert execution.steps["work"].attempts == 3


def test_between_attempts_it_waits_and_says_until_when(engine, log):
    execution = engine.run(failing(log, engine.clock, retry=aw.Retry(max=2, first_delay="10s")).start())

    step = execution.steps["work"]
    assert execution.state == "waiting"
    assert step.state == "pending"
    assert step.attempts == 1
    assert step.error.message == "no 1"
    assert step.retry_at == engine.clock() + timedelta(seconds=10)
    engine.after("9.9s")
    assert len(log) == 1
    engine.after("100ms", execution)
    assert len(log) == 2


def test_max_none_is_without_end(engine, log):
    flow = failing(log, engine.clock, retry=aw.Retry(max=None, backoff="fixed", delay=1))
    execution = pass_time(engine, flow.start(), 50, "1s")

    assert len(log) == 51
    assert execution.state == "waiting"


def test_jitter_spreads_within_half_and_one_and_a_half(engine, log):
    flow = failing(log, engine.clock, retry=aw.Retry(max=2, first_delay="10s", jitter=True))
    executions = [flow.start() for _ in range(40)]
    engine.run(*executions)

    delays = {(x.steps["work"].retry_at - engine.clock()).total_seconds() for x in executions}
    assert all(5 <= delay <= 15 for delay in delays)
    assert len(delays) > 30
    assert max(delays) - min(delays) > 4


def test_on_takes_subclasses_and_nothing_else(engine, log):
    flow = failing(
        log, engine.clock, error=lambda attempt: Busy() if attempt < 3 else KeyError("other"),
        retry=aw.Retry(max=5, backoff="fixed", delay=1, on=RateLimited),
    )  # fmt: skip
    execution = pass_time(engine, flow.start(), 10, "1s")

    assert len(log) == 3
    assert execution.error.type == "KeyError"


def test_the_first_policy_that_matches(engine, log):
    flow = failing(
        log,
        engine.clock,
        error=lambda attempt: Busy() if attempt == 1 else ValueError(),
        retry=[
            aw.Retry(on=RateLimited, max=10, backoff="fixed", delay="5s"),
            aw.Retry(max=3, backoff="fixed", delay="1s"),
        ],
    )
    pass_time(engine, flow.start(), 20)

    assert seconds(log) == [0, 5, 6]


def test_non_retryable_ends_it_at_once(engine, log):
    flow = failing(
        log, engine.clock, error=lambda _: aw.NonRetryable("declined"), retry=aw.Retry(max=5, first_delay=1)
    )
    execution = pass_time(engine, flow.start(), 10, "1s")

    assert len(log) == 1
    assert (execution.error.type, execution.error.message) == ("NonRetryable", "declined")


def test_retry_after_replaces_the_delay_and_max_still_counts(engine, log):
    flow = failing(
        log, engine.clock, error=lambda _: aw.RetryAfter("7s", "busy"), retry=aw.Retry(max=3, first_delay=1)
    )
    execution = pass_time(engine, flow.start(), 60, "1s")

    assert seconds(log) == [0, 7, 14]
    assert execution.state == "failed"


def test_retry_after_without_a_policy_is_one_attempt(engine, log):
    execution = pass_time(
        engine, failing(log, engine.clock, error=lambda _: aw.RetryAfter("1s")).start(), 10, "1s"
    )

    assert len(log) == 1
    assert execution.state == "failed"


def test_max_elapsed_bounds_the_whole(engine, log):
    flow = failing(log, engine.clock, retry=aw.Retry(max=None, backoff="fixed", delay="2s", max_elapsed="5s"))
    execution = pass_time(engine, flow.start(), 20)

    assert seconds(log) == [0, 2, 4]
    assert execution.state == "failed"


def test_a_retry_that_is_due_does_not_wait_for_the_others(engine, log):
    slow = failing(log, engine.clock, retry=aw.Retry(max=2, first_delay="1h"))
    engine.run(slow.start())
    quick = failing(log, engine.clock, until=2, retry=aw.Retry(max=2, first_delay="1s")).start()
    engine.run()

    assert engine.after("1s", quick).state == "completed"


@pytest.mark.parametrize("max_", [1, 2, 3])
def test_attempts_never_exceed_max(engine, log, max_):
    execution = pass_time(
        engine,
        failing(log, engine.clock, retry=aw.Retry(max=max_, backoff="fixed", delay=0)).start(),
        5,
        "1s",
    )

    assert len(log) == max_ == execution.steps["work"].attempts


def test_retries_in_real_threads(live, log):
    class Flow(aw.Workflow):
        @aw.step(retry=aw.Retry(max=3, backoff="fixed", delay="10ms"))
        async def work(self):
            if self.ctx.attempt < 3:
                raise ValueError("again")
            return {"done": self.ctx.attempt}

    assert Flow.start().wait(20, check=True).ctx.done == 3
