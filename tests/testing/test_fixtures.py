"""The pytest plugin: an engine and a clock for each test, the process's own left as it was."""

import re
import subprocess
import sys
from datetime import timedelta

import pytest

import active_workflow as aw
from active_workflow.engine import default
from active_workflow.testing import (
    assert_cancelled,
    assert_completed,
    assert_failed,
    assert_state,
    assert_undone,
    assert_waiting,
    run_until_idle,
    virtual_engine,
)
from active_workflow.testing.virtual import START, VirtualClock


class Subscription(aw.Workflow, name="FixtureSubscription"):
    @aw.step(retry=aw.Retry(max=2, first_delay="10s"), compensate="pay_back")
    def charge(self):
        if self.ctx.attempt == 1:
            raise ConnectionError("no answer")

    def pay_back(self): ...

    month = aw.sleep("30d")
    answer = aw.wait_for_signal(timeout="7d")

    @aw.step(no_undo="only sends")
    def go_on(self):
        if self.ctx.answer == "no":
            raise aw.NonRetryable("they do not want it")


def test_time_goes_by_as_the_test_says(workflow_engine, workflow_clock):
    execution = Subscription.start()
    assert workflow_clock.now == START == execution.created_at
    assert run_until_idle() == 1
    assert_state(execution, "waiting")

    workflow_clock.advance("10s")
    assert run_until_idle(workflow_engine) == 1
    assert_waiting(execution, Subscription.month)
    assert workflow_clock.advance_to(START + timedelta(days=31)) == START + timedelta(days=31)
    assert workflow_clock.advance_to(START) == START + timedelta(days=31)
    run_until_idle()
    aw.signal(execution.id, "answer", payload="yes")
    run_until_idle()
    assert_completed(execution)


@pytest.fixture
def refused(workflow_engine, workflow_clock):
    execution = Subscription.start()
    for wait in ("10s", "30d"):
        run_until_idle()
        workflow_clock.advance(wait)
    run_until_idle()
    execution.signal("answer", "no")
    run_until_idle()
    return execution


def test_assertions_that_hold(refused):
    assert_failed(refused)
    assert_failed(refused, "NonRetryable")
    assert_failed(refused, aw.NonRetryable)
    assert_undone(refused, "charge")


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        (assert_completed, "it should be completed"),
        (assert_cancelled, "it should be cancelled"),
        (lambda x: assert_state(x, "blocked"), "it should be blocked"),
        (lambda x: assert_failed(x, ValueError), "it should have failed with ValueError"),
        (lambda x: assert_waiting(x, "month"), "month should be waiting"),
        (lambda x: assert_undone(x, "go_on"), "go_on should be compensated"),
        (assert_undone, "undone is charge, too"),
    ],
)
def test_assertions_that_do_not_hold_tell_the_story(refused, claim, told):
    with pytest.raises(AssertionError) as caught:
        claim(refused)
    lines = str(caught.value).splitlines()
    assert lines[0] == told
    assert lines[2] == f"FixtureSubscription {refused.id} is failed"
    assert lines[3] == "  error: NonRetryable: they do not want it (in step 'go_on')"
    assert re.fullmatch(
        r"  charge  compensated +2 attempts  began at \+0 s  ended at \+\S+ [sd]  ConnectionError: no answer",
        lines[4],
    )
    assert lines[-1] == "  ctx: {'answer': 'no'}"


def test_what_is_under_way_is_told(workflow_engine):
    execution = Subscription.start()
    run_until_idle()
    with pytest.raises(AssertionError, match=r"pending +1 attempt  began at \+0 s  again at \+10 s"):
        assert_completed(execution)
    execution.cancel("enough")
    with pytest.raises(AssertionError, match=r"cancel was asked for at \+0 s"):
        assert_completed(execution)


def test_the_engine_there_was_comes_back():
    with virtual_engine(VirtualClock()) as outer:
        with virtual_engine(VirtualClock()) as inner:
            assert default.engine() is inner
            execution = Subscription.start()
        assert default.engine() is outer
        with pytest.raises(aw.ExecutionNotFound):
            aw.get(execution.id)


def test_what_is_configured_meanwhile_is_closed():
    with virtual_engine(VirtualClock()) as outer:
        with virtual_engine(VirtualClock()):
            other = aw.configure("memory://", embedded=False)
            assert default.engine() is other
        assert default.engine() is outer


def test_nothing_runs_by_itself(workflow_engine):
    execution = Subscription.start()
    assert not workflow_engine.has_worked
    assert execution.refresh().state == "pending"


def test_each_test_has_an_empty_store(workflow_engine):
    assert list(aw.find()) == []


def test_the_plugin_imports_no_engine():
    code = (
        "import sys, active_workflow.testing.plugin as plugin\n"
        "print(*sorted(name for name in sys.modules if name.startswith('active_workflow.')"
        " and name.split('.')[1] in {'engine', 'store', 'cli', 'dispatch', 'testing'}))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["active_workflow.testing", "active_workflow.testing.plugin"]


def test_pytest_finds_it_by_itself(tmp_path):
    (tmp_path / "test_it.py").write_text(
        "def test_it(workflow_engine, workflow_clock):\n    assert workflow_clock.now.year == 2030\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert "1 passed" in ran.stdout, ran.stdout
