"""Races of callers from outside with the worker and with each other: many times, with real threads.

Each round sends everything through a barrier at once; whoever wins, the record must be one that some order
of the same events explains, and every answer given must be true. ``test_races_between_processes`` does the
same from other processes on one SQLite file.
"""

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import active_workflow as aw
from tests.semantics.until import until

ROUNDS = 20


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Make calls at the same moment, each in a thread; give what each came to, errors included."""
    barrier = threading.Barrier(len(calls))

    def made(call: Callable[[], Any]) -> Any:
        barrier.wait(20)
        try:
            return call()
        except aw.ActiveWorkflowError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as threads:
        return [future.result(30) for future in [threads.submit(made, call) for call in calls]]


class External(aw.Workflow):
    @aw.task
    @staticmethod
    def before(ctx):
        return {"before": 1}

    @before.compensate
    def undo_before(ctx, result):  # noqa: N805 - a function of ctx, like its step
        undone.append(ctx.execution_id)

    @aw.step(external=True, timeout="1h")
    def partner(self):
        return {"job": self.ctx.attempt}

    @aw.task
    @staticmethod
    def after(ctx):
        return {"seen": ctx.partner}


undone: list[str] = []


class Approved(aw.Workflow):
    approval = aw.wait_for_signal(timeout="1h")
    after = aw.task(lambda ctx: {"seen": ctx.approval})


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_completion_races_the_call_that_starts_the_wait(live, round_):
    execution = External.start(n=round_)
    until(lambda: execution.refresh().steps["partner"].attempts)  # its call has been recorded as started

    assert execution.complete_step("partner", {"round": round_}) is True
    assert execution.wait("20s").ctx.seen == {"round": round_}


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_signal_races_its_wait(live, round_):
    execution = Approved.start(n=round_)

    assert execution.signal("approval", {"round": round_}) is True
    assert execution.wait("20s").ctx.seen == {"round": round_}


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_two_completions_at_once(live, round_):
    execution = External.start(n=round_)
    until(lambda: execution.refresh().steps["partner"].state == "waiting")

    answers = at_once(
        lambda: live.complete_step(execution.id, "partner", "one", idempotency_key="1"),
        lambda: live.complete_step(execution.id, "partner", "two", idempotency_key="2"),
        lambda: live.complete_step(execution.id, "partner", "one", idempotency_key="1"),
    )
    execution.wait("20s")

    winner = execution.ctx.partner
    assert execution.state == "completed"
    assert execution.ctx.seen == winner
    assert [answer for answer in answers if answer is True] == [True]
    losers = [answer for answer in answers if answer is not True]
    if winner == "one":  # its repeat is no conflict, the other is
        assert sorted(type(answer).__name__ for answer in losers) == ["CompletionConflict", "bool"]
    else:
        assert [type(answer).__name__ for answer in losers] == ["CompletionConflict"] * 2


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_cancel_races_a_completion(live, round_):
    execution = External.start(n=round_)
    until(lambda: execution.refresh().steps["partner"].state == "waiting")

    cancelled, completed = at_once(
        lambda: live.cancel(execution.id), lambda: live.complete_step(execution.id, "partner", "done")
    )
    execution.wait("20s")

    if cancelled:  # the completion may have come first; what was done is undone all the same
        assert execution.state == "cancelled"
        assert undone.count(execution.id) == 1
        assert execution.steps["before"].state == "compensated"
    else:
        assert execution.state == "completed"
        assert completed is True
        assert execution.id not in undone


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_cancel_races_a_signal(live, round_):
    execution = Approved.start(n=round_)
    until(lambda: execution.refresh().steps["approval"].state == "waiting")

    cancelled, signalled = at_once(
        lambda: live.cancel(execution.id), lambda: live.signal(execution.id, "approval", 1)
    )
    execution.wait("20s")

    assert execution.state == ("cancelled" if cancelled else "completed")
    assert cancelled or signalled


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_many_signals_at_once_are_each_taken_once_and_in_their_order(live, round_):
    class Three(aw.Workflow):
        one = aw.wait_for_signal("go", store_result_as="one")
        two = aw.wait_for_signal("go", store_result_as="two")
        three = aw.wait_for_signal("go", store_result_as="three")

    execution = Three.start(n=round_)
    answers = at_once(
        *(lambda n=n: live.signal(execution.id, "go", n, idempotency_key=f"k{n % 3}") for n in range(6))
    )
    execution.wait("20s")

    assert execution.state == "completed"
    assert answers.count(True) == 3
    taken = [execution.ctx.one, execution.ctx.two, execution.ctx.three]
    assert sorted(n % 3 for n in taken) == [0, 1, 2]


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_a_completion_races_the_timeout(engine, round_):
    """The timer is due and nobody has fired it: a worker and a caller come at the same moment."""
    execution = engine.run(External.start(n=round_))
    engine.clock.advance("1h")

    answer, _ = at_once(
        lambda: aw.complete_step(execution.id, "partner", "late"), engine.engine.run_until_idle
    )
    engine.run(execution)

    if answer:
        assert execution.state == "completed"
        assert execution.ctx.seen == "late"
    else:
        assert execution.state == "failed"
        assert execution.error.type == "TimeoutError"
        assert execution.id in undone


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_an_extension_races_the_timeout(engine, round_):
    execution = engine.run(External.start(n=round_))
    engine.clock.advance("1h")

    extended, _ = at_once(
        lambda: aw.extend_timeout(execution.id, "partner", by="1h"), engine.engine.run_until_idle
    )
    engine.run(execution)

    if not extended:
        assert execution.state == "failed"
        return
    assert execution.state == "waiting"
    assert engine.after("59m", execution).state == "waiting"
    assert engine.after("1m", execution).error.type == "TimeoutError"


CALLER = """
import sys
import active_workflow as aw
from tests.semantics.test_races import Approved, External

engine = aw.configure(sys.argv[1], embedded=False)
for line in sys.stdin:
    verb, id = line.split()
    if verb == "complete":
        answer = engine.complete_step(id, "partner", "done", idempotency_key="same")
    elif verb == "signal":
        answer = engine.signal(id, "approval", "go", idempotency_key="same")
    else:
        answer = engine.cancel(id)
    print(int(answer), flush=True)
"""


class Caller:
    """Another process that calls from outside."""

    def __init__(self, url: str) -> None:
        root = Path(__file__).parents[2]
        self._process = subprocess.Popen(
            [sys.executable, "-c", CALLER, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
        )

    def __call__(self, verb: str, id: str) -> bool:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{verb} {id}\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip() == "1"

    def close(self) -> None:
        self._process.communicate()
        assert self._process.returncode == 0


def test_races_between_processes(tmp_path):
    url = f"sqlite:///{tmp_path}/races.db"
    engine = aw.configure(url, poll_interval="5s")  # so that only hints can be quick
    callers = [Caller(url), Caller(url)]
    try:
        for number in range(ROUNDS):
            external, approved = External.start(n=number), Approved.start(n=number)
            until(lambda x=external: x.refresh().steps["partner"].state == "waiting")
            answers = at_once(
                lambda x=external: callers[0]("complete", x.id),
                lambda x=external: callers[1]("complete" if number % 2 else "cancel", x.id),  # noqa: B023
                lambda x=approved: engine.signal(x.id, "approval", "go", idempotency_key="same"),
            )
            external.wait("20s")
            assert approved.wait("20s").ctx.seen == "go"
            assert answers[2] is True
            if number % 2:
                assert sorted(answers[:2]) == [False, True]
                assert external.ctx.seen == "done"
            else:
                assert external.state == ("cancelled" if answers[1] else "completed")
    finally:
        for caller in callers:
            caller.close()
        engine.close()
