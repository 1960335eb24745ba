"""fire_and_forget: the step becomes an execution of its own; nothing waits for it, nothing fails with it."""

import pytest

import active_workflow as aw


def test_it_runs_by_itself_with_a_copy_of_ctx(engine, log):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: {"one": 1})

        @aw.task(fire_and_forget=True)
        @staticmethod
        def receipt(ctx):
            log.append((dict(ctx), ctx.step_name))
            ctx.one = "changed"

        two = aw.task(lambda ctx: {"two": ctx.one})

    execution = engine.run(Flow.start(order=7))

    assert execution.state == "completed"
    assert log == [({"order": 7, "one": 1}, "receipt")]
    assert execution.ctx.two == 1
    child = next(x for x in aw.find() if x.parent_id == execution.id)
    assert child.state == "completed"
    assert child.ctx.one == "changed"


def test_its_failing_fails_nothing(engine, log):
    def receipt(ctx):
        log.append(ctx.attempt)
        raise ValueError("mail is down")

    class Flow(aw.Workflow):
        send = aw.task(receipt, fire_and_forget=True, retry=aw.Retry(max=2, backoff="fixed", delay="1m"))
        two = aw.task(lambda ctx: {"two": 1})

    execution = engine.run(Flow.start())
    assert execution.state == "completed"
    engine.after("1m", execution)
    assert log == [1, 2]
    child = next(x for x in aw.find() if x.parent_id == execution.id)
    assert child.state == "failed"
    assert execution.refresh().state == "completed"


def test_nothing_waits_for_it(live, gate):
    class Flow(aw.Workflow):
        send = aw.task(lambda ctx: gate.enter(), fire_and_forget=True)
        two = aw.task(lambda ctx: {"two": 1})

    execution = Flow.start()
    gate.wait_entered()
    assert execution.wait(20).state == "completed"
    gate.open()
    child = next(x for x in aw.find() if x.parent_id == execution.id)
    assert child.wait(20).state == "completed"


@pytest.mark.parametrize("wanted", [True, False])
def test_its_condition_is_asked_once(engine, log, wanted):
    class Flow(aw.Workflow):
        send = aw.task(
            lambda ctx: log.append("sent"),
            fire_and_forget=True,
            when=lambda ctx: (log.append("asked"), ctx.wanted)[1],
        )
        two = aw.task(lambda ctx: None)

    execution = engine.run(Flow.start(wanted=wanted))

    assert execution.state == "completed"
    assert log == (["asked", "sent"] if wanted else ["asked"])
    child = next(x for x in aw.find() if x.parent_id == execution.id)
    assert child.state == "completed"
    assert child.steps["send"].state == ("completed" if wanted else "skipped")


def test_as_the_first_step_and_as_the_last(engine, log):
    class Flow(aw.Workflow):
        first = aw.task(lambda ctx: log.append("first"), fire_and_forget=True)
        last = aw.task(lambda ctx: log.append("last"), fire_and_forget=True)

    execution = engine.run(Flow.start())

    assert execution.state == "completed"
    assert sorted(log) == ["first", "last"]


def test_cancelling_the_parent_leaves_it_alone(engine, log):
    class Flow(aw.Workflow):
        send = aw.task(lambda ctx: log.append("sent"), fire_and_forget=True)
        pause = aw.sleep("1h")

    execution = engine.run(Flow.start())
    execution.cancel()

    assert engine.run(execution).state == "cancelled"
    assert log == ["sent"]


def test_a_method_and_a_task_class_too(live, log):
    class Mail(aw.Task):
        def call(self, ctx):
            log.append(("task", ctx.n))

    class Flow(aw.Workflow):
        @aw.step(fire_and_forget=True)
        async def method(self):
            log.append(("method", self.ctx.n))

        task = aw.task(Mail, fire_and_forget=True)

    execution = Flow.start(n=1).wait(20)
    for child in [x for x in aw.find() if x.parent_id == execution.id]:
        assert child.wait(20).state == "completed"
    assert sorted(log) == [("method", 1), ("task", 1)]


def test_tags_go_along(engine):
    class Flow(aw.Workflow):
        send = aw.task(lambda ctx: None, fire_and_forget=True)

    execution = engine.run(Flow.start({}, tags={"team": "a"}))
    assert {x.id for x in aw.find(tags={"team": "a"})} > {execution.id}
