"""The decisions of a worker's mind, one by one: no threads, no clock, no store."""

from typing import Any

import pytest

from active_workflow.core.attempts import Failure
from active_workflow.core.events import (
    CancelRequested,
    Completed,
    Decided,
    Failed,
    Paused,
    Resumed,
    Returned,
    Started,
    Verified,
)
from active_workflow.core.machine import apply, begun
from active_workflow.core.plan import Plan, StepKind, StepPlan
from active_workflow.core.plan_data import sealed
from active_workflow.core.retry import RetryPolicy
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import State, StepState
from active_workflow.engine.call import Call, CallKind, Report, not_called, overtime
from active_workflow.engine.driver import Driver
from active_workflow.engine.outside import Deliverer
from active_workflow.engine.scheduler import Scheduler, WorkerSettings
from active_workflow.errors import StoreUnavailable, UnknownCommit
from active_workflow.store.base import Claimed, Heartbeat, NewExecution
from active_workflow.store.memory import MemoryStore

SECOND = 1_000_000
LEASE = 30 * SECOND
RETRY = (RetryPolicy(max=3, first_delay=2 * SECOND),)
OOPS = Failure("Oops", "it broke")


class Store(MemoryStore):
    """The memory store, which can be told to fail, and counts its calls."""

    def __init__(self, clock: Any) -> None:
        super().__init__(clock)
        self.commits: list[list[Any]] = []
        self.claims = 0
        self.fails: str | None = None

    def commit(self, changes: Any) -> Any:
        if self.fails == "before":
            raise StoreUnavailable("down")
        self.commits.append(list(changes))
        answers = super().commit(changes)
        if self.fails == "after":
            raise UnknownCommit("the answer was lost")
        return answers

    def claim(self, request: Any) -> Any:
        self.claims += 1
        return super().claim(request)


class Bench:
    """A store, a time, and workers that are moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000 * SECOND
        self.store = Store(lambda: self.now)
        self.told: list[Any] = []
        self.lacking: set[str] = set()

    def worker(self, name: str = "w", **settings: Any) -> "Worker":
        return Worker(self, WorkerSettings(name, LEASE, SECOND, **settings))

    def insert(self, *steps: StepPlan, id: str = "x", run_in: int = 0, **options: Any) -> None:
        plan = sealed(Plan("Flow", steps, **options))
        run_at = self.now + run_in
        x = begun(Execution(id, plan, {}, {}, "", self.now, run_at, revision=1), self.now)
        self.store.insert([NewExecution(x, due_at=run_at)])

    def outside(self, event: Any, id: str = "x") -> None:
        Deliverer(self.store, lambda: self.now, lambda _: None).deliver(id, event)

    def read(self, id: str = "x") -> Execution:
        return self.store.load([id])[0]

    def row(self, id: str = "x") -> Any:
        return self.store._rows[id]


class Worker:
    def __init__(self, bench: Bench, settings: WorkerSettings) -> None:
        self.bench = bench
        self.scheduler = Scheduler(settings, self.serves, lambda: 0.5)
        self.driver = Driver(self.scheduler, bench.store, lambda: bench.now, bench.told.extend)

    def serves(self, x: Execution) -> str | None:
        return "no code" if x.plan.workflow in self.bench.lacking else None

    def turn(self) -> list[Call]:
        self.scheduler.hint()
        return self.driver.turn()

    def begin(self) -> list[Call]:
        calls = self.turn()
        assert all(call.begin(self.bench.now) for call in calls)
        return calls

    def report(self, call: Call, event: Any, *, over: bool = True) -> None:
        self.scheduler.report(Report(call, event, over), self.bench.now)

    def returns(self, call: Call, result: str = '"done"') -> None:
        undo = call.kind is CallKind.UNDO
        self.report(call, Returned(call.step, call.attempt, None if undo else result, undo=undo))

    def raises(self, call: Call) -> None:
        self.report(call, Failed(call.step, call.attempt, OOPS, undo=call.kind is CallKind.UNDO))

    def measure(self, duration: int) -> None:
        for _ in range(200):
            self.scheduler.pace.measure(duration)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def chain(*names: str, **options: Any) -> list[StepPlan]:
    return [
        StepPlan(name, after=names[max(place - 1, 0) : place], **options) for place, name in enumerate(names)
    ]


# --- Starting and recording -------------------------------------------------------------------------


def test_a_step_is_recorded_as_started_before_it_is_called(bench: Bench) -> None:
    bench.insert(*chain("a"))
    [call] = bench.worker().turn()
    assert (call.step, call.attempt) == ("a", 1)
    assert bench.read().steps["a"].state is StepState.RUNNING


def test_recording_a_step_and_starting_the_next_is_one_write(bench: Bench) -> None:
    bench.insert(*chain("a", "b"))
    worker = bench.worker()
    [first] = worker.begin()
    worker.returns(first)
    written = len(bench.store.commits)
    [second] = worker.turn()
    assert second.step == "b"
    assert len(bench.store.commits) == written + 1
    assert bench.read().steps["a"].state is StepState.COMPLETED


def test_what_ended_meanwhile_is_one_commit_for_many_executions(bench: Bench) -> None:
    for number in range(5):
        bench.insert(*chain("a"), id=f"x{number}")
    worker = bench.worker()
    for call in worker.begin():
        worker.returns(call)
    worker.turn()
    assert [len(changes) for changes in bench.store.commits] == [5, 5]
    assert not worker.scheduler.held


def test_observers_are_told_after_the_commit(bench: Bench) -> None:
    bench.insert(*chain("a"))
    bench.worker().turn()
    [(before, after)] = bench.told
    assert (before.state, after.state) == (State.PENDING, State.RUNNING)


# --- How many are started ---------------------------------------------------------------------------


def test_slow_steps_are_not_started_ahead_of_a_free_slot(bench: Bench) -> None:
    for number in range(5):
        bench.insert(*chain("a"), id=f"x{number}")
    worker = bench.worker(concurrency=2)
    worker.measure(SECOND)
    assert len(worker.turn()) == 2


def test_quick_steps_are_started_ahead_as_many_as_get_done_in_a_moment(bench: Bench) -> None:
    for number in range(50):
        bench.insert(*chain("a"), id=f"x{number}")
    worker = bench.worker(concurrency=2)
    worker.measure(10_000)
    assert len(worker.turn()) == pytest.approx(2 + 2 * 5, abs=1)


@pytest.mark.parametrize("option", ["at_most_once", "verifies"])
def test_a_step_whose_interruption_is_dear_is_never_started_ahead(bench: Bench, option: str) -> None:
    for number in range(50):
        bench.insert(*chain("a", **{option: True}), id=f"x{number}")
    worker = bench.worker(concurrency=2)
    worker.measure(1_000)
    calls = worker.begin()
    assert len(calls) == 2
    worker.returns(calls[0])
    assert len(worker.turn()) == 1


def test_whoever_waited_longest_for_room_comes_first(bench: Bench) -> None:
    for number in range(4):
        bench.insert(*chain("a", "b"), id=f"x{number}")
    worker = bench.worker(concurrency=4)
    calls = worker.begin()
    worker.scheduler.pace.slots = worker.scheduler.pace.limit = 1  # as if other calls had taken the rest
    for call in calls[:3]:
        worker.returns(call)
    assert worker.turn() == []
    worker.returns(calls[3])
    assert [call.id for call in worker.turn()] == ["x0"]


def test_idle_slots_claim_even_a_single_execution(bench: Bench) -> None:
    worker = bench.worker(concurrency=2)
    bench.insert(*chain("a"), id="x1")
    assert len(worker.turn()) == 1
    bench.insert(*chain("a"), id="x2")
    assert len(worker.turn()) == 1


@pytest.mark.parametrize(
    ("poll_interval", "lease", "pause"),
    [
        (SECOND, LEASE, 20 * SECOND),
        (SECOND // 20, LEASE, SECOND),
        (60 * SECOND, LEASE, 60 * SECOND),
        (SECOND, 8 * SECOND, 8 * SECOND),  # the end of each lease is known before it comes
    ],
)
def test_who_surely_hears_hints_looks_more_seldom(
    bench: Bench, poll_interval: int, lease: int, pause: int
) -> None:
    hears = [False]
    settings = WorkerSettings("w", lease, poll_interval, hears=lambda: hears[0])
    worker = Worker(bench, settings)
    for heard, wanted in ((False, poll_interval), (True, pause), (False, poll_interval)):
        hears[:] = [heard]
        worker.turn()
        assert worker.scheduler.wake_at(bench.now) == bench.now + wanted


def test_who_surely_hears_hints_still_looks_when_something_is_due(bench: Bench) -> None:
    bench.insert(*chain("a"), run_in=3 * SECOND)
    worker = bench.worker(hears=lambda: True)
    assert not worker.turn()
    assert worker.scheduler.wake_at(bench.now) == bench.now + 3 * SECOND
    worker.scheduler.hint()
    assert worker.scheduler.wake_at(bench.now) == bench.now


def test_a_full_worker_claims_nothing(bench: Bench) -> None:
    for number in range(4):
        bench.insert(*chain("a"), id=f"x{number}")
    worker = bench.worker(concurrency=2)
    worker.turn()
    claims = bench.store.claims
    worker.turn()
    assert bench.store.claims == claims


# --- Suspects ---------------------------------------------------------------------------------------


def suspects(bench: Bench, *ids: str) -> None:
    """Executions whose step has lost its worker twice in a row."""
    for id in ids:
        bench.insert(*chain("a"), id=id)
    for number in range(2):
        assert len(bench.worker(f"lost{number}").begin()) == len(ids)
        bench.now += LEASE


def test_one_suspect_runs_at_a_time(bench: Bench) -> None:
    suspects(bench, "x", "y")
    worker = bench.worker("third")
    [first] = worker.begin()
    assert worker.turn() == []
    worker.returns(first)
    [second] = worker.turn()
    assert {first.id, second.id} == {"x", "y"}


def test_a_suspect_does_not_keep_others_from_running(bench: Bench) -> None:
    suspects(bench, "x", "y")
    bench.insert(*chain("a"), id="bystander")
    assert {call.id for call in bench.worker("third").turn()} == {"x", "bystander"}


def test_a_suspect_waits_for_a_question_that_has_lost_workers(bench: Bench) -> None:
    bench.insert(*chain("a"), id="x")
    bench.insert(StepPlan("nap", StepKind.SLEEP, duration=SECOND, decides=True), id="question")
    for number in range(2):
        assert {call.id for call in bench.worker(f"lost{number}").begin()} == {"x", "question"}
        bench.now += LEASE
    worker = bench.worker("third")
    [asked] = worker.begin()
    assert asked.kind is CallKind.DECIDE, "who is lost with it counts it as one more worker lost"
    assert worker.turn() == []
    worker.report(asked, Decided("nap", go=True))
    assert [call.id for call in worker.turn()] == ["x"]


def test_suspects_that_wait_take_nobodys_place(bench: Bench) -> None:
    suspects(bench, "x", "y", "z")
    worker = bench.worker("third", concurrency=4)
    worker.turn()
    for number in range(3):
        bench.insert(*chain("a"), id=f"new{number}")
    assert len(worker.turn()) == 3


# --- Time limits ------------------------------------------------------------------------------------


def test_running_time_counts_from_the_call_not_from_the_start(bench: Bench) -> None:
    bench.insert(*chain("a", timeout=5 * SECOND))
    worker = bench.worker()
    [call] = worker.turn()
    bench.now += 6 * SECOND
    assert worker.scheduler.expired(bench.now) == []
    call.begin(bench.now)
    bench.now += 4 * SECOND
    assert worker.scheduler.expired(bench.now) == []
    bench.now += 3 * SECOND
    assert worker.scheduler.expired(bench.now) == [call]


def test_a_thread_that_ran_out_of_time_keeps_its_slot_until_it_ends(bench: Bench) -> None:
    bench.insert(*chain("a", timeout=SECOND, retry=RETRY))
    worker = bench.worker(concurrency=1)
    [call] = worker.begin()
    bench.now += SECOND
    worker.report(call, overtime(call, 0.5, stopped=False), over=False)
    worker.turn()
    assert worker.scheduler.pace.free == 0
    worker.returns(call)
    worker.turn()
    assert worker.scheduler.pace.free == 1
    assert bench.read().state is State.COMPLETED


def test_a_verify_that_ran_out_of_time_frees_its_slot_once(bench: Bench) -> None:
    bench.insert(*chain("a", timeout=SECOND, verifies=True, retry=RETRY))
    bench.worker("lost").begin()
    bench.now += LEASE
    worker = bench.worker(concurrency=2)
    [call] = worker.begin()
    assert call.kind is CallKind.VERIFY
    bench.now += SECOND
    worker.report(call, overtime(call, 0.5, stopped=False), over=False)
    assert worker.scheduler.pace.free == 1
    worker.report(call, Verified("a", 1, landed=True))
    assert worker.scheduler.pace.free == 2


def test_a_call_of_a_lost_lease_is_stopped_all_the_same(bench: Bench) -> None:
    bench.insert(*chain("a", timeout=SECOND))
    worker = bench.worker()
    [call] = worker.begin()
    worker.scheduler.abandon()
    assert worker.scheduler.expired(bench.now + 2 * SECOND) == [call]


def test_a_sign_of_life_is_looked_for_before_its_absence_counts(bench: Bench) -> None:
    external = StepPlan("a", StepKind.EXTERNAL, heartbeat_timeout=5 * SECOND)
    bench.insert(external, StepPlan("b"))
    worker = bench.worker()
    first, _ = worker.begin()
    worker.returns(first)
    worker.turn()
    bench.now += 4 * SECOND
    assert bench.store.touch([Heartbeat("x", "a")]) == [True]
    bench.now += 2 * SECOND
    worker.turn()
    worker.turn()
    assert bench.read().steps["a"].state is StepState.WAITING
    bench.now += 4 * SECOND
    worker.turn()
    worker.turn()
    assert bench.read().steps["a"].state is StepState.TIMED_OUT


def test_a_flow_timeout_fires_while_a_step_waits_for_room(bench: Bench) -> None:
    bench.insert(StepPlan("a"), StepPlan("b"), timeout=10 * SECOND)
    worker = bench.worker(concurrency=1)
    [_] = worker.begin()
    wake_at = worker.scheduler.wake_at(bench.now)
    assert wake_at is not None
    assert wake_at <= bench.now + 10 * SECOND
    bench.now += 10 * SECOND
    worker.turn()
    assert bench.read().ending is not None


# --- Leases -----------------------------------------------------------------------------------------


def test_leases_are_renewed_all_at_once_three_times_a_lease(bench: Bench) -> None:
    bench.insert(*chain("a"), id="x")
    bench.insert(*chain("a"), id="y")
    worker = bench.worker()
    worker.begin()
    assert worker.scheduler.renewals(bench.now + LEASE // 3 - 1) == []
    assert len(worker.scheduler.renewals(bench.now + LEASE // 3)) == 2


def test_a_renewal_that_failed_is_due_at_once_again(bench: Bench) -> None:
    bench.insert(*chain("a"))
    worker = bench.worker()
    worker.begin()
    later = bench.now + LEASE // 3
    assert worker.scheduler.renewals(later)
    assert worker.scheduler.renewals(later)


def test_nothing_starts_when_the_lease_may_be_over_but_facts_are_recorded(bench: Bench) -> None:
    bench.insert(*chain("a", "b"))
    worker = bench.worker()
    [call] = worker.begin()
    bench.now += LEASE
    worker.returns(call)
    worker.driver.commit()
    assert worker.scheduler.calls() == []
    x = bench.read()
    assert x.steps["a"].state is StepState.COMPLETED
    assert "b" not in x.steps
    [second] = worker.turn()  # the lease was still there: it is renewed, and things go on
    assert second.step == "b"


def test_a_call_that_waited_past_its_lease_does_not_begin(bench: Bench) -> None:
    bench.insert(*chain("a"))
    worker = bench.worker()
    [call] = worker.turn()
    assert not call.begin(bench.now + LEASE)
    worker.scheduler.report(not_called(call), bench.now)
    [again] = worker.turn()
    assert again.attempt == 1


def test_a_long_stall_that_nobody_noticed_interrupts_nothing(bench: Bench) -> None:
    bench.insert(*chain("a"))
    worker = bench.worker()
    [call] = worker.begin()
    bench.now += 10 * LEASE
    assert worker.turn() == []
    worker.returns(call)
    worker.turn()
    assert bench.read().steps["a"].run.attempts == 1
    assert bench.read().state is State.COMPLETED


def test_what_a_lost_lease_brings_late_changes_nothing(bench: Bench) -> None:
    bench.insert(*chain("a"))
    loser, winner = bench.worker("loser"), bench.worker("winner")
    [late] = loser.begin()
    bench.now += LEASE
    [call] = winner.begin()
    loser.returns(late, '"late"')
    loser.turn()
    assert not loser.scheduler.held
    assert call.attempt == 2
    assert bench.read().steps["a"].result is None


def test_calls_of_a_lost_lease_that_wait_for_a_slot_do_not_begin(bench: Bench) -> None:
    bench.insert(*chain("a"))
    loser = bench.worker("loser")
    [queued] = loser.turn()
    bench.now += LEASE
    bench.worker("winner").turn()
    loser.turn()
    assert not queued.begin(bench.now)
    assert not queued.begin(0)


# --- Refused, unknown, rejected ---------------------------------------------------------------------


def test_after_a_refusal_facts_are_applied_to_what_was_read(bench: Bench) -> None:
    bench.insert(*chain("a", "b"))
    worker = bench.worker()
    [call] = worker.begin()
    bench.outside(CancelRequested())
    worker.returns(call)
    worker.turn()
    worker.turn()
    x = bench.read()
    assert x.state is State.CANCELLED
    assert x.steps["a"].state is StepState.COMPLETED
    assert "b" not in x.steps


def test_a_commit_that_landed_without_an_answer_is_called_once(bench: Bench) -> None:
    bench.insert(*chain("a"))
    worker = bench.worker()
    bench.store.fails = "after"
    with pytest.raises(UnknownCommit):
        worker.turn()
    bench.store.fails = None
    [call] = worker.begin()
    assert worker.turn() == []
    assert bench.read().steps["a"].run.interruptions == 0
    worker.returns(call)
    worker.turn()
    assert bench.read().steps["a"].run.attempts == 1


def test_a_commit_that_never_arrived_is_made_again(bench: Bench) -> None:
    bench.insert(*chain("a", "b"))
    worker = bench.worker()
    [call] = worker.begin()
    worker.returns(call)
    bench.store.fails = "before"
    with pytest.raises(StoreUnavailable):
        worker.turn()
    bench.store.fails = None
    [second] = worker.turn()
    assert second.step == "b"
    assert bench.read().steps["a"].result == '"done"'


def test_a_lease_that_may_have_been_given_up_is_not_relied_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.insert(*chain("a", retry=RETRY))
    worker = bench.worker()
    [call] = worker.begin()
    worker.raises(call)
    bench.store.fails = "after"
    with pytest.raises(UnknownCommit):
        worker.turn()  # it parks the execution until the retry
    bench.store.fails = None
    bench.now += 2 * SECOND  # the retry is due: others may claim it by now
    monkeypatch.setattr(bench.store, "claim", lambda _: Claimed([], None, bench.now))
    assert worker.turn() == []
    assert not worker.scheduler.held


def test_a_commit_that_breaks_for_any_reason_is_read_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.insert(*chain("a"))
    worker = bench.worker()
    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "commit", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            worker.turn()
    assert len(worker.turn()) == 1


def test_a_result_that_cannot_be_recorded_fails_its_step_and_no_other(bench: Bench) -> None:
    bench.insert(StepPlan("a"), StepPlan("b"))
    worker = bench.worker()
    first, second = worker.begin()
    worker.returns(first)
    worker.returns(second, '"\ud800"')
    for _ in range(4):
        worker.turn()
    steps = bench.read().steps
    assert steps["a"].state is StepState.COMPLETED
    assert steps["b"].state is StepState.FAILED
    assert steps["b"].error is not None
    assert steps["b"].error.type == "SerializationError"


def test_an_execution_that_breaks_the_law_is_let_go_and_harms_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.insert(*chain("a"), id="x")
    bench.insert(*chain("a"), id="y")
    worker = bench.worker()
    plan = worker.scheduler._starts.plan

    def broken(held: Any, now: int) -> bool:
        if held.id == "x":
            raise KeyError("corrupt")
        return plan(held, now)

    monkeypatch.setattr(worker.scheduler._starts, "plan", broken)
    assert [call.id for call in worker.turn()] == ["y"]
    assert [id for id, _ in worker.scheduler.faults] == ["x"]


# --- Parking ----------------------------------------------------------------------------------------


def test_what_waits_is_given_up_with_the_time_at_which_it_is_due(bench: Bench) -> None:
    bench.insert(*chain("a", retry=RETRY))
    worker = bench.worker()
    [call] = worker.begin()
    worker.raises(call)
    worker.turn()
    row = bench.row()
    assert not worker.scheduler.held
    assert (row.lease_owner, row.due_at) == (None, bench.now + 2 * SECOND)
    assert worker.scheduler.wake_at(bench.now) is not None


def test_a_worker_looks_again_when_what_it_gave_up_is_due(bench: Bench) -> None:
    bench.insert(*chain("a", retry=(RetryPolicy(max=3, first_delay=SECOND // 4),)))
    worker = bench.worker()
    [call] = worker.begin()
    worker.raises(call)
    worker.turn()
    assert worker.scheduler.wake_at(bench.now) == bench.now + SECOND // 4


def test_what_happens_outside_while_it_is_given_up_is_not_lost(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.insert(*chain("a"))
    worker = bench.worker()
    bench.outside(Paused())
    bench.row().due_at = bench.now  # as after a lost lease: it is claimed although it is paused
    bench.store._keep(bench.row())
    commit = bench.store.commit

    def commit_too_late(changes: Any) -> Any:
        monkeypatch.setattr(bench.store, "commit", commit)
        bench.outside(Resumed())
        return commit(changes)

    monkeypatch.setattr(bench.store, "commit", commit_too_late)
    assert worker.turn() == []
    assert len(worker.turn()) == 1


def test_a_step_of_another_queue_is_left_to_those_who_serve_it(bench: Bench) -> None:
    bench.insert(StepPlan("a"), StepPlan("b", after=("a",), queue="other"))
    here, there = (
        bench.worker("here", queues=frozenset({"default"})),
        bench.worker("there", queues=frozenset({"other"})),
    )
    [call] = here.begin()
    here.returns(call)
    assert here.turn() == []
    assert not here.scheduler.held
    assert [call.step for call in there.turn()] == ["b"]


def test_a_first_step_that_is_a_wait_begins_when_its_time_has_come(bench: Bench) -> None:
    bench.insert(StepPlan("a", StepKind.SLEEP, duration=SECOND), run_in=5 * SECOND)
    worker = bench.worker()
    bench.now += 5 * SECOND
    worker.turn()
    assert bench.read().steps["a"].state is StepState.WAITING
    assert bench.row().due_at == bench.now + SECOND


# --- Code -------------------------------------------------------------------------------------------


def test_an_execution_without_code_here_is_blocked_and_goes_on_where_it_has_some(bench: Bench) -> None:
    bench.insert(*chain("a"))
    bench.lacking.add("Flow")
    worker = bench.worker()
    assert worker.turn() == []
    assert bench.read().state is State.BLOCKED
    assert worker.turn() == []
    bench.lacking.clear()
    assert len(worker.turn()) == 1


# --- Draining ---------------------------------------------------------------------------------------


def test_draining_takes_back_what_was_started_and_not_called(bench: Bench) -> None:
    bench.insert(*chain("a"))
    worker = bench.worker()
    [call] = worker.turn()
    worker.scheduler.drain()
    worker.scheduler.report(not_called(call), bench.now)
    worker.turn()
    assert not worker.scheduler.held
    assert bench.read().step("a").run.attempts == 0
    assert bench.row().due_at is not None


def test_draining_takes_back_a_start_whose_commit_was_of_unknown_outcome(bench: Bench) -> None:
    bench.insert(*chain("a"))
    worker = bench.worker()
    bench.store.fails = "after"
    with pytest.raises(UnknownCommit):
        worker.turn()
    bench.store.fails = None
    worker.scheduler.drain()
    assert worker.turn() == []
    assert not worker.scheduler.held
    assert bench.read().step("a").run.attempts == 0


def test_draining_lets_what_runs_come_to_its_end_and_starts_nothing_after_it(bench: Bench) -> None:
    bench.insert(*chain("a", "b"))
    worker = bench.worker()
    [call] = worker.begin()
    worker.scheduler.drain()
    assert worker.turn() == []
    assert list(worker.scheduler.held) == ["x"]
    worker.returns(call)
    assert worker.turn() == []
    assert not worker.scheduler.held
    assert bench.read().steps["a"].state is StepState.COMPLETED


def test_an_attempt_that_was_given_up_with_its_worker_is_due_whoever_writes_next(bench: Bench) -> None:
    bench.insert(StepPlan("a", StepKind.EXTERNAL))
    worker = bench.worker()
    worker.begin()
    worker.driver.give_up()
    bench.outside(Completed("a", '"early"'))
    bench.worker("next").turn()
    assert bench.read().state is State.COMPLETED


# --- Attempts that others lost ----------------------------------------------------------------------


def test_an_attempt_adopted_with_its_execution_is_called(bench: Bench) -> None:
    plan = sealed(Plan("Flow", tuple(chain("a"))))
    x = Execution("x", plan, {}, {}, "", bench.now, bench.now, revision=1, token=1)
    x = apply(begun(x, bench.now), Started("a"), bench.now)
    bench.store.insert([NewExecution(x, lease_owner="w", lease=LEASE)])
    worker = bench.worker()
    worker.scheduler.adopt(x, bench.now + LEASE, bench.now)
    [call] = worker.turn()
    assert call.attempt == 1


def test_a_lost_attempt_is_known_as_lost_and_the_next_one_starts_with_the_same_commit(bench: Bench) -> None:
    bench.insert(*chain("a"))
    bench.worker("lost").begin()
    bench.now += LEASE
    written = len(bench.store.commits)
    [call] = bench.worker("next").turn()
    assert call.attempt == 2
    assert bench.read().steps["a"].run.interruptions == 1
    assert len(bench.store.commits) == written + 1


def test_reports_that_come_twice_change_nothing(bench: Bench) -> None:
    bench.insert(*chain("a"))
    worker = bench.worker()
    [call] = worker.begin()
    worker.returns(call)
    worker.returns(call)
    worker.turn()
    assert worker.scheduler.pace.in_use == 0
    assert bench.read().state is State.COMPLETED
