"""Signals: early, late, twice, in order; the first of several; what happens when none comes."""

import pytest

import active_workflow as aw
from tests.semantics.until import until


class SignalApproval(aw.Workflow):
    prepare = aw.task(lambda ctx: {"prepared": True}, compensate=lambda ctx: undone.append("prepare"))
    approval = aw.wait_for_signal(timeout="2d")
    finalize = aw.task(lambda approval: {"final": approval}, args=lambda ctx: (ctx.approval,))


undone: list[str] = []


@pytest.fixture(autouse=True)
def _fresh():
    undone.clear()


def test_its_payload_comes_to_be_in_ctx(engine):
    execution = engine.run(SignalApproval.start())
    assert execution.state == "waiting"
    assert aw.signal(execution.id, "approval", payload={"by": "ada"}) is True
    engine.run(execution)

    assert execution.state == "completed"
    assert execution.ctx.approval == {"by": "ada"}
    assert execution.ctx.final == {"by": "ada"}
    assert execution.steps["approval"].result == {"by": "ada"}


def test_by_step_object_and_without_payload(engine):
    execution = engine.run(SignalApproval.start())
    assert execution.signal(SignalApproval.approval) is True
    engine.run(execution)
    assert execution.ctx.approval is None


def test_one_that_comes_before_its_wait_is_kept(engine):
    execution = SignalApproval.start()
    assert execution.signal("approval", 1) is True

    assert engine.run(execution).ctx.final == 1


def test_a_repeat_by_key_answers_false(engine):
    execution = SignalApproval.start()
    assert execution.signal("approval", 1, idempotency_key="e1") is True
    assert execution.signal("approval", 1, idempotency_key="e1") is False
    engine.run(execution)
    assert execution.signal("approval", 1, idempotency_key="e1") is False
    assert execution.ctx.approval == 1


class SignalTwice(aw.Workflow):
    first = aw.wait_for_signal("ping", store_result_as="one")
    pause = aw.sleep("1h")
    second = aw.wait_for_signal("ping", store_result_as="two")


def test_they_are_taken_in_the_order_they_came_each_once(engine):
    execution = engine.run(SignalTwice.start())
    for number in (1, 2, 3):
        assert execution.signal("ping", number) is True
    engine.run(execution)
    assert execution.ctx.one == 1
    assert "two" not in execution.ctx
    engine.after("1h", execution)

    assert execution.state == "completed"
    assert (execution.ctx.one, execution.ctx.two) == (1, 2)


def test_a_repeat_of_one_that_was_taken_is_not_taken_again(engine):
    execution = engine.run(SignalTwice.start())
    assert execution.signal("ping", 1, idempotency_key="e1") is True
    engine.run(execution)
    assert execution.signal("ping", 1, idempotency_key="e1") is False
    engine.after("1h", execution)
    assert execution.state == "waiting"
    assert execution.signal("ping", 2, idempotency_key="e2") is True
    assert engine.run(execution).ctx.two == 2


def test_the_first_of_several(engine):
    class Either(aw.Workflow):
        answer = aw.wait_for_signal("yes", "no")
        last = aw.task(lambda ctx: {"got": ctx.answer})

    one = engine.run(Either.start())
    assert one.signal("no", "n") is True
    assert engine.run(one).ctx.got == "n"
    two = Either.start()
    two.signal("yes", "y")
    two.signal("no", "n")
    assert engine.run(two).ctx.got == "y"


def test_too_late_answers_false(engine):
    execution = engine.run(SignalApproval.start())
    execution.signal("approval", 1)
    assert execution.signal("approval", 2) is False  # nobody will take it any more
    engine.run(execution)
    assert execution.signal("approval", 3) is False
    assert execution.refresh().ctx.approval == 1

    cancelled = engine.run(SignalApproval.start())
    cancelled.cancel()
    assert cancelled.signal("approval", 1) is False


def test_an_unknown_one_lists_those_there_are(engine):
    execution = SignalApproval.start()
    with pytest.raises(aw.UnknownSignal, match="approval"):
        execution.signal("aproval")
    with pytest.raises(aw.ExecutionNotFound):
        aw.signal("nobody", "approval")


def test_a_payload_that_cannot_be_stored_changes_nothing(engine):
    execution = engine.run(SignalApproval.start())
    with pytest.raises(aw.SerializationError):
        execution.signal("approval", object())
    assert engine.run(execution).state == "waiting"


def test_when_none_comes_the_flow_fails_after_undo(engine):
    execution = engine.run(SignalApproval.start())
    engine.after("47h", execution)
    assert execution.state == "waiting"
    engine.after("1h", execution)

    assert execution.state == "failed"
    assert (execution.error.type, execution.error.step) == ("TimeoutError", "approval")
    assert execution.steps["approval"].state == "timed_out"
    assert undone == ["prepare"]
    assert execution.signal("approval", 1) is False


def test_or_goes_on_without_a_payload(engine):
    class Patient(aw.Workflow):
        approval = aw.wait_for_signal(timeout="1h", on_timeout="continue")
        last = aw.task(lambda ctx: {"approved": "approval" in ctx})

    execution = engine.run(Patient.start())
    engine.after("1h", execution)

    assert execution.state == "completed"
    assert execution.ctx.approved is False
    assert execution.steps["approval"].state == "timed_out"


def test_extend_timeout_lets_it_wait_longer(engine):
    execution = engine.run(SignalApproval.start())
    assert aw.extend_timeout(execution.id, "approval", by="1h") is True
    engine.after("48h", execution)
    assert execution.state == "waiting"
    assert engine.after("1h", execution).state == "failed"


def test_a_condition_decides_whether_to_wait(engine, log):
    class Maybe(aw.Workflow):
        approval = aw.wait_for_signal(when=lambda ctx: (log.append("asked"), ctx.total > 10)[1])

    small = engine.run(Maybe.start(total=1))
    assert small.state == "completed"
    assert small.steps["approval"].state == "skipped"
    big = engine.run(Maybe.start(total=11))
    assert big.state == "waiting"
    big.signal("approval", 1)
    assert engine.run(big).state == "completed"
    assert log == ["asked", "asked"]  # once each


def test_two_waits_side_by_side_each_take_their_own(engine):
    class Both(aw.Workflow):
        with aw.parallel():
            left = aw.wait_for_signal()
            right = aw.wait_for_signal()
        last = aw.task(lambda ctx: {"sum": ctx.left + ctx.right})

    execution = engine.run(Both.start())
    execution.signal("right", 2)
    assert engine.run(execution).state == "waiting"
    execution.signal("left", 1)
    assert engine.run(execution).ctx.sum == 3


def test_a_ctx_key_of_its_name_at_start_raises(engine):
    with pytest.raises(aw.ActiveWorkflowError, match="approval"):
        SignalApproval.start(approval=1)


def test_signal_many(engine):
    executions = [engine.run(SignalApproval.start()) for _ in range(3)]
    items = [
        {"execution_id": x.id, "name": "approval", "payload": n, "idempotency_key": "k"}
        for n, x in enumerate(executions)
    ]
    assert engine.signal_many([*items, items[0]]) == [True, True, True, False]
    engine.run(*executions)
    assert [x.ctx.final for x in executions] == [0, 1, 2]


def test_a_signal_wakes_an_embedded_worker_and_whoever_waits(live):
    execution = SignalApproval.start()
    until(lambda: execution.refresh().state == "waiting")
    assert execution.signal("approval", 1) is True

    assert execution.wait(20).state == "completed"


def test_a_step_may_signal_another_execution(engine):
    class Sends(aw.Workflow):
        send = aw.task(lambda ctx: {"sent": aw.signal(ctx.other, "approval", "from a step")})

    waiting = engine.run(SignalApproval.start())
    sender = engine.run(Sends.start(other=waiting.id))
    engine.run(waiting)

    assert sender.ctx.sent is True
    assert waiting.ctx.approval == "from a step"
