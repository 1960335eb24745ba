"""What a process may do to its engine while a worker runs: close it, replace it, widen what it serves."""

import threading

import pytest

import active_workflow as aw
from tests.semantics.until import until


def test_a_step_can_t_close_or_replace_the_engine_that_runs_it(store_url, live):
    def configures(ctx):
        aw.configure("memory://")

    def closes(ctx):
        live.close()

    class Replaces(aw.Workflow):
        one = aw.task(configures)

    class Closes(aw.Workflow):
        one = aw.task(closes)

    for flow in (Replaces, Closes):
        execution = flow.start().wait(20)
        assert execution.state == "failed"
        assert execution.error.type == "MisuseError"


def test_what_is_started_while_an_engine_closes_is_left_to_others(store_url, gate):
    if store_url.startswith("memory"):
        pytest.skip("a memory store ends with its engine")

    class ClosingFlow(aw.Workflow):
        one = aw.task(lambda ctx: gate.enter())

    before = threading.active_count()
    engine = aw.configure(store_url)
    ClosingFlow.start()
    gate.wait_entered()
    closing = threading.Thread(target=engine.close)
    closing.start()
    until(lambda: engine._host._closing and not engine.has_worked)
    late = engine.start(ClosingFlow, {})
    gate.open()
    closing.join(20)
    assert not engine.has_worked, "nobody is left to run it here"
    until(lambda: threading.active_count() <= before)
    with aw.Engine(store_url) as other:
        assert other.get(late.id).wait(20).state == "completed"


def test_a_worker_that_is_asked_to_serve_everything_does(store_url, live, log):
    class Known(aw.Workflow):
        one = aw.task(lambda ctx: log.append("known"))

    Known.start().wait(20)  # starts the embedded worker, which keeps to this process's workflows
    first = live._host.worker
    live.start_worker()
    assert live._host.worker is not first
    second = live._host.worker
    live.start_worker()
    assert live._host.worker is second
    assert Known.start().wait(20).state == "completed"
