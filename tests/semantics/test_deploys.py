"""Deploys: an execution keeps its plan; code that is missing blocks it, and it goes on when there is some."""

import asyncio

import pytest

import active_workflow as aw
from active_workflow.dsl import registry
from active_workflow.engine import lookups
from tests.semantics.until import until


def forget(name):
    """Make this process one that never defined a workflow."""
    for key in [key for key in registry._programs if key[0] == name]:
        del registry._programs[key]


def make(log, release):
    """Release 1 has one, approval, two; each later release something else."""
    if release == 1:

        class Deployed(aw.Workflow):
            one = aw.task(lambda ctx: log.append("1 one"), compensate=lambda ctx: log.append("1 undo one"))
            approval = aw.wait_for_signal()
            two = aw.task(lambda ctx: log.append("1 two"), compensate=lambda ctx: log.append("1 undo two"))

    elif release == "renamed":

        class Deployed(aw.Workflow):
            one = aw.task(lambda ctx: log.append("r one"), compensate=lambda ctx: log.append("r undo one"))
            approval = aw.wait_for_signal()
            other = aw.task(lambda ctx: log.append("r other"))

    elif release == "longer":

        class Deployed(aw.Workflow):
            one = aw.task(lambda ctx: log.append("l one"), compensate=lambda ctx: log.append("l undo one"))
            approval = aw.wait_for_signal()
            new = aw.task(lambda ctx: log.append("l new"))
            two = aw.task(lambda ctx: log.append("l two"), compensate=lambda ctx: log.append("l undo two"))

    else:

        class Deployed(aw.Workflow):  # the undo of one has gone
            one = aw.task(lambda ctx: log.append("n one"))
            approval = aw.wait_for_signal()
            two = aw.task(lambda ctx: log.append("n two"), compensate=lambda ctx: log.append("n undo two"))

    return Deployed


def test_it_keeps_the_plan_it_started_with(engine, log):
    execution = engine.run(make(log, 1).start())
    make(log, "longer")
    execution.signal("approval")
    engine.run(execution)

    assert execution.state == "completed"
    assert log == ["1 one", "l two"]  # callables come from today's code, the plan doesn't
    assert list(execution.steps) == ["one", "approval", "two"]
    fresh = engine.run(registry.find("Deployed").workflow.start())
    assert list(fresh.steps) == ["one", "approval", "new", "two"]


@pytest.mark.parametrize(("release", "reason"), [("renamed", "two"), ("no undo", "compensation")])
def test_code_that_no_longer_fits_blocks_it_until_some_does(engine, log, release, reason):
    execution = engine.run(make(log, 1).start())
    make(log, release)
    execution.signal("approval")
    engine.run(execution)

    assert execution.state == "blocked"
    assert reason in execution.blocked_reason
    assert log == ["1 one"]
    assert execution.wait(1).state == "blocked"

    engine.after("1h", execution)
    assert execution.state == "blocked"
    make(log, 1)
    engine.after("1h", execution)
    assert execution.state == "completed"
    assert log == ["1 one", "1 two"]
    assert execution.blocked_reason is None


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch):
    monkeypatch.setattr(lookups, "PASSING", 0.05)


@pytest.mark.parametrize("how", ["wait", "wait_async"])
@pytest.mark.parametrize("then", ["completed", "blocked"])
def test_a_wait_leaves_a_worker_that_has_the_code_a_moment(engine, log, monkeypatch, then, how):
    execution = engine.run(make(log, 1).start())
    make(log, "renamed")
    execution.signal("approval")
    engine.run(execution)
    moments = []

    def meanwhile(seconds):
        moments.append(seconds)
        if then == "completed":
            make(log, 1)
            engine.after("1h", execution)

    async def meanwhile_async(seconds):
        meanwhile(seconds)

    monkeypatch.setattr(lookups, "sleep", meanwhile)
    monkeypatch.setattr(lookups, "sleep_async", meanwhile_async)
    found = execution.wait(20) if how == "wait" else asyncio.run(execution.wait_async(20))
    assert found.state == then
    assert moments[0] == lookups.SOON
    assert (sum(moments) > lookups.PASSING) == (then == "blocked")


def test_a_step_that_is_over_may_be_removed_though_others_of_the_plan_still_need_it(engine, log):
    def release(number):
        class Deployed(aw.Workflow):
            if number == 1:
                one = aw.task(lambda ctx: log.append("one"), when=lambda ctx: True)
                go = aw.wait_for_signal()
                gone = aw.task(lambda ctx: log.append("gone"))
            approval = aw.wait_for_signal()
            two = aw.task(lambda ctx: log.append(f"two of {ctx.n}"))

        return Deployed

    before, behind, late = [engine.run(release(1).start(n=n)) for n in range(3)]
    for passed in (behind, late):
        passed.signal("go")
        engine.run(passed)
    release(2)
    for execution in (before, behind):
        execution.signal("go")
        execution.signal("approval")
        engine.run(execution)

    assert (before.state, behind.state) == ("blocked", "completed")
    assert "no step 'gone'" in before.blocked_reason
    late.signal("approval")
    assert engine.run(late).state == "completed"
    release(1)
    engine.after("1h", before)
    assert before.state == "completed"
    assert log == ["one"] * 3 + ["gone"] * 2 + ["two of 1", "two of 2", "gone", "two of 0"]


def test_an_unknown_workflow_is_left_alone_by_a_worker_of_its_own_workflows(engine, log):
    execution = make(log, 1).start()
    forget("Deployed")
    engine.run(execution)

    assert execution.state in ("pending", "blocked")
    assert log == []
    make(log, 1)
    engine.after("1h", execution)
    assert execution.state == "waiting"


def test_a_blocked_execution_can_be_cancelled_and_is_undone_when_the_code_is_back(engine, log):
    execution = engine.run(make(log, 1).start())
    make(log, "no undo")
    execution.signal("approval")
    assert engine.run(execution).state == "blocked"
    assert execution.cancel() is True
    engine.run(execution)
    assert not execution.state.terminal
    make(log, 1)
    engine.after("1h", execution)

    assert execution.state == "cancelled"
    assert log == ["1 one", "1 undo one"]


def test_a_blocked_execution_holds_up_no_other(engine, log):
    blocked = engine.run(make(log, 1).start())
    make(log, "renamed")
    blocked.signal("approval")

    class Other(aw.Workflow):
        one = aw.task(lambda ctx: log.append("other"))

    assert engine.run(Other.start()).state == "completed"
    assert blocked.refresh().state == "blocked"


def test_code_that_is_redefined_while_it_runs_blocks_it_and_the_worker_lives_on(live, gate, log):
    def slow_flow():
        class Redefined(aw.Workflow):
            one = aw.task(lambda ctx: gate.enter())
            two = aw.task(lambda ctx: log.append("two"))

        return Redefined

    execution = slow_flow().start()
    gate.wait_entered()

    class Redefined(aw.Workflow):
        one = aw.task(lambda ctx: None)
        other = aw.task(lambda ctx: None)

    gate.open()
    assert execution.wait(20).state == "blocked"
    assert "two" in execution.blocked_reason
    assert execution.steps["one"].state == "completed"
    assert execution.steps["two"].attempts == 0

    class Other(aw.Workflow):
        one = aw.task(lambda ctx: log.append("other"))

    assert Other.start().wait(20).state == "completed"
    slow_flow()
    until(lambda: execution.refresh().state == "completed")
    assert log == ["other", "two"]


def test_the_log_says_once_what_code_is_missing(engine, log, caplog):
    blocked = [engine.run(make(log, 1).start()) for _ in range(3)]
    make(log, "renamed")
    for execution in blocked:
        execution.signal("approval")
        engine.run(execution)
    assert [execution.refresh().state for execution in blocked] == ["blocked"] * 3
    [told] = [message for message in caplog.messages if "somebody has to see to it" in message]
    assert told.startswith(f"Deployed {blocked[0].id} is blocked")


def test_the_log_says_why_an_execution_fails_and_where_that_was_raised(engine, caplog):
    class Fails(aw.Workflow):
        @aw.step
        def pay(self):
            raise ValueError("no money")

    caplog.set_level("INFO", logger="active_workflow")
    execution = engine.run(Fails.start())
    [told] = [record for record in caplog.records if "fails at step" in record.getMessage()]
    assert told.levelname == "INFO"
    assert told.getMessage().startswith(
        f"Fails {execution.id} fails at step pay: ValueError: no money\nTraceback"
    )


def test_versions_live_side_by_side(engine, log):
    class Versioned(aw.Workflow, version=1):
        one = aw.task(lambda ctx: log.append("v1"))
        pause = aw.sleep(1)
        two = aw.task(lambda ctx: log.append("v1 two"))

    old = engine.run(Versioned.start())

    class Versioned(aw.Workflow, version=2):
        uno = aw.task(lambda ctx: log.append("v2"))

    new = engine.run(aw.start("Versioned", {}))
    engine.after(1, old)

    assert (old.version, new.version) == (1, 2)
    assert log == ["v1", "v2", "v1 two"]
    assert old.state == "completed"


def test_starting_an_unknown_name_says_which_there_are(engine):
    class Checkout(aw.Workflow):
        one = aw.task(lambda ctx: None)

    with pytest.raises(aw.UnknownWorkflow, match="Checkout"):
        aw.start("Chekout", {})
