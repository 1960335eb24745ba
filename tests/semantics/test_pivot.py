"""The point of no return, and pause: undo does not cross a pivot; trouble behind it waits for a person."""

from datetime import timedelta

import pytest

import active_workflow as aw


def flow(log, *, ship_fails=lambda: False, pivot_fails=lambda: False, timeout=None, **pivot_options):
    def ship(ctx):
        log.append("ship")
        if ship_fails():
            raise aw.NonRetryable("no ship")
        return {"shipped": True}

    def pay(ctx):
        log.append("pay")
        if pivot_fails():
            raise ValueError("declined")

    class Pivoted(aw.Workflow, timeout=timeout):
        reserve = aw.task(lambda ctx: 1, compensate=lambda ctx, result: log.append("undo reserve"))
        first_wait = aw.wait_for_signal(when=lambda ctx: ctx.get("waits"))
        pay_ = aw.task(pay, pivot=True, compensate=lambda ctx: log.append("undo pay"), **pivot_options)
        second_wait = aw.wait_for_signal(when=lambda ctx: ctx.get("waits"))
        ship_ = aw.task(ship)
        thank = aw.task(lambda ctx: log.append("thank"))

    return Pivoted


def test_before_it_cancel_undoes(engine, log):
    execution = engine.run(flow(log).start(waits=True))
    assert execution.cancel() is True
    assert engine.run(execution).state == "cancelled"
    assert log == ["undo reserve"]


def test_past_it_cancel_is_refused(engine, log):
    execution = engine.run(flow(log).start(waits=True))
    execution.signal("first_wait")
    engine.run(execution)
    assert log == ["pay"]
    assert execution.cancel() is False
    execution.signal("second_wait")

    assert engine.run(execution).state == "completed"
    assert log == ["pay", "ship", "thank"]


def test_a_pivot_that_fails_for_good_is_not_crossed(engine, log):
    execution = engine.run(flow(log, pivot_fails=lambda: True).start())

    assert execution.state == "failed"
    assert log == ["pay", "undo reserve"]


def test_a_step_that_fails_behind_it_blocks_and_undoes_nothing(engine, log):
    broken = [True]
    execution = engine.run(flow(log, ship_fails=lambda: broken).start())

    assert execution.state == "blocked"
    assert not execution.state.terminal
    assert "ship_" in execution.blocked_reason
    assert log == ["pay", "ship"]
    assert execution.wait(1).state == "blocked"
    broken.clear()
    assert aw.retry(execution.id) is True
    assert engine.run(execution).state == "completed"
    assert log == ["pay", "ship", "ship", "thank"]


def test_it_is_resolved_with_a_result(engine, log):
    execution = engine.run(flow(log, ship_fails=lambda: True).start())
    assert aw.resolve(execution.id, "ship_", landed=True, result={"shipped": "by hand"}) is True
    engine.run(execution)

    assert execution.state == "completed"
    assert execution.ctx.shipped == "by hand"
    assert log == ["pay", "ship", "thank"]


def test_it_is_passed_over(engine, log):
    execution = engine.run(flow(log, ship_fails=lambda: True).start())
    assert aw.resolve(execution.id, "ship_", skip=True) is True

    assert engine.run(execution).state == "completed"
    assert execution.steps["ship_"].state == "skipped"


def test_past_it_the_flow_timeout_fails_nothing(engine, log):
    execution = engine.run(flow(log, timeout="1h").start(waits=True))
    execution.signal("first_wait")
    engine.run(execution)
    engine.after("2h", execution)
    assert execution.state == "waiting"
    execution.signal("second_wait")

    assert engine.run(execution).state == "completed"


def test_in_its_retry_delay_cancel_undoes_for_it_is_known_to_have_failed(engine, log):
    flow_ = flow(log, pivot_fails=lambda: True, retry=aw.Retry(max=3, first_delay="1h"))
    execution = engine.run(flow_.start())
    assert execution.state == "waiting"
    assert execution.cancel() is True

    assert engine.run(execution).state == "cancelled"
    assert log == ["pay", "undo reserve"]


def test_cancel_while_it_runs_is_refused(live, gate, log):
    class Running(aw.Workflow):
        one = aw.task(lambda ctx: 1, compensate=lambda ctx: log.append("undo"))
        pay = aw.task(lambda ctx: gate.enter(), pivot=True)

    execution = Running.start()
    gate.wait_entered()
    assert execution.cancel() is False
    gate.open()

    assert execution.wait(20).state == "completed"
    assert log == []


def test_a_pivot_needs_every_other_step_before_or_behind_it():
    with pytest.raises(aw.DefinitionError, match="pay"):

        class Bad(aw.Workflow):
            with aw.parallel():
                pay = aw.task(lambda ctx: 1, pivot=True)
                other = aw.task(lambda ctx: 1)


# --- Pause and resume ----------------------------------------------------------------------------------


def test_paused_it_starts_nothing_and_fires_no_timer(engine, log):
    class Paused(aw.Workflow, timeout="1h"):
        one = aw.task(lambda ctx: log.append("one"))
        nap = aw.sleep("10m")
        two = aw.task(lambda ctx: log.append("two"))

    execution = engine.run(Paused.start())
    assert aw.pause(execution.id) is True
    assert aw.pause(execution.id) is False
    engine.after("30m", execution)
    assert execution.state == "paused"
    assert log == ["one"]
    assert execution.wait(1).state == "paused"
    assert aw.resume(execution.id) is True
    assert aw.resume(execution.id) is False

    assert engine.run(execution).state == "completed"
    assert log == ["one", "two"]


def test_paused_before_it_starts(engine, log):
    class Paused(aw.Workflow):
        one = aw.task(lambda ctx: log.append("one"))

    execution = Paused.start()
    aw.pause(execution.id)
    assert engine.run(execution).state == "paused"
    assert log == []
    aw.resume(execution.id)
    assert engine.run(execution).state == "completed"


def test_paused_while_a_step_runs_it_ends_and_is_recorded(live, gate, log):
    class Paused(aw.Workflow):
        one = aw.task(lambda ctx: (gate.enter(), {"one": 1})[1])
        two = aw.task(lambda ctx: log.append("two"))

    execution = Paused.start()
    gate.wait_entered()
    assert live.pause(execution.id) is True
    gate.open()
    from tests.semantics.until import until  # noqa: PLC0415 - used here only

    until(lambda: execution.refresh().steps["one"].state == "completed")
    assert execution.state == "paused"
    assert execution.ctx.one == 1
    assert log == []
    live.resume(execution.id)
    assert execution.wait(20).state == "completed"


def test_paused_while_undoing(engine, log):
    class Paused(aw.Workflow):
        one = aw.task(lambda ctx: 1, compensate=lambda ctx: log.append("undone"))
        nap = aw.sleep("1h")

    execution = engine.run(Paused.start())
    execution.cancel()
    assert aw.pause(execution.id) is True
    assert engine.run(execution).state == "paused"
    assert log == []
    assert aw.resume(execution.id) is True
    assert engine.run(execution).state == "cancelled"
    assert log == ["undone"]


def test_signals_and_completions_are_taken_while_it_is_paused(engine):
    class Paused(aw.Workflow):
        approval = aw.wait_for_signal()

    execution = engine.run(Paused.start())
    aw.pause(execution.id)
    assert execution.signal("approval", 1) is True
    engine.run(execution)
    aw.resume(execution.id)

    assert engine.run(execution).state == "completed"


def test_over_it_can_t_be_paused(engine):
    class Plain(aw.Workflow):
        one = aw.task(lambda ctx: None)

    execution = engine.run(Plain.start())
    assert aw.pause(execution.id) is False
    assert aw.resume(execution.id) is False
    assert aw.retry(execution.id) is False
    assert execution.completed_at - execution.created_at == timedelta(0)
