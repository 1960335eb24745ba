"""Three styles and every option that they share: the same semantics whichever is used."""

import pytest

import active_workflow as aw

STYLES = ("method", "task class", "function", "async method", "async task class", "async function")


def one_step(style, log, **options):  # noqa: C901 - one branch for each style
    """A workflow whose step ``work`` is written in a style; it adds one and has an undo."""

    def do(ctx):
        log.append(("work", ctx.step_name, ctx.attempt))
        ctx.n = ctx.n + 1
        return {"came": ctx.n}

    def undo(ctx, result):
        log.append(("undo", result))

    if style == "method":

        class Flow(aw.Workflow):
            @aw.step(**options)
            def work(self):
                return do(self.ctx)

            @work.compensate
            def undo_work(self, result):
                undo(self.ctx, result)

            fail = aw.task(end)

    elif style == "async method":

        class Flow(aw.Workflow):
            @aw.step(**options)
            async def work(self):
                return do(self.ctx)

            @work.compensate
            async def undo_work(self, result):
                undo(self.ctx, result)

            fail = aw.task(end)

    elif style in ("task class", "async task class"):

        class Work(aw.Task):
            if style == "task class":

                def call(self, ctx):
                    return do(ctx)

                def compensate(self, ctx, result):
                    undo(ctx, result)
            else:

                async def call(self, ctx):
                    return do(ctx)

                async def compensate(self, ctx, result):
                    undo(ctx, result)

        class Flow(aw.Workflow):
            work = aw.task(Work, **options)
            fail = aw.task(end)

    elif style == "function":

        class Flow(aw.Workflow):
            work = aw.task(do, compensate=undo, **options)
            fail = aw.task(end)

    else:

        async def later(ctx):
            return do(ctx)

        async def undo_later(ctx, result):
            undo(ctx, result)

        class Flow(aw.Workflow):
            work = aw.task(later, compensate=undo_later, **options)
            fail = aw.task(end)

    return Flow


def end(ctx):
    if ctx.get("fails"):
        raise aw.NonRetryable("no")


@pytest.mark.parametrize("style", STYLES)
class TestStyles:
    def test_the_returned_mapping_and_the_change_in_place_are_recorded(self, engine, style, log):
        execution = engine.run(one_step(style, log).start(n=1))

        assert execution.state == "completed"
        assert dict(execution.ctx) == {"n": 2, "came": 2}
        assert execution.steps["work"].result == {"came": 2}
        assert execution.steps["work"].attempts == 1
        assert log == [("work", "work", 1)]

    def test_undo_is_given_the_result(self, engine, style, log):
        execution = engine.run(one_step(style, log).start(n=1, fails=True))

        assert execution.state == "failed"
        assert log == [("work", "work", 1), ("undo", {"came": 2})]
        assert execution.steps["work"].state == "compensated"

    def test_when_says_no(self, engine, style, log):
        flow = one_step(style, log, when=lambda ctx: ctx.n > 5)

        assert engine.run(flow.start(n=1)).steps["work"].state == "skipped"
        assert log == []
        assert engine.run(flow.start(n=6)).steps["work"].state == "completed"

    def test_unless_says_yes(self, engine, style, log):
        flow = one_step(style, log, unless=lambda ctx: ctx.n > 5)

        assert engine.run(flow.start(n=6)).steps["work"].state == "skipped"
        assert engine.run(flow.start(n=1)).steps["work"].state == "completed"

    def test_store_result_as_takes_mappings_too(self, engine, style, log):
        execution = engine.run(one_step(style, log, store_result_as="got").start(n=1))

        assert dict(execution.ctx) == {"n": 2, "got": {"came": 2}}

    def test_a_skipped_step_is_not_undone(self, engine, style, log):
        flow = one_step(style, log, when=lambda ctx: False)

        assert engine.run(flow.start(n=1, fails=True)).state == "failed"
        assert log == []

    def test_in_real_threads(self, live, style, log):
        execution = one_step(style, log).start(n=1).wait(20)

        assert (execution.state, execution.ctx.n) == ("completed", 2)


def test_args_stand_in_place_of_ctx(engine):
    class Add(aw.Task):
        def call(self, one, two):
            return {"sum": one + two}

    class Flow(aw.Workflow):
        add = aw.task(Add, args=lambda ctx: (ctx.a, ctx.b))
        twice = aw.task(lambda total: {"twice": 2 * total}, args=lambda ctx: (ctx.sum,))

        @aw.step(args=lambda ctx: (ctx.twice,))
        def thrice(self, twice):
            return {"thrice": twice + self.ctx.sum}

    execution = engine.run(Flow.start(a=2, b=3))

    assert (execution.ctx.sum, execution.ctx.twice, execution.ctx.thrice) == (5, 10, 15)


def test_conditions_and_args_may_be_coroutines(engine):
    async def wanted(ctx):
        return ctx.go

    async def given(ctx):
        return (ctx.n,)

    class Flow(aw.Workflow):
        first = aw.task(lambda n: {"got": n}, when=wanted, args=given)

    assert engine.run(Flow.start(go=True, n=3)).ctx.got == 3
    assert engine.run(Flow.start(go=False, n=3)).steps["first"].state == "skipped"


def test_a_condition_that_raises_is_the_step_s_error(engine):
    class Flow(aw.Workflow):
        first = aw.task(lambda ctx: None, when=lambda ctx: ctx.missing)

    execution = engine.run(Flow.start(n=1))

    assert execution.state == "failed"
    assert execution.error.step == "first"
    assert "missing" in execution.error.message


def test_a_condition_is_not_asked_again_once_it_has_answered(engine, log):
    class Flow(aw.Workflow):
        @aw.step(when="wanted", retry=aw.Retry(max=3, first_delay=1, backoff="fixed"))
        def work(self):
            log.append("work")
            if self.ctx.attempt < 3:
                raise ValueError("again")

        def wanted(self):
            log.append("asked")
            return True

    execution = Flow.start(n=1)
    engine.run()
    engine.after(1)
    engine.after(1, execution)

    assert execution.state == "completed"
    assert log == ["asked", "work", "work", "work"]


def test_options_named_by_a_method_of_the_workflow(engine, log):
    class Flow(aw.Workflow):
        charge = aw.task(lambda ctx: 7, compensate="refund", when="wanted")
        fail = aw.task(end)

        def refund(self, result):
            log.append((result, self.ctx.n))

        def wanted(self):
            return self.ctx.n == 1

    engine.run(Flow.start(n=1, fails=True))

    assert log == [(7, 1)]


def test_a_task_instance_is_used_as_it_is_and_a_class_is_made_anew(engine, log):
    class Work(aw.Task):
        def __init__(self, name="class"):
            self.name = name
            log.append(name)

        def call(self, ctx):
            return {self.name: id(self)}

    given = Work("given")

    class Flow(aw.Workflow):
        first = aw.task(given)
        second = aw.task(Work)

    log.clear()
    one, two = engine.run(Flow.start()), engine.run(Flow.start())

    assert one.ctx.given == two.ctx.given == id(given)
    assert log == ["class", "class"]


def test_defaults_reach_every_step_that_calls_and_options_win(engine, log):
    def fails(ctx):
        log.append(ctx.step_name)
        raise ValueError("no")

    class Flow(aw.Workflow, defaults={"retry": aw.Retry(max=2, first_delay=1)}):
        pause = aw.sleep(1)
        one = aw.task(fails)

    class Own(aw.Workflow, defaults={"retry": aw.Retry(max=2, first_delay=1)}):
        two = aw.task(fails, retry=None)

    engine.run(Flow.start(), Own.start())
    for _ in range(3):
        engine.after(1)

    assert log == ["two", "one", "one"]


def test_parallel_steps_run_and_the_next_waits_for_all(live, gate, log):
    class Flow(aw.Workflow):
        with aw.parallel():
            left = aw.task(lambda ctx: (gate.enter(), {"left": 1})[1])
            right = aw.task(lambda ctx: (gate.enter(), {"right": 2})[1])
        after = aw.task(lambda ctx: {"sum": ctx.left + ctx.right})

    execution = Flow.start()
    gate.wait_entered()
    gate.wait_entered()  # both are inside at once
    gate.open()

    assert execution.wait(20).ctx.sum == 3


def test_after_names_the_steps_before(engine, log):
    class Flow(aw.Workflow):
        first = aw.task(lambda ctx: log.append("first"))
        second = aw.task(lambda ctx: log.append("second"), after=())
        third = aw.task(lambda ctx: log.append("third"), after=["first", second])

    engine.run(Flow.start())

    assert sorted(log[:2]) == ["first", "second"]
    assert log[2] == "third"


def test_step_names_and_the_mapping_of_steps(engine):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1, name="uno")
        two = aw.task(lambda ctx: {"k": 2})

    execution = engine.run(Flow.start())

    assert list(execution.steps) == ["uno", "two"]
    assert execution.steps[Flow.one].result == 1
    assert execution.steps[Flow.two] is not None
    assert len(execution.steps) == 2
    assert execution.result == {"k": 2}
    with pytest.raises(KeyError, match="uno"):
        execution.steps["unno"]


def test_current_says_what_runs_deep_inside(engine):
    def deep():
        now = aw.current()
        return {"said": [now.execution_id, now.step_name, now.step_key, now.attempt]}

    class Flow(aw.Workflow):
        work = aw.task(lambda ctx: deep())

    execution = engine.run(Flow.start())

    assert execution.ctx.said == [execution.id, "work", f"{execution.id}:work", 1]
    with pytest.raises(aw.MisuseError):
        aw.current()
