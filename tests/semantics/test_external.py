"""External steps: completed, failed, extended, alive; early, late, repeated, contradicted."""

from datetime import timedelta

import pytest

import active_workflow as aw
from tests.semantics.until import until


class Fulfil(aw.Task, external=True, timeout="15m"):
    def call(self, ctx):
        calls.append(ctx.attempt)
        return {"job_id": 7, "correlation_id": f"c{ctx.attempt}"}


calls: list[int] = []


@pytest.fixture(autouse=True)
def _fresh():
    calls.clear()


class ExternalFlow(aw.Workflow):
    first = aw.task(lambda ctx: {"first": 1}, compensate=lambda ctx, result: calls.append(-1))
    fulfil = aw.task(Fulfil)
    last = aw.task(lambda ctx: {"got": ctx.fulfil})


@pytest.fixture
def waiting(engine):
    return engine.run(ExternalFlow.start(order=1))


def test_it_waits_and_holds_what_its_call_returned(engine, waiting):
    step = waiting.steps["fulfil"]

    assert waiting.state == "waiting"
    assert step.state == "waiting"
    assert waiting.ctx.job_id == 7
    assert "correlation_id" not in waiting.ctx
    assert step.correlation_id == "c1"
    assert step.waiting_since == engine.clock()
    assert step.timeout_at == engine.clock() + timedelta(minutes=15)


def test_its_completion_goes_to_ctx_under_its_name(engine, waiting):
    assert aw.complete_step(waiting.id, "fulfil", payload={"tracking": "XYZ"}) is True
    assert engine.get(waiting.id).steps["fulfil"].state == "completed"  # durable at once, without a worker
    engine.run(waiting)

    assert waiting.state == "completed"
    assert waiting.ctx.fulfil == {"tracking": "XYZ"}
    assert waiting.ctx.got == {"tracking": "XYZ"}
    assert waiting.ctx.job_id == 7
    assert waiting.steps["fulfil"].result == {"tracking": "XYZ"}
    assert calls == [1]


def test_store_result_as_names_the_key(engine):
    class Other(aw.Workflow):
        fulfil = aw.task(Fulfil, store_result_as="parcel")

    execution = engine.run(Other.start())
    execution.complete_step(Other.fulfil, [1])
    engine.run(execution)

    assert execution.ctx.parcel == [1]
    assert "fulfil" not in execution.ctx
    assert execution.ctx.job_id == 7


def test_a_repeat_answers_false_and_a_contradiction_raises(engine, waiting):
    assert waiting.complete_step("fulfil", {"a": 1}, idempotency_key="e1") is True
    assert waiting.complete_step("fulfil", {"a": 1}, idempotency_key="e1") is False
    with pytest.raises(aw.CompletionConflict):
        waiting.complete_step("fulfil", {"a": 2}, idempotency_key="e1")
    with pytest.raises(aw.CompletionConflict):
        waiting.complete_step("fulfil", {"a": 1}, idempotency_key="e2")
    engine.run(waiting)
    assert waiting.state == "completed"
    assert waiting.complete_step("fulfil", {"a": 1}, idempotency_key="e1") is False
    with pytest.raises(aw.CompletionConflict):
        waiting.complete_step("fulfil", {"a": 2}, idempotency_key="e1")
    assert waiting.refresh().ctx.fulfil == {"a": 1}


def test_on_an_execution_that_goes_no_further_it_answers_false(engine, waiting):
    waiting.cancel()
    assert waiting.complete_step("fulfil", 1) is False
    engine.run(waiting)
    assert waiting.state == "cancelled"
    assert waiting.complete_step("fulfil", 1) is False
    assert waiting.fail_step("fulfil", message="late") is False
    assert waiting.extend_timeout("fulfil", by="1m") is False
    assert waiting.heartbeat("fulfil") is False


def test_before_it_has_begun_a_completion_is_not_taken(engine):
    execution = ExternalFlow.start()
    assert execution.complete_step("fulfil", 1) is False
    engine.run(execution)
    assert execution.state == "waiting"


def test_one_that_comes_while_the_call_still_runs_is_kept_and_used(engine, log):
    class Eager(aw.Task, external=True):
        def call(self, ctx):
            log.append(aw.complete_step(ctx.execution_id, "eager", {"early": True}, idempotency_key="k"))
            log.append(aw.complete_step(ctx.execution_id, "eager", {"early": True}, idempotency_key="k"))
            if ctx.breaks:
                raise ValueError("after all")
            return {"job": 1}

    class Early(aw.Workflow):
        eager = aw.task(Eager)
        last = aw.task(lambda ctx: {"got": ctx.eager})

    for breaks in (False, True):  # it is used even if the call then raises
        log.clear()
        execution = engine.run(Early.start(breaks=breaks))
        assert execution.state == "completed", execution.error
        assert execution.ctx.got == {"early": True}
        assert log == [True, False]
        assert execution.complete_step("eager", {"early": True}, idempotency_key="k") is False


def test_an_early_failure_is_kept_too(engine, log):
    class Eager(aw.Task, external=True):
        def call(self, ctx):
            log.append(aw.fail_step(ctx.execution_id, "eager", error_class="RemoteError", message="no"))
            return {"job": 1}

    class Early(aw.Workflow):
        eager = aw.task(Eager)

    execution = engine.run(Early.start())
    assert log == [True]
    assert execution.state == "failed"
    assert execution.error.type == "RemoteError"


def test_the_correlation_id_must_match_when_given(engine, waiting):
    with pytest.raises(aw.CorrelationMismatch, match="c1"):
        waiting.complete_step("fulfil", 1, correlation_id="other")
    with pytest.raises(aw.CorrelationMismatch):
        waiting.fail_step("fulfil", message="x", correlation_id="other")
    assert waiting.refresh().state == "waiting"
    assert waiting.complete_step("fulfil", 1, correlation_id="c1") is True


def test_an_early_completion_with_a_correlation_id_that_turns_out_wrong_is_not_used(engine, log):
    class Eager(aw.Task, external=True):
        def call(self, ctx):
            log.append(aw.complete_step(ctx.execution_id, "eager", 1, correlation_id=ctx.sent))
            return {"correlation_id": "right"}

    class Early(aw.Workflow):
        eager = aw.task(Eager)

    wrong = engine.run(Early.start(sent="wrong"))
    assert wrong.state == "waiting"
    assert wrong.complete_step("eager", 2, correlation_id="right") is True
    assert engine.run(wrong).ctx.eager == 2
    assert engine.run(Early.start(sent="right")).state == "completed"


def test_fail_step_without_retry_fails_the_flow_and_undoes(engine, waiting):
    assert aw.fail_step(
        waiting.id, "fulfil", error_class="RemoteError", message="vendor", details={"code": 7},
        idempotency_key="e1",
    ) is True  # fmt: skip
    engine.run(waiting)

    assert waiting.state == "failed"
    error = waiting.error
    assert (error.type, error.message, error.step, error.details) == (
        "RemoteError",
        "vendor",
        "fulfil",
        {"code": 7},
    )
    assert calls == [1, -1]
    assert waiting.fail_step("fulfil", message="again", idempotency_key="e1") is False


class ExternalRetried(aw.Workflow):
    fulfil = aw.task(Fulfil, retry=aw.Retry(max=2, backoff="fixed", delay="1m"))


def test_fail_step_follows_the_retry_policy_and_initiates_again(engine):
    execution = engine.run(ExternalRetried.start())
    assert execution.fail_step("fulfil", message="once", idempotency_key="e1") is True
    engine.run(execution)
    assert execution.steps["fulfil"].state == "pending"
    assert calls == [1]
    assert execution.fail_step("fulfil", message="once", idempotency_key="e1") is False
    assert execution.fail_step("fulfil", message="late", idempotency_key="e2") is False  # nothing waits
    engine.after("1m", execution)
    assert calls == [1, 2]
    assert execution.steps["fulfil"].state == "waiting"
    assert execution.steps["fulfil"].correlation_id == "c2"
    assert execution.fail_step("fulfil", message="once", idempotency_key="e1") is False  # remembered
    assert execution.complete_step("fulfil", 1, correlation_id="c2") is True

    assert engine.run(execution).state == "completed"


def test_fail_step_named_in_on_matches_by_name(engine):
    class Named(aw.Workflow):
        fulfil = aw.task(Fulfil, retry=aw.Retry(max=2, backoff="fixed", delay=1, on=TimeoutError))

    execution = engine.run(Named.start())
    assert execution.fail_step("fulfil", error_class="RemoteError") is True
    assert engine.run(execution).state == "failed"


def test_a_completion_in_the_retry_delay_is_taken_and_ends_it(engine):
    execution = engine.run(ExternalRetried.start())
    execution.fail_step("fulfil", message="once")
    assert execution.complete_step("fulfil", {"after": "all"}) is True
    engine.run(execution)

    assert execution.state == "completed"
    assert calls == [1]
    engine.after("2m", execution)
    assert calls == [1]


def test_a_timeout_initiates_again_and_the_last_one_fails_the_flow(engine):
    execution = engine.run(ExternalRetried.start())
    engine.after("15m")
    engine.after("1m", execution)
    assert calls == [1, 2]
    assert execution.steps["fulfil"].timeout_at == engine.clock() + timedelta(minutes=15)
    engine.after("15m", execution)

    assert execution.state == "failed"
    assert execution.steps["fulfil"].state == "timed_out"
    assert execution.error.type == "TimeoutError"
    assert execution.complete_step("fulfil", "late") is False


def test_a_timed_out_step_is_undone_with_its_first_return(engine, log):
    class Undone(Fulfil, external=True, timeout="15m"):
        def compensate(self, ctx, result):
            log.append(result)

    class Other(aw.Workflow):
        fulfil = aw.task(Undone)

    execution = engine.run(Other.start())
    engine.after("15m", execution)

    assert execution.state == "failed"
    assert log == [{"job_id": 7}]


def test_extend_timeout(engine, waiting):
    assert aw.extend_timeout(waiting.id, "fulfil", by="10m") is True
    assert waiting.refresh().steps["fulfil"].timeout_at == engine.clock() + timedelta(minutes=25)
    engine.after("24m", waiting)
    assert waiting.state == "waiting"
    engine.after("1m", waiting)
    assert waiting.state == "failed"


def test_a_heartbeat_shows_and_keeps_it_alive(engine):
    class Alive(aw.Workflow):
        fulfil = aw.task(Fulfil, heartbeat_timeout="1m", timeout=None)

    execution = engine.run(Alive.start())
    for _ in range(5):
        engine.after("50s", execution)
        assert execution.state == "waiting"
        assert aw.heartbeat(execution.id, "fulfil", details={"at": "work"}) is True
    engine.after("59s", execution)
    assert execution.state == "waiting"
    engine.after("1s", execution)
    assert execution.state == "failed"
    assert execution.error.type == "TimeoutError"
    assert aw.heartbeat(execution.id, "fulfil") is False


def test_the_call_raising_is_like_any_step_s_error(engine, log):
    class Breaks(aw.Task, external=True):
        def call(self, ctx):
            log.append(ctx.attempt)
            if ctx.attempt == 1:
                raise ValueError("no answer")
            return {}

    class Other(aw.Workflow):
        breaks = aw.task(Breaks, retry=aw.Retry(max=2, first_delay=1))

    execution = engine.run(Other.start())
    engine.after(1, execution)
    assert execution.state == "waiting"
    assert log == [1, 2]


def test_names_that_the_plan_does_not_have(engine, waiting):
    with pytest.raises(aw.UnknownStep, match="fulfil"):
        waiting.complete_step("fulfill", 1)
    with pytest.raises(aw.UnknownStep, match="fulfil"):
        waiting.complete_step("first", 1)  # it has one, but nobody outside completes it
    with pytest.raises(aw.ExecutionNotFound):
        aw.complete_step("nobody", "fulfil", 1)
    with pytest.raises(aw.ExecutionNotFound):
        aw.complete_step("nobody\x00", "fulfil", 1)


def test_a_payload_that_can_t_be_stored_changes_nothing(engine, waiting):
    with pytest.raises(aw.SerializationError):
        waiting.complete_step("fulfil", object())
    assert waiting.refresh().state == "waiting"


def test_ctx_at_start_may_not_have_its_name(engine):
    with pytest.raises(aw.ActiveWorkflowError, match="fulfil"):
        ExternalFlow.start(fulfil=1)


def test_complete_many(engine):
    executions = [ExternalFlow.start(order=n) for n in range(5)]
    engine.run(*executions)
    items = [
        {"execution_id": x.id, "step": ExternalFlow.fulfil, "payload": n} for n, x in enumerate(executions)
    ]

    assert engine.complete_many(items) == [True] * 5
    assert engine.complete_many(items) == [False] * 5
    engine.run(*executions)
    assert [x.ctx.fulfil for x in executions] == [0, 1, 2, 3, 4]
    assert {x.state.value for x in executions} == {"completed"}


def test_two_parallel_external_steps_complete_in_either_order(engine):
    class Two(aw.Workflow):
        with aw.parallel():
            left = aw.task(Fulfil, store_result_as="l")
            right = aw.task(Fulfil, store_result_as="r")

    execution = engine.run(Two.start())
    assert execution.complete_step("right", 2) is True
    assert engine.run(execution).state == "waiting"
    assert execution.complete_step("left", 1) is True
    engine.run(execution)
    assert (execution.state, execution.ctx.l, execution.ctx.r) == ("completed", 1, 2)


def test_from_threads_a_completion_wakes_whoever_waits(live):
    execution = ExternalFlow.start()
    until(lambda: execution.refresh().state == "waiting")
    assert aw.complete_step(execution.id, "fulfil", {"a": 1}) is True

    assert execution.wait(20).state == "completed"


def test_of_many_completions_at_once_one_wins(live):
    import threading  # noqa: PLC0415 - used here only

    execution = ExternalFlow.start()
    until(lambda: execution.refresh().state == "waiting")
    answers = []

    def complete(number):
        try:
            answers.append(aw.complete_step(execution.id, "fulfil", number, idempotency_key=str(number)))
        except aw.CompletionConflict:
            answers.append("conflict")

    threads = [threading.Thread(target=complete, args=[n]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, answers)) == ["True"] + ["conflict"] * 7
    assert execution.wait(20).state == "completed"


def test_the_next_attempt_reads_the_details_of_the_last_sign_of_life(engine):
    found = []

    class Export(aw.Workflow):
        @aw.step(external=True, heartbeat_timeout="1m", retry=aw.Retry(max=3, first_delay="1s"))
        def export(self):
            found.append(aw.current().heartbeat)

    execution = engine.run(Export.start())
    assert aw.heartbeat(execution.id, "export", details={"rows": 5000}) is True
    engine.after("1m", execution)
    engine.after("1s", execution)

    assert execution.steps["export"].attempts == 2
    assert found == [None, {"rows": 5000}]
