"""Events: their names and order; a failing subscriber harms nothing."""

from datetime import timedelta

import pytest

import active_workflow as aw
from active_workflow.engine.notices import notifier


@pytest.fixture
def events():
    found = []
    end = aw.subscribe("active_workflow.*", found.append)
    yield found
    end()


def names(events, execution):
    assert notifier.flush()
    prefix = "active_workflow."
    return [
        (event.name.removeprefix(prefix), event.step)
        for event in events
        if event.execution_id == execution.id
    ]


def test_of_a_flow_that_goes_well(engine, events):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1)
        two = aw.task(lambda ctx: 2)

    execution = engine.run(Flow.start())

    assert names(events, execution) == [
        ("execution.created", None),
        ("execution.started", None),
        ("step.started", "one"),
        ("step.completed", "one"),
        ("step.started", "two"),
        ("step.completed", "two"),
        ("execution.completed", None),
    ]
    completed = next(e for e in events if e.name == "active_workflow.step.completed")
    assert completed.workflow == "Flow"
    assert completed.attempt == 1
    assert completed.at == engine.clock()
    assert completed.duration == timedelta(0)


def test_of_one_that_fails_and_is_undone(engine, events):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1, compensate=lambda ctx: None)
        two = aw.task(lambda ctx: 1 / 0, retry=aw.Retry(max=2, backoff="fixed", delay=1))

    execution = engine.run(Flow.start())
    engine.after(1, execution)
    told = [name for name, _ in names(events, execution)]

    assert told.count("step.failed") >= 1
    assert told.count("retry.scheduled") == 1
    assert told.index("execution.compensating") < told.index("execution.failed")
    assert told[-1] == "execution.failed"
    failed = next(e for e in events if e.name == "active_workflow.execution.failed")
    assert failed.error.type == "ZeroDivisionError"
    assert failed.error.step == "two"


def test_of_external_steps_and_signals(engine, events):
    class Start(aw.Task, external=True, timeout="1h"):
        def call(self, ctx):
            return {}

    class Flow(aw.Workflow):
        one = aw.task(Start)
        two = aw.task(Start, retry=aw.Retry(max=2, backoff="fixed", delay=0))
        approval = aw.wait_for_signal()

    execution = engine.run(Flow.start())
    execution.complete_step("one", {"a": 1})
    engine.run()
    execution.fail_step("two", message="no")
    engine.run()
    engine.after("1h")
    engine.run(execution)
    told = names(events, execution)

    for name, step in [
        ("step.waiting", "one"),
        ("step.completed_async", "one"),
        ("step.failed_async", "two"),
        ("step.timeout", "two"),
    ]:
        assert (name, step) in told, told
    other = engine.run(Flow.start())
    other.signal("approval", {"by": "ada"})
    assert ("signal.received", None) in [(n, None) for n, _ in names(events, other)]
    received = next(e for e in events if e.name == "active_workflow.signal.received")
    assert received.payload == {"by": "ada"}
    other.cancel()
    engine.run(other)
    assert names(events, other)[-1][0] == "execution.cancelled"


def test_a_failing_subscriber_harms_nothing(engine, caplog):
    told = []

    def broken(event):
        raise RuntimeError("broken subscriber")

    ends = [
        aw.subscribe("active_workflow.*", broken),
        aw.subscribe("active_workflow.execution.completed", told.append),
    ]

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1)

    execution = engine.run(Flow.start())
    assert notifier.flush()
    for end in ends:
        end()

    assert execution.state == "completed"
    assert [event.execution_id for event in told] == [execution.id]
    assert "broken subscriber" in caplog.text


def test_patterns_and_the_decorator(engine):
    steps, one = [], []

    @aw.subscribe("active_workflow.step.*")
    def on_step(event):
        steps.append(event.name)

    end = aw.subscribe("active_workflow.step.started", one.append)

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1)

    engine.run(Flow.start())
    assert notifier.flush()
    assert steps == ["active_workflow.step.started", "active_workflow.step.completed"]
    assert len(one) == 1
    end()
    engine.run(Flow.start())
    assert notifier.flush()
    assert len(one) == 1


def test_events_come_after_the_commit(live):
    seen = []
    end = aw.subscribe(
        "active_workflow.execution.completed", lambda event: seen.append(aw.get(event.execution_id).state)
    )

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: 1)

    Flow.start().wait(20)
    assert notifier.flush()
    end()
    assert seen == ["completed"]
