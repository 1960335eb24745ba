"""The notifier: after the commit, in order, from one thread, at most once; nobody can harm it."""

import logging
import threading
from datetime import UTC, datetime

import pytest

from active_workflow.engine import notifier as module
from active_workflow.engine.notifier import Event, Notifier

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def event(number, name="active_workflow.step.completed"):
    return Event(name, str(number), "Flow", None, None, NOW)


@pytest.fixture
def notifier():
    return Notifier()


def test_events_are_told_in_order_from_a_thread_of_its_own(notifier):
    told, threads = [], set()

    def take(event):
        told.append(int(event.execution_id))
        threads.add(threading.current_thread().name)

    notifier.subscribe("*", take)
    for number in range(200):
        notifier.publish(lambda number=number: [event(2 * number), event(2 * number + 1)])
    assert notifier.flush()

    assert told == list(range(400))
    assert threads == {"active-workflow-notices"}


def test_patterns(notifier):
    told = []
    for pattern in (
        "active_workflow.step.*",
        "*.completed",
        "active_workflow.step.completed",
        "step",
        "*.STEP.*",
    ):
        notifier.subscribe(pattern, lambda event, pattern=pattern: told.append(pattern))
    notifier.publish(lambda: [event(1)])
    assert notifier.flush()

    assert told == ["active_workflow.step.*", "*.completed", "active_workflow.step.completed"]


def test_ending_a_subscription(notifier):
    told = []
    end = notifier.subscribe("*", told.append)
    same = notifier.subscribe("*", told.append)
    assert notifier.wanted
    end()
    notifier.publish(lambda: [event(1)])
    assert notifier.flush()
    assert len(told) == 1
    same()
    end()
    assert not notifier.wanted


def test_a_failing_subscriber_is_logged_and_the_others_are_told(notifier, caplog):
    told = []

    def broken(event):
        raise ValueError("broken")

    notifier.subscribe("*", broken)
    notifier.subscribe("*", told.append)
    with caplog.at_level(logging.ERROR, "active_workflow"):
        notifier.publish(lambda: [event(1), event(2)])
        assert notifier.flush()

    assert len(told) == 2
    assert caplog.text.count("ValueError: broken") == 2


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), GeneratorExit()])
def test_a_subscriber_that_wants_to_end_the_process_ends_nothing(notifier, error, caplog):
    told = []

    def broken(event):
        raise error

    notifier.subscribe("*", broken)
    notifier.subscribe("*", told.append)
    notifier.publish(lambda: [event(1)])
    assert notifier.flush(5)
    notifier.publish(lambda: [event(2)])
    assert notifier.flush(5)

    assert len(told) == 2


def test_events_that_cannot_be_made_harm_no_others(notifier, caplog):
    told = []
    notifier.subscribe("*", told.append)

    def broken():
        raise ValueError("can't be decoded")

    notifier.publish(broken)
    notifier.publish(lambda: [event(1)])
    assert notifier.flush(5)

    assert len(told) == 1
    assert "can't be decoded" in caplog.text


def test_a_subscriber_far_behind_loses_the_oldest_with_one_warning(notifier, monkeypatch, caplog):
    monkeypatch.setattr(module, "MOST_WAITING", 10)
    begun, go, told = threading.Event(), threading.Event(), []

    def slow(event):
        begun.set()
        go.wait(10)
        told.append(int(event.execution_id))

    notifier.subscribe("*", slow)
    notifier.publish(lambda: [event(0)])
    assert begun.wait(10)
    for number in range(1, 31):
        notifier.publish(lambda number=number: [event(number)])
    go.set()
    assert notifier.flush()

    assert told == [0, *range(21, 31)]
    assert caplog.text.count("far behind") == 1


def test_flush_tells_when_time_is_over(notifier):
    go = threading.Event()
    notifier.subscribe("*", lambda event: go.wait(10))
    notifier.publish(lambda: [event(1)])

    assert notifier.flush(0.02) is False
    go.set()
    assert notifier.flush() is True


def test_a_subscriber_may_subscribe_and_publish(notifier):
    told = []

    def first(event):
        if event.execution_id == "1":
            notifier.subscribe("*", told.append)
            notifier.publish(lambda: [_event_two])

    _event_two = event(2)
    notifier.subscribe("*", first)
    notifier.publish(lambda: [event(1)])
    assert notifier.flush()
    assert notifier.flush()

    assert [e.execution_id for e in told if e.execution_id == "2"] == ["2"]
