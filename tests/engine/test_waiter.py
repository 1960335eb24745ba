"""The waiter: told at once of what this process records, and asking the store for the rest."""

import threading
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass

import pytest

from active_workflow.core.states import State
from active_workflow.engine import waiter as waiters
from active_workflow.engine.waiter import Waiter, is_settled
from active_workflow.errors import StoreUnavailable

PATIENCE = 10


class Store:
    """Answers what it is told to, and keeps what it was asked."""

    def __init__(self):
        self.states = {}
        self.asked = threading.Semaphore(0)
        self.questions = []
        self.broken = 0

    def __call__(self, ids):
        self.questions.append(sorted(ids))
        self.asked.release()
        if self.broken:
            self.broken -= 1
            raise StoreUnavailable("not now")
        return {id: self.states[id] for id in ids if id in self.states}


@dataclass(frozen=True)
class Recorded:
    id: str
    state: State


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def waiter(store):
    return Waiter(store)


def test_what_rests_already_is_found_at_once(waiter, store):
    store.states["a"] = State.COMPLETED

    assert waiter.wait_for("a").result(PATIENCE) is State.COMPLETED


def test_what_this_process_records_is_told_without_asking(waiter, store):
    store.states["a"] = State.RUNNING
    future = waiter.wait_for("a")
    assert store.asked.acquire(timeout=PATIENCE)
    waiter.settle([Recorded("a", State.RUNNING), Recorded("b", State.COMPLETED)])
    assert not future.done()
    waiter.settle([Recorded("a", State.FAILED)])

    assert future.result(PATIENCE) == Recorded("a", State.FAILED)


def test_what_others_record_is_found_by_asking_again(waiter, store):
    store.states["a"] = State.RUNNING
    future = waiter.wait_for("a")
    assert store.asked.acquire(timeout=PATIENCE)
    store.states["a"] = State.CANCELLED

    assert future.result(PATIENCE) is State.CANCELLED


def test_a_hint_makes_it_look(waiter, store):
    store.states["a"] = State.RUNNING
    future = waiter.wait_for("a")
    for _ in range(5):  # by now the pauses between two looks are long
        assert store.asked.acquire(timeout=PATIENCE)
    store.states["a"] = State.COMPLETED
    waiter.look()

    assert future.result(0.3) is State.COMPLETED


def test_one_question_for_all(waiter, store):
    store.states.update(a=State.RUNNING, b=State.RUNNING, c=State.RUNNING)
    futures = [waiter.wait_for(id) for id in ("a", "b", "c")]
    while ["a", "b", "c"] not in store.questions:
        assert store.asked.acquire(timeout=PATIENCE)
    store.states.update(a=State.COMPLETED, b=State.PAUSED, c=State.BLOCKED)
    waiter.look()

    assert [future.result(PATIENCE) for future in futures] == [State.COMPLETED, State.PAUSED, State.BLOCKED]


def test_several_may_wait_for_one(waiter, store):
    store.states["a"] = State.RUNNING
    futures = [waiter.wait_for("a") for _ in range(3)]
    waiter.settle([Recorded("a", State.COMPLETED)])

    assert [future.result(PATIENCE) for future in futures] == [Recorded("a", State.COMPLETED)] * 3


def test_a_store_that_does_not_answer_is_asked_again(waiter, store):
    store.broken = 3
    store.states["a"] = State.COMPLETED

    assert waiter.wait_for("a").result(PATIENCE) is State.COMPLETED


def test_what_is_forgotten_is_asked_for_no_longer_and_the_thread_ends(waiter, store, monkeypatch):
    monkeypatch.setattr(waiters, "LINGERS", 0.0)
    store.states["a"] = State.RUNNING
    future, other = waiter.wait_for("a"), waiter.wait_for("a")
    waiter.forget("a", future)
    waiter.settle([Recorded("a", State.COMPLETED)])
    assert other.result(PATIENCE) == Recorded("a", State.COMPLETED)
    with pytest.raises(FutureTimeout):
        future.result(0)
    waiter.forget("a", future)  # twice is no harm
    if (thread := waiter._thread) is not None:
        thread.join(PATIENCE)

    assert waiter._thread is None
    store.states["b"] = State.FAILED
    assert waiter.wait_for("b").result(PATIENCE) is State.FAILED  # and a new one is made


def test_a_future_that_was_cancelled_harms_nobody(waiter, store):
    store.states["a"] = State.RUNNING
    gone, kept = waiter.wait_for("a"), waiter.wait_for("a")
    gone.cancel()
    waiter.settle([Recorded("a", State.COMPLETED)])

    assert kept.result(PATIENCE) == Recorded("a", State.COMPLETED)


@pytest.mark.parametrize("state", State)
def test_what_counts_as_rest(state):
    rests = {"completed", "failed", "cancelled", "paused", "blocked", "compensation_failed"}

    assert is_settled(state) is (state.value in rests)


def test_what_is_deleted_meanwhile_is_awaited_no_longer(waiter, store):
    store.states["a"] = State.RUNNING
    future = waiter.wait_for("a")
    assert store.asked.acquire(timeout=PATIENCE)
    del store.states["a"]

    assert future.result(PATIENCE) is None
