"""The simulation finds bugs: each of these, put in on purpose, is found, and by the invariant that it breaks.

Most are found within a few dozen seeds; those that a small cluster can show are found by the exhaustive
exploration as well, by the shortest way there is.
"""

from collections.abc import Callable
from typing import Any

import pytest

from active_workflow.core import events, machine, ready, retry, runs, waits
from active_workflow.engine import call, held, leases, scheduler, starts, transactional
from active_workflow.engine.call import Report
from active_workflow.store.base import Verdict
from active_workflow.store.memory import MemoryStore
from active_workflow.testing import simulation
from active_workflow.testing.simulation.cluster import Cluster
from active_workflow.testing.statespace.configurations import CONFIGURATIONS
from active_workflow.testing.statespace.search import explore_states

SEEDS = 3000
Patch = pytest.MonkeyPatch


def the_fence_is_dropped(patch: Patch) -> None:
    commit = MemoryStore._commit

    def unfenced(self: Any, change: Any) -> Any:
        row = self._rows.get(change.id)
        if row is not None:
            change = change._replace(after=change.after.evolve(token=row.execution.token))
        return commit(self, change)

    patch.setattr(MemoryStore, "_commit", unfenced)


def interrupted_attempts_are_not_counted(patch: Patch) -> None:
    lost = runs.lost
    patch.setattr(runs, "lost", lambda run, *rest: lost(run, *rest).evolve(attempts=run.attempts - 1))


def the_undo_order_is_reversed(patch: Patch) -> None:
    next_undo = ready.next_undo

    def first_undo(x: Any) -> Any:
        left = [step for step in x.steps.values() if ready._to_undo(x, step)]
        return min(left, key=lambda step: step.seq or 0) if next_undo(x) is not None else None

    patch.setattr(ready, "next_undo", first_undo)


def leases_are_not_renewed(patch: Patch) -> None:
    patch.setattr(leases.Renewals, "began", lambda self, now: None)


def lapsed_leases_are_relied_on(patch: Patch) -> None:
    def begin(self: Any, now: int) -> bool:
        self.called_at = now
        return True

    patch.setattr(held.Held, "lapsed", lambda self, now: False)
    patch.setattr(call.Call, "begin", begin)


def early_completions_are_lost(patch: Patch) -> None:
    returned = machine.HANDLERS[events.Returned]

    def forgetful(x: Any, event: Any, now: int) -> Any:
        step = x.step(event.step)
        return returned(x if step.early is None else x.with_step(step.evolve(early=None)), event, now)

    patch.setitem(machine.HANDLERS, events.Returned, forgetful)  # type: ignore[arg-type]


def a_refused_commit_is_taken_for_applied(patch: Patch) -> None:
    committed = scheduler.Scheduler.committed

    def credulous(self: Any, changes: Any, answers: Any, now: int) -> Any:
        return committed(self, changes, [answer._replace(verdict=Verdict.APPLIED) for answer in answers], now)

    patch.setattr(scheduler.Scheduler, "committed", credulous)


def a_commit_of_unknown_outcome_is_taken_for_lost(patch: Patch) -> None:
    def careless(self: Any, changes: Any) -> None:
        for change in changes:
            if (held := self._answered(change)) is not None:
                held.sent = None
                self._holdings.look_soon(held)

    patch.setattr(scheduler.Scheduler, "commit_unknown", careless)


def signals_are_consumed_twice(patch: Patch) -> None:
    take = waits._take_signal

    def greedy(x: Any, *rest: Any) -> Any:
        after = take(x, *rest)
        return after if after is x else after.evolve(signals=x.signals)

    patch.setattr(waits, "_take_signal", greedy)


def facts_are_lost_with_a_refused_commit(patch: Patch) -> None:
    reread = held.Held.reread

    def forgetful(self: Any, execution: Any, now: int) -> None:
        self.facts.clear()
        reread(self, execution, now)

    patch.setattr(held.Held, "reread", forgetful)


def attempts_of_lost_workers_are_called_again(patch: Patch) -> None:
    patch.setattr(held.Held, "attempts", lambda self: frozenset())


def suspects_run_together(patch: Patch) -> None:
    patch.setattr(starts.Starts, "_suspect_runs", lambda self: False)


def executions_given_up_while_a_step_runs_are_forgotten(patch: Patch) -> None:
    due_at = ready.due_at

    def forgetful(x: Any) -> int | None:
        return None if any(step.run.running for step in x.steps.values()) else due_at(x)

    patch.setattr("active_workflow.engine.outside.due_at", forgetful)


def a_timer_fires_twice(patch: Patch) -> None:
    timed_out = waits._external_timed_out

    def twice(x: Any, step: Any, timer: Any, roll: float, now: int) -> Any:
        ended = runs.ended_badly(step.run, runs.timed_out("the first time"), now)
        return timed_out(x, step.evolve(run=ended), timer, roll, now)

    patch.setattr(waits, "_external_timed_out", twice)


def cancel_loses_to_a_completion(patch: Patch) -> None:
    reread = held.Held.reread

    def stubborn(self: Any, execution: Any, now: int) -> None:
        known, cancelled = self.known, execution.ending is not None and self.known.ending is None
        reread(self, execution, now)
        if cancelled:
            self.known = known.evolve(revision=execution.revision)

    patch.setattr(held.Held, "reread", stubborn)


def a_retry_does_not_wait(patch: Patch) -> None:
    patch.setattr(retry.RetryPolicy, "delay_after", lambda self, failures, roll: 0)


def what_is_told_during_a_commit_is_lost(patch: Patch) -> None:
    recorded_as = held.Held.recorded_as

    def forgetful(self: Any, execution: Any, now: int) -> None:
        self.sent = None
        recorded_as(self, execution, now)

    patch.setattr(held.Held, "recorded_as", forgetful)


def transactions_of_attempts_that_ran_out_are_committed(patch: Patch) -> None:
    patch.setattr(transactional, "_runs", lambda x, call: True)


def transactions_are_not_fenced(patch: Patch) -> None:
    decide = transactional._Decision.__call__

    def unfenced(self: Any, seen: Any) -> Any:
        self._call.token = seen.token
        return decide(self, seen)

    patch.setattr(transactional._Decision, "__call__", unfenced)


def what_comes_of_a_transaction_is_only_hoped_for(patch: Patch) -> None:
    def hopeful(self: Any, call: Any, event: Any, transaction: Any) -> Any:
        return Report(call, event)

    patch.setattr(transactional.Transactional, "_recorded", hopeful)


MUTANTS: dict[Callable[[Patch], None], tuple[int, str | None]] = {
    the_fence_is_dropped: (4, "a saga that fails"),
    interrupted_attempts_are_not_counted: (2, "a saga that fails"),
    early_completions_are_lost: (9, "an external step, completed early, late and twice"),
    the_undo_order_is_reversed: (7, "a saga that fails"),
    signals_are_consumed_twice: (8, None),  # one wait is not enough
    leases_are_not_renewed: (1, "a saga that fails"),
    a_timer_fires_twice: (10, None),
    cancel_loses_to_a_completion: (9, "cancel"),
    a_retry_does_not_wait: (14, "a step that is tried again"),
    a_refused_commit_is_taken_for_applied: (15, "a saga that fails"),
    a_commit_of_unknown_outcome_is_taken_for_lost: (4, "an external step, completed early, late and twice"),
    lapsed_leases_are_relied_on: (4, "a saga that fails"),
    facts_are_lost_with_a_refused_commit: (2, "cancel"),
    attempts_of_lost_workers_are_called_again: (2, "a saga that fails"),
    suspects_run_together: (12, None),  # it takes several executions
    executions_given_up_while_a_step_runs_are_forgotten: (1, None),
    what_is_told_during_a_commit_is_lost: (2, None),  # here the store answers at once
    transactions_of_attempts_that_ran_out_are_committed: (5, None),
    transactions_are_not_fenced: (4, None),
    what_comes_of_a_transaction_is_only_hoped_for: (5, None),
}
"""Each with the invariant that it breaks, and the small cluster that shows it, if one does."""
EXPLORED = [(mutant, where) for mutant, (_, where) in MUTANTS.items() if where is not None]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_simulation_finds_that(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    monkeypatch.setattr(simulation, "story_of", lambda seed: "")
    mutant(monkeypatch)
    invariant, _ = MUTANTS[mutant]
    what = ""
    for seed in range(SEEDS):
        finding = simulation.simulate(seed)
        if finding is not None:
            what = finding.what
            print(f"{mutant.__name__}: seed {seed}: {what}")  # noqa: T201 - with `pytest -s`, to see how soon
            if what.startswith(f"Broken: INV{invariant}:"):
                return
            assert what.startswith("Broken: INV"), f"{mutant.__name__} breaks the engine itself: {what}"
    pytest.fail(f"no seed below {SEEDS} finds that {mutant.__name__} breaks INV{invariant}; the last: {what}")


@pytest.mark.slow
@pytest.mark.parametrize(("mutant", "where"), EXPLORED, ids=lambda it: getattr(it, "__name__", ""))
def test_the_exploration_finds_that(mutant: Callable[[Patch], None], where: str, monkeypatch: Patch) -> None:
    mutant(monkeypatch)
    configuration = next(each for each in CONFIGURATIONS if each.name == where)
    finding = explore_states(configuration).finding
    assert finding is not None, f"no state of {where!r} minds that {mutant.__name__}"
    print(f"{mutant.__name__}: {finding.splitlines()[-1]}")  # noqa: T201 - as above
    assert "Broken: INV" in finding.splitlines()[-1]


def test_a_finding_tells_the_whole_story(monkeypatch: Patch) -> None:
    the_undo_order_is_reversed(monkeypatch)
    finding = next(finding for seed in range(SEEDS) if (finding := simulation.simulate(seed)))
    assert "INV7" in finding.what
    assert "calls <Call undo" in finding.story
    with pytest.raises(AssertionError, match="INV7"):
        Cluster(finding.seed).run()
