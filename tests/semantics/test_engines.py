"""Engines: several on one store, closing, configuring again, forking, serving; what an engine survives."""

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import active_workflow as aw
from tests.semantics.until import until

SOURCE = Path(aw.__file__).parents[1]


class EngineFlow(aw.Workflow):
    one = aw.task(lambda ctx: {"pid": os.getpid()})
    two = aw.task(lambda ctx: {"two": 2})


class EngineWaits(aw.Workflow):
    approval = aw.wait_for_signal()


def sibling(store_url, first, **options):
    """Another engine of the same store: by its URL where that is shared, else by the store itself."""
    if store_url.startswith("memory"):
        return aw.Engine(first.store, **options)
    return aw.Engine(store_url, **options)


def test_two_engines_on_one_store_share_the_work_and_do_each_step_once(store_url, live, log):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: log.append((ctx.execution_id, "one")))
        two = aw.task(lambda ctx: log.append((ctx.execution_id, "two")))

    other = sibling(store_url, live, poll_interval="20ms")
    other.start_worker()
    executions = Flow.start_many([{"n": n} for n in range(200)])
    more = [other.start(Flow, {"n": n}) for n in range(50)]

    assert {x.wait(30).state.value for x in [*executions, *more]} == {"completed"}
    assert len(log) == 500
    assert len(set(log)) == 500
    assert other.get(executions[0].id).state == "completed"
    if not store_url.startswith("memory"):
        other.close()
    else:
        other.drain()


def test_an_engine_sees_at_once_what_another_signals(store_url, live):
    other = sibling(store_url, live, embedded=False)
    execution = EngineWaits.start()
    until(lambda: other.get(execution.id).state == "waiting")
    assert other.signal(execution.id, "approval", 1) is True

    assert execution.wait(20).state == "completed"
    if not store_url.startswith("memory"):
        other.close()


def test_closing_lets_a_running_step_end_within_the_grace(store_url, gate):
    engine = aw.Engine(store_url, grace="20s")

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: (gate.enter(), {"one": 1})[1])
        two = aw.task(lambda ctx: {"two": 1})

    execution = engine.start(Flow, {})
    gate.wait_entered()
    answer = []
    closing = threading.Thread(target=lambda: answer.append(engine.drain()))
    closing.start()
    gate.open()
    closing.join(20)

    assert answer == [True]
    found = engine.get(execution.id)
    assert found.steps["one"].state == "completed"
    assert found.state in ("running", "completed")
    engine.start_worker()  # and it can be started again
    assert execution.wait(20).state == "completed"
    engine.close()


def test_a_step_that_outlasts_the_grace_is_given_up_and_found_interrupted(store_url, gate, log):
    engine = aw.Engine(store_url, grace="50ms")

    class Flow(aw.Workflow):
        @aw.step
        def one(self):
            log.append(self.ctx.attempt)
            if self.ctx.attempt == 1:
                gate.enter()
            return {"one": self.ctx.attempt}

    execution = engine.start(Flow, {})
    gate.wait_entered()
    assert engine.drain() is False
    engine.start_worker()

    assert execution.wait(20).state == "completed"
    assert execution.ctx.one == 2
    gate.open()
    assert log == [1, 2]
    engine.close()


def test_draining_takes_back_what_was_started_and_not_called(store_url, gate):
    engine = aw.Engine(store_url, concurrency=1, grace="20s")

    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: gate.enter() if ctx.n == 0 else None)

    executions = [engine.start(Flow, {"n": n}) for n in range(10)]
    gate.wait_entered()
    draining = threading.Thread(target=engine.drain)
    draining.start()
    gate.open()
    draining.join(20)

    found = [engine.get(x.id) for x in executions]
    assert all(x.steps["one"].attempts <= 1 for x in found)
    assert all(x.steps["one"].state in ("pending", "completed") for x in found)
    engine.start_worker()
    for x in executions:
        assert x.wait(20).state == "completed"
        assert x.steps["one"].attempts == 1
    engine.close()


def test_configure_again_closes_what_it_replaces(tmp_path):
    first = aw.configure(f"sqlite:///{tmp_path}/one.db")
    one = EngineFlow.start()
    one.wait(20)
    second = aw.configure(f"sqlite:///{tmp_path}/two.db")
    two = EngineFlow.start()

    assert two.wait(20).state == "completed"
    assert second.get(two.id).id == two.id
    with pytest.raises(aw.ExecutionNotFound):
        aw.get(one.id)
    assert first is not second
    assert not [t for t in threading.enumerate() if t.name.startswith("active-workflow") and "vm" in t.name]
    second.close()


def test_a_configuration_that_can_t_be_leaves_the_engine_there_was(live):
    execution = EngineFlow.start()
    for wrong in ("nonsense", "oracle://x", "sqlite://x"):
        with pytest.raises(aw.ConfigurationError):
            aw.configure(wrong)
    with pytest.raises(aw.ConfigurationError):
        aw.configure("memory://", lease="-1s")
    with pytest.raises(aw.ConfigurationError):
        aw.configure("memory://", serializer="pickle")

    assert execution.wait(20).state == "completed"
    assert aw.get(execution.id).state == "completed"


def test_a_closed_engine_may_be_closed_again_and_used_again(tmp_path):
    engine = aw.Engine(f"sqlite:///{tmp_path}/one.db")
    execution = engine.start(EngineFlow, {}).wait(20)
    engine.close()
    engine.close()
    assert engine.get(execution.id).state == "completed"
    engine.close()


def test_as_a_context_manager(store_url):
    with aw.Engine(store_url) as engine:
        assert engine.start(EngineFlow, {}).wait(20).state == "completed"


def test_serve_runs_async_steps_on_the_caller_s_loop(store_url):
    loops = []

    class Flow(aw.Workflow):
        @aw.step
        async def one(self):
            loops.append(asyncio.get_running_loop())
            return {"one": 1}

        @aw.step
        def two(self):
            return {"two": threading.current_thread().name}

    async def main():
        engine = aw.Engine(store_url)
        async with engine.serve():
            execution = await engine.start_async(Flow, {})
            await execution.wait_async(20)
        engine.close()
        return execution, asyncio.get_running_loop()

    execution, loop = asyncio.run(main())
    assert execution.state == "completed"
    assert loops == [loop]
    assert execution.ctx.two.startswith("active-workflow")


def test_serve_takes_the_caller_s_loop_though_a_worker_runs_already(store_url):
    loops = []

    class Flow(aw.Workflow):
        @aw.step
        async def one(self):
            loops.append(asyncio.get_running_loop())

    async def main():
        with aw.Engine(store_url) as engine:
            await (await engine.start_async(Flow, {})).wait_async(20)
            async with engine.serve():
                await (await engine.start_async(Flow, {})).wait_async(20)
            return asyncio.get_running_loop()

    loop = asyncio.run(main())
    assert [each is loop for each in loops] == [False, True]


def test_a_cancelled_wait_leaves_the_work_alone(live):
    execution = EngineWaits.start()

    async def main():
        waiting = asyncio.create_task(execution.wait_async())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert execution.signal("approval", 1) is True
    assert execution.wait(20).state == "completed"


def test_many_threads_use_one_engine(live):
    found = []

    def use():
        execution = EngineFlow.start(n=1)
        found.append(execution.wait(20).state)

    threads = [threading.Thread(target=use) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["completed"] * 20


def test_queues_are_served_by_who_says_so(store_url, log):
    class Flow(aw.Workflow):
        one = aw.task(lambda ctx: log.append("one"))
        two = aw.task(lambda ctx: log.append("two"), queue="slow")
        three = aw.task(lambda ctx: log.append("three"))

    with aw.Engine(store_url, embedded=False, queues=["default"]) as first:
        second = sibling(store_url, first, embedded=False, queues=["slow"])
        execution = first.start(Flow, {})
        first.run_until_idle()
        assert log == ["one"]
        second.run_until_idle()
        assert log == ["one", "two"]
        first.run_until_idle()
        assert execution.refresh().state == "completed"
        if not store_url.startswith("memory"):
            second.close()


def test_an_inline_dispatcher_runs_all_before_start_returns(store_url):
    with aw.Engine(store_url, dispatcher=aw.InlineDispatcher()) as engine:
        execution = engine.start(EngineFlow, {})
        assert execution.refresh().state == "completed"
        waits = engine.start(EngineWaits, {})
        assert waits.refresh().state == "waiting"
        engine.signal(waits.id, "approval")
        assert waits.refresh().state == "completed"


def test_a_serializer_of_one_s_own(store_url):
    class Shouting:
        def dump(self, value):
            import json  # noqa: PLC0415 - a user's own

            return json.dumps({"loud": value})

        def load(self, text):
            import json  # noqa: PLC0415

            return json.loads(text)["loud"]

    with aw.Engine(store_url, embedded=False, serializer=Shouting()) as engine:
        execution = engine.start(EngineFlow, {"n": [1]})
        engine.run_until_idle()
        assert execution.refresh().state == "completed"
        assert execution.ctx.n == [1]
        assert execution.ctx.two == 2


# --- Processes -----------------------------------------------------------------------------------------


def python(script, folder, **environment):
    env = os.environ | {"PYTHONPATH": str(SOURCE)} | environment
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


GREET = """
import active_workflow as aw
class Greet(aw.Workflow):
    @aw.step
    def hello(self):
        print("hello", self.ctx.who)
"""


def test_unconfigured_it_runs_in_the_current_folder(tmp_path):
    ran = python(GREET + 'print(Greet.start(who="Ada").wait().state)', tmp_path)

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "hello Ada\ncompleted\n"
    assert (tmp_path / "active_workflow.db").exists()
    assert ran.stderr == ""


def test_a_process_that_ends_with_unfinished_work_says_so(tmp_path):
    script = """
import active_workflow as aw
class Waits(aw.Workflow):
    approval = aw.wait_for_signal()
for _ in range(3):
    Waits.start()
"""
    ran = python(script, tmp_path)

    assert ran.returncode == 0
    assert "3 executions" in ran.stderr
    assert "active-workflow worker" in ran.stderr


def test_a_process_that_ends_lets_its_subscribers_hear_the_end(tmp_path):
    script = """
import time
def tell(event):
    time.sleep(0.2)
    print(event.name)
aw.subscribe("active_workflow.execution.completed", tell)
Greet.start(who="Ada").wait()
"""
    ran = python(GREET + script, tmp_path)

    assert ran.stdout == "hello Ada\nactive_workflow.execution.completed\n", ran.stderr


def test_importing_and_defining_touches_nothing(tmp_path):
    ran = python(GREET + "import threading; print(threading.active_count())", tmp_path)

    assert ran.stdout == "1\n"
    assert list(tmp_path.iterdir()) == []


FORK = """
import os, sys, threading, traceback
import active_workflow as aw
from active_workflow.engine.notices import notifier
class Forked(aw.Workflow):
    one = aw.task(lambda ctx: {"pid": os.getpid()})
def in_child(told, parent, second):
    assert not [t for t in threading.enumerate() if t.name.startswith("active-workflow")]
    assert aw.get(parent.id).state == "completed"
    child = Forked.start().wait(20)
    assert child.state == "completed", child.explain()
    assert child.ctx.pid == os.getpid(), "the parent did the child's work first"
    assert notifier.flush()
    assert told == [parent.id, child.id], (told, second.id)
def main():
    aw.configure("sqlite:///fork.db", poll_interval="50ms")
    told = []
    aw.subscribe("active_workflow.execution.completed", lambda event: told.append(event.execution_id))
    parent = Forked.start().wait(20)
    assert parent.ctx.pid == os.getpid()
    assert [t for t in threading.enumerate() if t.name.startswith("active-workflow")]
    assert notifier.flush()
    busy, go_on, mine = threading.Event(), threading.Event(), os.getpid()
    end = aw.subscribe("*", lambda event: os.getpid() == mine and (busy.set(), go_on.wait(20)))
    second = Forked.start().wait(20)
    assert busy.wait(20)  # the thread that tells is in the middle of something, and more waits behind it
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            in_child(told, parent, second)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    go_on.set()
    end()
    assert Forked.start().wait(20).state == "completed"
    print("ok")
main()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_has_no_worker_and_can_start_one(tmp_path):
    ran = python(FORK, tmp_path)

    assert ran.stdout == "ok\n", ran.stderr
    assert ran.returncode == 0


def test_a_process_that_exits_at_once_lets_its_running_steps_end(tmp_path):
    script = """
import time
import active_workflow as aw
class Slow(aw.Workflow):
    @aw.step
    def one(self):
        time.sleep(0.3)
        print("ended", flush=True)
Slow.start()
time.sleep(0.1)
"""
    ran = python(script, tmp_path)

    assert ran.stdout == "ended\n", ran.stderr
    assert ran.returncode == 0


def test_an_embedded_worker_keeps_to_its_queues_for_what_is_started_here_too(store_url, log):
    class Flow(aw.Workflow, queue="slow"):
        one = aw.task(lambda ctx: log.append("slow"))

    class Mine(aw.Workflow):
        one = aw.task(lambda ctx: log.append("default"))

    with aw.Engine(store_url, queues=["default"], poll_interval="20ms") as engine:
        slow = engine.start(Flow, {})
        assert engine.start(Mine, {}).wait(20).state == "completed"
        assert slow.refresh().state == "pending"
        assert slow.steps["one"].attempts == 0
    assert log == ["default"]


ENDING = """
import asyncio, sys, threading
import active_workflow as aw

class Flow(aw.Workflow):
    @aw.step
    def paid(self):
        pass

    @paid.compensate
    def refund(self):
        print("refunded", flush=True)

    @aw.step
    async def told(self):
        while threading.main_thread().is_alive():
            await asyncio.sleep(0.001)
        await asyncio.to_thread(print, "told")

aw.configure(sys.argv[1], grace="200ms")
execution = Flow.start()
while not execution.refresh().steps["told"].attempts:
    pass
print(execution.id)
"""


def test_a_step_that_python_refuses_a_thread_at_the_end_is_interrupted_and_not_undone(tmp_path):
    url = f"sqlite:///{tmp_path}/ending.db"
    done = subprocess.run(
        [sys.executable, "-c", ENDING, url], capture_output=True, text=True, check=True, timeout=60
    )

    assert "refunded" not in done.stdout
    with aw.Engine(url, embedded=False) as engine:
        execution = engine.get(done.stdout.split()[0])
        assert execution.steps["paid"].state == "completed"
        assert execution.steps["told"].state == "running"  # whoever claims it finds it interrupted
        assert execution.error is None


def test_a_wait_on_an_engine_that_is_closed_says_so(store_url):
    class Waits(aw.Workflow):
        go = aw.wait_for_signal()

    engine = aw.Engine(store_url)
    execution = engine.start(Waits, {})
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(execution.wait)
        until(lambda: engine._host.waiter._awaited)
        engine.close()
        with pytest.raises(aw.MisuseError, match="closed while wait"):
            waiting.result(20)
