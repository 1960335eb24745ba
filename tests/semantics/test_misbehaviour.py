"""Steps that behave badly: the worker lives, the error says what to do, undo follows."""

import asyncio
import os
import sys
import threading
import time

import pytest

import active_workflow as aw


class BadStr(Exception):
    def __str__(self):
        raise RuntimeError("no text for you")

    __repr__ = __str__


class BadInit(Exception):
    def __init__(self, *, code):
        super().__init__()
        self.code = code


class Base(BaseException):
    pass


def raises(error):
    def step(ctx):
        raise error

    return step


ERRORS = {
    "SystemExit": SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt(),
    "GeneratorExit": GeneratorExit(),
    "StopIteration": StopIteration(7),
    "StopAsyncIteration": StopAsyncIteration(),
    "BadStr": BadStr(),
    "BadInit": BadInit(code=1),
    "Base": Base("base"),
    "CancelledError": asyncio.CancelledError(),
    "RecursionError": RecursionError("deep"),
    "MemoryError": MemoryError(),
    "ExceptionGroup": ExceptionGroup("many", [ValueError("a"), BadStr()]),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("is_async", [False, True])
def test_whatever_a_step_raises_is_recorded_and_undone_and_the_worker_lives(live, log, name, is_async):
    async def later(ctx):
        raise ERRORS[name]

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1, compensate=lambda ctx, result: log.append("undone"))
        bad = aw.task(later if is_async else raises(ERRORS[name]))

    execution = Flow.start().wait(20)
    assert execution.state == "failed"
    assert execution.error.type == name
    assert execution.error.step == "bad"
    assert log == ["undone"]

    class Fine(aw.Workflow):
        one = aw.task(lambda ctx: 1)

    assert Fine.start().wait(20).state == "completed"


@pytest.mark.parametrize("name", ["SystemExit", "BadStr"])
def test_in_an_undo_too(live, name):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1, compensate=lambda ctx, result: raises(ERRORS[name])(ctx))
        bad = aw.task(lambda ctx: 1 / 0)

    execution = Flow.start().wait(20)
    assert execution.state == "compensation_failed"
    assert execution.steps["one"].error.type == name


def test_a_long_message_and_a_deep_traceback_are_cut(engine):
    def deep(n):
        if n:
            return deep(n - 1)
        raise ValueError("x" * 1_000_000)

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: deep(500))

    execution = engine.run(Flow.start())
    assert len(execution.error.message) < 10_000
    assert len(execution.error.traceback) < 40_000


def fails_with(engine, flow, *words, **ctx):
    execution = engine.run(flow.start(**ctx))
    assert execution.state == "failed"
    for word in words:
        assert word in execution.error.message, execution.error.message
    return execution


def test_setting_an_attribute_on_self(engine):
    class Flow(aw.Workflow):
        @aw.step
        def pay(self):
            self.payment = 1

    fails_with(engine, Flow, "self.ctx.payment")


def test_calling_another_step(engine):
    class Flow(aw.Workflow):
        @aw.step
        def one(self):
            pass

        @aw.step
        def two(self):
            self.one()

    fails_with(engine, Flow, "one", "plain method")


def test_making_an_instance():
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1)

    with pytest.raises(aw.MisuseError, match="start"):
        Flow()


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: aw.sleep("1h"), "time.sleep"),
        (lambda: aw.task(lambda ctx: 1), "step"),
        (lambda: aw.step(lambda self: 1), "step"),
        (lambda: aw.wait_for_signal("x"), "step"),
        (lambda: aw.parallel().__enter__(), "step"),
    ],
)
def test_making_steps_while_a_step_runs(engine, make, word):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: (make(), None)[1])

    execution = fails_with(engine, Flow, word)
    assert execution.error.type == "MisuseError"


def test_a_step_gets_a_fresh_instance_each_time(engine, log):
    class Flow(aw.Workflow):
        @aw.step(retry=aw.Retry(max=2, backoff="fixed", delay=0))
        def one(self):
            log.append(self)  # held, so that no id is used twice
            if self.ctx.attempt == 1:
                raise ValueError

        @aw.step
        def two(self):
            log.append(self)

    engine.run(Flow.start())
    assert len({id(self) for self in log}) == 3


def test_a_huge_value(engine):
    big = "x" * 5_000_000

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: {"big": big})
        two = aw.task(lambda ctx: {"length": len(ctx.big)})

    execution = engine.run(Flow.start())
    assert execution.state == "completed"
    assert execution.ctx.length == 5_000_000


def test_a_deeply_nested_value_is_stored_or_refused_cleanly(engine):
    value = []
    for _ in range(100_000):
        value = [value]

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: {"deep": value})

    execution = engine.run(Flow.start())
    assert execution.state == "failed"
    assert execution.error.type == "SerializationError"


def test_a_cycle_is_refused_cleanly(engine):
    value = []
    value.append(value)

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: {"cycle": value})

    assert engine.run(Flow.start()).error.type == "SerializationError"


def test_hostile_names_are_only_text(engine):
    name = "'; DROP TABLE aw_executions; --"

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: {name: name})

    execution = engine.run(
        Flow.start({name: name, "__class__": 1, "__dict__": 2, "_private": 3}, tags={name: name})
    )
    assert execution.state == "completed"
    assert execution.ctx[name] == name
    assert execution.ctx["__class__"] == 1
    assert execution.ctx["_private"] == 3
    assert [x.id for x in aw.find(tags={name: name})] == [execution.id]
    with pytest.raises(aw.ExecutionNotFound):
        aw.get(name)


def test_printing_and_stdin_of_a_step_are_its_own(engine, capsys):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: print("hello", ctx.who))  # noqa: T201 - the act under test

    engine.run(Flow.start(who="Ada"))
    assert capsys.readouterr().out == "hello Ada\n"


def test_a_step_that_starts_a_thread_which_outlives_it(live, log):
    done = threading.Event()

    def late(ctx):
        try:
            ctx.late = 1
        except aw.MisuseError as error:
            log.append(type(error).__name__)
        done.set()

    go = threading.Event()

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: threading.Thread(target=lambda: (go.wait(20), late(ctx))).start())

    execution = Flow.start().wait(20)
    go.set()
    assert done.wait(20)
    assert log == ["ReadOnlyError"]
    assert "late" not in execution.refresh().ctx


def test_steps_that_hog_the_interpreter_leave_the_lease_alive(store_url, log):
    with aw.configure(store_url, lease="500ms", poll_interval="50ms", concurrency=2):

        class Flow(aw.Workflow):
            @aw.step
            def busy(self):
                log.append(self.ctx.attempt)
                end = time.monotonic() + 1.2
                while time.monotonic() < end:
                    sum(range(1000))

        assert Flow.start().wait(20).state == "completed"
    assert log == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_step_that_forks_ends_once(live, log, tmp_path):
    path = tmp_path / "child"

    class Flow(aw.Workflow):
        @aw.step
        def forks(self):
            pid = os.fork()
            if pid == 0:
                path.write_text("child")
                os._exit(0)
            os.waitpid(pid, 0)
            return {"pid": pid}

    execution = Flow.start().wait(20)
    assert execution.state == "completed"
    assert path.read_text() == "child"
    assert sys.is_finalizing() is False


# --- Bad words from outside --------------------------------------------------------------------------


class Told(aw.Workflow):
    job = aw.task(lambda ctx: {}, external=True)
    approval = aw.wait_for_signal()


@pytest.mark.parametrize("bad", [5, b"x", "", "\ud800", "a\0b"])
@pytest.mark.parametrize(
    ("option", "send"),
    [
        ("idempotency_key", lambda x, bad: x.complete_step("job", 1, idempotency_key=bad)),
        ("correlation_id", lambda x, bad: x.complete_step("job", 1, correlation_id=bad)),
        ("idempotency_key", lambda x, bad: x.fail_step("job", idempotency_key=bad)),
        ("correlation_id", lambda x, bad: x.fail_step("job", correlation_id=bad)),
        ("error_class", lambda x, bad: x.fail_step("job", error_class=bad)),
        ("idempotency_key", lambda x, bad: x.signal("approval", 1, idempotency_key=bad)),
    ],
)
def test_a_word_that_no_store_keeps_as_it_is_is_refused_at_the_call(engine, option, send, bad):
    execution = engine.run(Told.start())
    if (option, bad) == ("correlation_id", 5):  # a number, as JSON may have it, is the text that was stored
        with pytest.raises(aw.CorrelationMismatch, match="'5'"):
            send(execution, bad)
        return
    with pytest.raises(aw.ConfigurationError, match=option):
        send(execution, bad)

    assert execution.refresh().steps["job"].state == "waiting"


@pytest.mark.parametrize("reason", ["\ud800", "a\0b", "x" * 100_000])
def test_what_people_are_to_read_is_kept_whatever_it_says(engine, reason):
    cancelled, failed = engine.run(Told.start()), engine.run(Told.start())
    assert cancelled.cancel(reason) is True
    assert failed.fail_step("job", message=reason) is True
    engine.run(cancelled, failed)

    assert (cancelled.state, failed.state) == ("cancelled", "failed")


@pytest.mark.parametrize("reason", [5, b"x"])
def test_a_reason_is_text(engine, reason):
    execution = engine.run(Told.start())
    with pytest.raises(aw.ConfigurationError, match="reason"):
        execution.cancel(reason)
    with pytest.raises(aw.ConfigurationError, match="message"):
        execution.fail_step("job", message=reason)


@pytest.mark.parametrize("tags", ["ab", {"a": object()}, {1: "a"}, {"a": None}])
def test_tags_are_text(engine, tags):
    with pytest.raises(aw.ActiveWorkflowError, match="tags"):
        aw.start(Told, {}, tags=tags)


def test_an_item_of_many_is_a_mapping(engine):
    with pytest.raises(aw.ConfigurationError, match="item 0"):
        aw.complete_many([5])
