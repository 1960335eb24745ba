"""The pool: slots in threads for ``def``, one loop for ``async def``; what is taken back, stopped, closed."""

import asyncio
import threading
from concurrent.futures import CancelledError, Future
from queue import SimpleQueue

import pytest

from active_workflow.core.events import Returned
from active_workflow.engine.call import Report
from active_workflow.engine.pool import Loop, Pool, Threads
from tests.semantics.until import until

PATIENCE = 10


class Fake:
    """Stands for a call; the pool only passes it on."""

    def __init__(self, name, *, is_async=False):
        self.name = name
        self.is_async = is_async

    def report(self):
        return Report(self, Returned(self.name, 1))


@pytest.fixture
def reports():
    return SimpleQueue()


@pytest.fixture
def make_pool(reports):
    pools = []

    def make(size=2, *, call=Fake.report, call_async=None, report=None, loop=None):
        async def at_once(call):
            return call.report()

        pool = Pool(
            size,
            "test-pool",
            is_async=lambda call: call.is_async,
            call=call,
            call_async=call_async or at_once,
            report=report or reports.put,
            report_async=reports.put,
            loop=loop,
        )
        pools.append(pool)
        return pool

    yield make
    for pool in pools:
        pool.close()


def taken(reports, count):
    return {reports.get(timeout=PATIENCE).call.name for _ in range(count)}


def pool_threads_beside(before):
    """The threads that pools have started since; those of earlier tests may end meanwhile."""
    return [t for t in threading.enumerate() if t.name.startswith("test-pool") and t not in before]


def test_every_call_is_made_and_reported(make_pool, reports):
    pool = make_pool(3)
    pool.submit([Fake(n, is_async=n % 2 == 0) for n in range(50)])

    assert taken(reports, 50) == set(range(50))
    assert reports.empty()


def test_a_thread_makes_the_call_that_its_report_leads_to(make_pool, reports):
    following = iter([Fake("b"), Fake("c"), None])
    threads = []

    def call(fake):
        threads.append(threading.current_thread())
        return fake.report()

    def report(told):
        reports.put(told)
        return next(following)

    make_pool(3, call=call, report=report).submit([Fake("a")])

    assert taken(reports, 3) == {"a", "b", "c"}
    assert len(threads) == 3
    assert len(set(threads)) == 1


def test_a_thread_that_is_free_keeps_one_call_and_shares_the_rest_out(make_pool, reports):
    pool = make_pool(3)
    calls = [Fake("loop", is_async=True), Fake("here"), Fake("there")]

    assert pool.submit(calls, here=True) is calls[1]
    assert taken(reports, 2) == {"loop", "there"}
    assert pool.submit([Fake("loop", is_async=True)], here=True) is None
    assert taken(reports, 1) == {"loop"}


def test_no_more_threads_than_slots_and_no_more_than_are_needed(make_pool, reports):
    seen = set()
    go = threading.Event()

    def call(fake):
        seen.add(threading.current_thread().name)
        go.wait(PATIENCE)
        return fake.report()

    pool = make_pool(3, call=call)
    before = frozenset(threading.enumerate())
    pool.submit([Fake(0)])
    assert len(pool_threads_beside(before)) == 1
    pool.submit([Fake(n) for n in range(1, 10)])
    assert len(pool_threads_beside(before)) == 3
    go.set()

    assert taken(reports, 10) == set(range(10))
    assert seen == {"test-pool-1", "test-pool-2", "test-pool-3"}


def test_an_idle_thread_is_used_again():
    threads = Threads(5, "reused")
    names = []
    done = threading.Semaphore(0)

    def job():
        names.append(threading.current_thread().name)
        done.release()

    for _ in range(5):
        threads.submit(job)
        assert done.acquire(timeout=PATIENCE)
        until(lambda: threads._idle)
    threads.close()

    assert set(names) == {"reused-1"}


def test_what_no_thread_has_begun_is_taken_back_and_not_made(make_pool, reports):
    begun, go = threading.Event(), threading.Event()

    def call(fake):
        begun.set()
        go.wait(PATIENCE)
        return fake.report()

    pool = make_pool(1, call=call)
    fakes = [Fake(n) for n in range(5)]
    pool.submit(fakes)
    assert begun.wait(PATIENCE)
    assert pool.take_back() == fakes[1:]
    go.set()

    assert taken(reports, 1) == {0}
    assert pool.take_back() == []
    assert reports.empty()


def test_a_thread_can_t_be_stopped_and_a_task_is_cancelled(make_pool, reports):
    begun = threading.Event()

    async def call_async(fake):
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            return Report(fake, Returned("cancelled", 1))

    pool = make_pool(call_async=call_async)
    fake = Fake("task", is_async=True)
    pool.submit([fake])
    assert begun.wait(PATIENCE)
    assert pool.stop(Fake("thread")) is False
    assert pool.stop(fake) is True

    assert reports.get(timeout=PATIENCE).event.step == "cancelled"
    assert pool.stop(fake) is True  # once it is over that is no harm


def test_closing_cancels_the_tasks_and_ends_the_threads(make_pool, reports):
    begun = threading.Event()
    cancelled = Future()

    async def call_async(fake):
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            cancelled.set_result(True)

    pool = make_pool(call_async=call_async)
    before = frozenset(threading.enumerate())
    pool.submit([Fake("thread"), Fake("task", is_async=True)])
    assert begun.wait(PATIENCE)
    pool.close()

    assert cancelled.result(PATIENCE)
    for thread in pool_threads_beside(before):
        thread.join(PATIENCE)
    assert not pool_threads_beside(before)


def test_closing_leaves_a_task_behind_that_ignores_its_cancellation(make_pool, monkeypatch, caplog):
    monkeypatch.setattr("active_workflow.engine.pool.PATIENCE", 0.05)
    begun, go = threading.Event(), threading.Event()

    async def call_async(fake):
        begun.set()
        while not go.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue

    pool = make_pool(call_async=call_async)
    pool.submit([Fake("stubborn", is_async=True)])
    assert begun.wait(PATIENCE)
    pool.close()
    assert "left behind" in caplog.text
    go.set()

    until(pool.loop.loop.is_closed)  # once it has ended after all, so has the loop


def test_closing_ends_what_a_thread_has_awaited(make_pool):
    awaiting = threading.Event()
    ended = Future()

    async def for_ever():
        awaiting.set()
        await asyncio.Event().wait()

    pool = make_pool()

    def wait():
        try:
            pool.loop.wait_for(for_ever())
        except CancelledError as error:
            ended.set_result(type(error).__name__)

    threading.Thread(target=wait).start()
    assert awaiting.wait(PATIENCE)
    pool.close()

    assert ended.result(PATIENCE) == "CancelledError"


def test_closing_cancels_its_tasks_on_a_loop_of_the_caller_and_no_others(make_pool):
    async def main():
        begun = asyncio.Event()

        async def call_async(fake):
            begun.set()
            await asyncio.Event().wait()

        pool = make_pool(call_async=call_async, loop=asyncio.get_running_loop())
        other = asyncio.create_task(asyncio.Event().wait())
        pool.submit([Fake(1, is_async=True)])
        await begun.wait()
        await asyncio.to_thread(pool.close)
        left = asyncio.all_tasks() - {asyncio.current_task()}
        other.cancel()
        return left == {other}

    assert asyncio.run(main())


def test_taking_back_waits_for_nothing_that_a_thread_took_meanwhile():
    threads = Threads(1, "hasty")

    class Emptied(SimpleQueue):
        def empty(self):
            return False  # out of date by the time that one acts on it

    threads._jobs = Emptied()
    taken_back = Future()
    threading.Thread(target=lambda: taken_back.set_result(threads.take_back()), daemon=True).start()

    assert taken_back.result(PATIENCE) == []


def test_no_loop_is_made_where_nothing_is_async(make_pool, reports):
    pool = make_pool()
    pool.submit([Fake(1)])
    assert taken(reports, 1) == {1}

    assert not [t for t in threading.enumerate() if t.name == "test-pool-loop"]


def test_a_loop_of_the_caller_is_used_and_left_running(make_pool, reports):
    async def main():
        loops = []

        async def call_async(fake):
            loops.append(asyncio.get_running_loop())
            return fake.report()

        pool = make_pool(call_async=call_async, loop=asyncio.get_running_loop())
        pool.submit([Fake(1, is_async=True)])
        await asyncio.to_thread(reports.get, timeout=PATIENCE)
        pool.close()
        await asyncio.sleep(0)
        return loops == [asyncio.get_running_loop()]

    assert asyncio.run(main())


def test_a_thread_awaits_on_the_loop():
    loop = Loop("test-loop")

    async def answer():
        return threading.current_thread().name

    assert loop.wait_for(answer()) == "test-loop"
    with pytest.raises(ValueError, match="no"):
        loop.wait_for(_raises())
    loop.close()


async def _raises():
    raise ValueError("no")
