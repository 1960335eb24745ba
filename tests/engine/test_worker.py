"""The worker's thread: what the store does to it, and that nothing ends it but a drain."""

import os
import signal
import threading

import pytest

import active_workflow as aw
from active_workflow.engine.notices import notifier
from active_workflow.engine.outside import Deliverer
from active_workflow.engine.worker import Worker
from active_workflow.errors import StoreError, StoreUnavailable, UnknownCommit
from active_workflow.store.clock import system_clock
from active_workflow.store.memory import MemoryStore
from tests.semantics.until import until


class Faulty(MemoryStore):
    """A store whose calls raise what they are told to, before or after they have done what they do."""

    def __init__(self):
        super().__init__()
        self.faults = {}

    def fail(self, name, *errors, after=False):
        self.faults[name] = [list(errors), after]

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        faults = super().__getattribute__("__dict__").get("faults", {})
        if name not in faults:
            return value

        def faulty(*args, **kwargs):
            errors, after = faults[name]
            error = errors.pop(0) if errors else None
            if error is not None and not after:
                raise error
            answer = value(*args, **kwargs)
            if error is not None:
                raise error
            return answer

        return faulty


class WorkerFlow(aw.Workflow):
    one = aw.task(lambda ctx: ran.append((ctx.execution_id, "one")))
    two = aw.task(lambda ctx: ran.append((ctx.execution_id, "two")))
    approval = aw.wait_for_signal(when=lambda ctx: ctx.get("waits"))


ran = []


@pytest.fixture
def store():
    ran.clear()
    return Faulty()


@pytest.fixture
def engine(store):
    engine = aw.Engine(store, poll_interval="20ms", lease="600ms", concurrency=4)
    yield engine
    store.faults.clear()
    engine.close()


@pytest.mark.parametrize("call", ["commit", "claim", "renew", "states"])
@pytest.mark.parametrize(
    "error", [StoreUnavailable("not now"), StoreError("not at all")], ids=["busy", "broken"]
)
def test_a_store_that_fails_for_a_while_is_tried_again(engine, store, call, error, caplog):
    engine.start_worker()
    store.fail(call, error, error)
    executions = engine.start_many(WorkerFlow, [{"n": n} for n in range(150)])

    assert {x.wait(20).state.value for x in executions} == {"completed"}
    assert len(ran) == len(set(ran)) == 300
    assert "should not happen" not in caplog.text


def test_a_large_commit_that_fails_in_its_own_thread_is_tried_again(store, caplog):
    with aw.Engine(store, embedded=False, concurrency=64, poll_interval="20ms") as engine:
        executions = engine.start_many(WorkerFlow, [{"n": n} for n in range(64)])
        store.fail("commit", StoreUnavailable("not now"))
        engine.start_worker()

        assert {x.wait(20).state.value for x in executions} == {"completed"}
    assert "trying again: not now" in caplog.text
    assert "should not happen" not in caplog.text


@pytest.mark.parametrize("call", ["commit", "claim"])
def test_an_error_that_is_none_of_a_store_s_ends_no_worker(engine, store, call, caplog):
    engine.start_worker()
    store.fail(call, RuntimeError("a bug"))
    executions = engine.start_many(WorkerFlow, [{"n": n} for n in range(150)])

    assert {x.wait(20).state.value for x in executions} == {"completed"}
    assert "a bug" in caplog.text


def test_a_commit_that_landed_without_saying_so_is_not_done_again(engine, store):
    engine.start_worker()
    store.fail("commit", *[UnknownCommit("cut")] * 5, after=True)
    executions = engine.start_many(WorkerFlow, [{"n": n} for n in range(20)])

    assert {x.wait(20).state.value for x in executions} == {"completed"}
    assert len(ran) == len(set(ran)) == 40
    assert all(step.attempts == 1 for x in executions for step in list(x.steps.values())[:2])


class Watched(Faulty):
    """A store that keeps the names of the threads that commit."""

    def __init__(self):
        super().__init__()
        self.committers = set()

    def commit(self, changes):
        self.committers.add(threading.current_thread().name)
        return super().commit(changes)


def test_who_ends_a_step_while_the_worker_is_at_rest_records_it_and_goes_on():
    store = Watched()
    with aw.Engine(store, poll_interval="10m") as engine:
        for n in range(30):
            assert engine.start(WorkerFlow, {"n": n}).wait(20).state == "completed"

    assert any(name.startswith("active-workflow-") for name in store.committers)


class Later(aw.Workflow):
    @aw.step(retry=aw.Retry(max=2, delay="50ms"))
    def one(self):
        if self.ctx.attempt == 1:
            raise ValueError("not yet")


def test_the_workers_thread_is_woken_for_what_others_have_planned():
    with aw.Engine(MemoryStore(), poll_interval="10m", lease="30m") as engine:
        for n in range(10):
            assert engine.start(Later, {"n": n}).wait(20).state == "completed"


def test_a_drain_that_begins_while_a_thread_of_the_pool_has_the_baton_is_not_slept_through(monkeypatch):
    at_rest = Worker._at_rest
    told = threading.Event()

    def at_rest_until_now(worker):
        rest = at_rest(worker)
        if rest and not told.is_set():
            told.set()
            worker._inbox.put(worker._begin_drain)  # the turn that begins here must not take it
        return rest

    monkeypatch.setattr(Worker, "_at_rest", at_rest_until_now)
    with aw.Engine(MemoryStore(), poll_interval="10m", lease="30m") as engine:
        engine.start_worker()
        worker = engine._host.worker
        while not told.is_set():
            execution = engine.start(WorkerFlow, {})
            until(lambda x=execution: told.is_set() or x.refresh().state == "completed")

        assert worker._drained.wait(10)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
def test_a_forked_child_that_comes_back_from_a_step_records_nothing(tmp_path):
    class Forks(aw.Workflow):
        @aw.step(no_undo="a test")
        def first(self):
            threading.Event().wait(0.05)  # until the worker is at rest
            child = os.fork()
            if not child:
                raise ValueError("the child")
            try:
                threading.Event().wait(0.5)
            finally:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)

        last = aw.task(lambda ctx: None, no_undo="a test")

    with aw.Engine(f"sqlite:///{tmp_path}/forks.db", poll_interval="10m") as engine:
        execution = engine.start(Forks, {}).wait(20)

        assert execution.state == "completed"
        assert execution.steps["first"].error is None


@pytest.mark.parametrize("call", ["commit", "claim"])
def test_leases_that_can_t_be_given_back_for_a_bug_of_the_store_end_no_worker(engine, store, call, caplog):
    engine.start_worker()
    store.fail("release", RuntimeError("another bug"))
    store.fail(call, RuntimeError("a bug"))
    executions = engine.start_many(WorkerFlow, [{"n": n} for n in range(20)])

    assert {x.wait(20).state.value for x in executions} == {"completed"}


def test_calls_for_which_there_is_no_thread_leave_their_slots(monkeypatch, store, caplog):
    start, refused = threading.Thread.start, iter(range(8))

    def start_if_there_is_room(thread):
        if (
            thread.name.startswith("active-workflow-")
            and thread.name[-1].isdigit()
            and next(refused, None) is not None
        ):
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", start_if_there_is_room)
    with aw.Engine(store, poll_interval="20ms", concurrency=2) as engine:
        executions = engine.start_many(WorkerFlow, [{"n": n} for n in range(20)])
        assert {x.wait(20).state.value for x in executions} == {"completed"}


def test_draining_ends_its_threads(store):
    before = set(threading.enumerate())
    engine = aw.Engine(store)
    engine.start(WorkerFlow, {}).wait(20)
    assert engine.drain() is True
    engine.close()
    for thread in set(threading.enumerate()) - before:
        if thread.name != "active-workflow-waiter":
            thread.join(10)

    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert left <= {"active-workflow-waiter", "active-workflow-notices"}


class Sleeps(aw.Workflow):
    nap = aw.sleep("1h")


def test_a_clock_that_stood_while_the_machine_slept_is_put_right_by_the_store():
    slept = []
    store = MemoryStore(clock=lambda: system_clock() + 3_600_000_000 * len(slept))
    with aw.Engine(store, poll_interval="20ms") as engine:
        execution = engine.start(Sleeps, {})
        until(lambda: execution.refresh().state == "waiting")
        slept.append(1)

        assert execution.wait(20).state == "completed"


def test_what_a_worker_that_ends_meanwhile_was_to_take_over_is_given_back():
    store = MemoryStore()
    with aw.Engine(store, poll_interval="20ms") as engine, aw.Engine(store, poll_interval="20ms") as other:
        engine.start_worker()
        insert = store.insert
        store.insert = lambda *args, **kwargs: (engine.drain(), insert(*args, **kwargs))[1]
        execution = engine.start(WorkerFlow, {"waits": False})
        assert store.lease_of(execution.id) is None
        other.start_worker()

        assert other.get(execution.id).wait(20).state == "completed"


def test_an_idle_worker_asks_the_store_no_more_often_than_it_should():
    store = MemoryStore()
    engine = aw.Engine(store, poll_interval="50ms")
    claims = []
    claim = store.claim
    store.claim = lambda request: (claims.append(1), claim(request))[1]
    engine.start_worker()
    threading.Event().wait(0.5)
    engine.close()

    assert 5 <= len(claims) <= 15


# --- Callers from outside --------------------------------------------------------------------------------


def test_a_call_from_outside_is_tried_again_when_it_is_refused_or_the_store_is_busy(engine, store):
    execution = engine.start(WorkerFlow, {"waits": True})
    with pytest.raises(aw.WaitTimeout):
        execution.wait(0.1)
    store.fail("commit", StoreUnavailable("not now"), StoreUnavailable("not now"))
    assert engine.signal(execution.id, "approval", 1) is True

    assert execution.wait(20).state == "completed"


def test_many_signals_to_one_execution_are_one_commit(store):
    class Collects(aw.Workflow):
        first = aw.wait_for_signal("ping")
        second = aw.wait_for_signal("ping")
        never = aw.wait_for_signal()

    engine = aw.Engine(store, embedded=False)
    execution = engine.start(Collects, {})
    commits = []
    commit = store.commit
    store.commit = lambda changes: (commits.append(len(changes)), commit(changes))[1]
    told = []
    end = aw.subscribe("active_workflow.signal.received", lambda event: told.append(event.payload))
    items = [{"execution_id": execution.id, "name": "ping", "payload": n} for n in range(500)]

    assert engine.signal_many(items)[:2] == [True, True]
    assert commits == [1]
    assert (execution.refresh().ctx.first, execution.ctx.second) == (0, 1)
    assert notifier.flush()
    end()
    assert told[:2] == [0, 1]


@pytest.mark.parametrize("landed", [True, False])
def test_many_of_one_whose_commit_is_of_unknown_outcome_count_once_and_say_so(store, landed):
    class Pair(aw.Workflow):
        first = aw.wait_for_signal("ping")
        second = aw.wait_for_signal("ping")

    engine = aw.Engine(store, embedded=False)
    execution = engine.start(Pair, {})
    store.fail("commit", UnknownCommit("cut"), after=landed)
    items = [
        {"execution_id": execution.id, "name": "ping", "payload": n, "idempotency_key": str(n)}
        for n in (0, 1, 0)
    ]

    assert engine.signal_many(items) == [True, True, False]
    assert execution.refresh().state == "completed"
    assert (execution.ctx.first, execution.ctx.second) == (0, 1)


def test_a_call_from_outside_gives_up_at_its_deadline(engine, store, monkeypatch):
    monkeypatch.setattr("active_workflow.engine.outside.DEADLINE", 0.05)
    execution = engine.start(WorkerFlow, {"waits": True}, tags={})
    store.fail("load", *[StoreUnavailable("not now")] * 100)
    with pytest.raises(StoreUnavailable):
        engine.signal(execution.id, "approval", 1)
    store.faults.clear()
    assert execution.refresh().ctx == {"waits": True}


def test_many_signals_of_many_threads_all_count_once(engine):
    class Counting(aw.Workflow):
        a = aw.wait_for_signal("ping")
        b = aw.wait_for_signal("ping")
        c = aw.wait_for_signal("ping")
        d = aw.wait_for_signal("ping")

    execution = engine.start(Counting, {})
    threads = [
        threading.Thread(target=lambda n=n: engine.signal(execution.id, "ping", n, idempotency_key=str(n)))
        for n in (0, 1, 2, 3) * 2
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert execution.wait(20).state == "completed"
    assert sorted(execution.ctx[name] for name in "abcd") == [0, 1, 2, 3]
    assert isinstance(engine._host.deliverer, Deliverer)


@pytest.mark.parametrize("after", [True, False], ids=["landed", "lost"])
@pytest.mark.parametrize("key", [None, "k"])
def test_a_start_whose_commit_is_of_unknown_outcome_starts_one(store, after, key):
    engine = aw.Engine(store, embedded=False)
    store.fail("insert", UnknownCommit("cut"), after=after)
    execution = engine.start(WorkerFlow, {}, idempotency_key=key)

    assert [x.id for x in engine.find()] == [execution.id]


@pytest.mark.parametrize("landed", [True, False])
def test_a_signal_whose_commit_is_of_unknown_outcome_counts_once_and_says_so(store, landed):
    engine = aw.Engine(store, embedded=False)
    execution = engine.start(WorkerFlow, {"waits": True})
    engine.run_until_idle()
    store.fail("commit", UnknownCommit("cut"), after=landed)
    assert engine.signal(execution.id, "approval", 1, idempotency_key="k") is True
    assert engine.signal(execution.id, "approval", 1, idempotency_key="k") is False
    engine.run_until_idle()

    assert execution.refresh().state == "completed"
