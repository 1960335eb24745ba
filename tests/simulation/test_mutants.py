"""The simulation finds bugs: each of these, put in on purpose, is found, most within a few dozen seeds."""

from collections.abc import Callable
from typing import Any

import pytest

from active_workflow.core import events, machine, ready, runs, waits
from active_workflow.engine import call, held, leases, scheduler, starts
from active_workflow.store.base import Verdict
from active_workflow.store.memory import MemoryStore
from active_workflow.testing import simulation
from active_workflow.testing.simulation.cluster import Cluster

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


def undo_goes_forwards(patch: Patch) -> None:
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


def refused_is_taken_for_applied(patch: Patch) -> None:
    committed = scheduler.Scheduler.committed

    def credulous(self: Any, changes: Any, answers: Any, now: int) -> Any:
        return committed(self, changes, [answer._replace(verdict=Verdict.APPLIED) for answer in answers], now)

    patch.setattr(scheduler.Scheduler, "committed", credulous)


def unknown_commits_are_taken_for_lost(patch: Patch) -> None:
    def careless(self: Any, changes: Any) -> None:
        for change in changes:
            self._holdings.dirty[change.id] = None

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


MUTANTS: list[Callable[[Patch], None]] = [
    the_fence_is_dropped,
    interrupted_attempts_are_not_counted,
    undo_goes_forwards,
    leases_are_not_renewed,
    lapsed_leases_are_relied_on,
    early_completions_are_lost,
    refused_is_taken_for_applied,
    unknown_commits_are_taken_for_lost,
    signals_are_consumed_twice,
    facts_are_lost_with_a_refused_commit,
    attempts_of_lost_workers_are_called_again,
    suspects_run_together,
    executions_given_up_while_a_step_runs_are_forgotten,
]


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_the_simulation_finds_that(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    monkeypatch.setattr(simulation, "story_of", lambda seed: "")
    mutant(monkeypatch)
    found = next((finding for seed in range(SEEDS) if (finding := simulation.simulate(seed))), None)
    assert found is not None, f"no seed below {SEEDS} minds that {mutant.__name__}"
    print(f"{mutant.__name__}: {found}")  # noqa: T201 - with `pytest -s`, to see how soon and by what


def test_a_finding_tells_the_whole_story(monkeypatch: Patch) -> None:
    undo_goes_forwards(monkeypatch)
    finding = next(finding for seed in range(SEEDS) if (finding := simulation.simulate(seed)))
    assert "INV7" in finding.what
    assert "calls <Call undo" in finding.story
    with pytest.raises(AssertionError, match="INV7"):
        Cluster(finding.seed).run()
