"""The search: runs the saga as it is, then again for each way it may go and each place to crash it."""

import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from active_workflow.core.states import State
from active_workflow.dsl.handle import Execution
from active_workflow.dsl.step_def import StepName, step_name
from active_workflow.dsl.workflow import Workflow, program_of
from active_workflow.errors import ConfigurationError
from active_workflow.testing.exploring.partners import Drive, Partners
from active_workflow.testing.exploring.schedule import Blow, Place, Schedule, Turn, Way, parse, ways
from active_workflow.testing.exploring.stage import Stage
from active_workflow.testing.exploring.trial import Trial, Unrepeatable

Invariant = Callable[[Any, Execution], object]
"""Asked at the end of each schedule; broken by a false answer or an AssertionError. None is no answer."""


@dataclass
class Exploration:
    """What an exploration has tried, all of which held.

    Attributes:
        schedules: How many runs there were.
        crashes: How many of them had none, one, … of their workers crash, stall or run out of time.
        ends: How they ended, by state.
        complete: Whether everything was tried; False where ``limit`` came first.
    """

    schedules: int = 0
    crashes: Counter[int] = field(default_factory=Counter)
    ends: Counter[State] = field(default_factory=Counter)
    complete: bool = True

    def __str__(self) -> str:
        numbers = sorted(self.crashes.items())
        crashes = ", ".join(f"{count} with {n or 'no'} crash{'es' * (n > 1)}" for n, count in numbers)
        ends = ", ".join(f"{count} {state.value}" for state, count in self.ends.most_common())
        rest = "" if self.complete else "; the limit came before everything was tried"
        return f"{self.schedules} schedule{'s' * (self.schedules != 1)} ({crashes}) ended {ends}{rest}"


def explore(
    workflow: type[Workflow[Any]] | str,
    ctx: object = None,
    *,
    world: Callable[[], Any],
    invariant: Invariant,
    max_crashes: int = 1,
    completions: Mapping[str, Any] | None = None,
    signals: Mapping[str, Any] | None = None,
    drive: Drive | None = None,
    fail: Collection[StepName] | None = None,
    cancel: bool = True,
    limit: int = 20_000,
    replay: str | None = None,
) -> Exploration:
    """Crash a saga wherever it can be crashed; ask after each run whether the world is as it should be.

    The saga runs once as it is. Then it goes every other way: each step fails for good, partners fail
    external steps or never answer, somebody cancels at each place. Then in each of these runs a worker
    crashes: before and after each commit, before and after each call of a step or of an undo, between two
    effects of a call; or it stalls until a second worker has taken over; or the time of a step with a timeout
    runs out. All of it happens in this thread and in virtual time: retries, sleeps, timeouts cost nothing.

    Args:
        workflow: The saga's class or name.
        ctx: What it starts with: a mapping or an instance of its ctx type.
        world: Called before each run: resets the fake of the outside that the steps use, and gives it.
        invariant: ``invariant(world, execution)``, asked at the end of each run.
        max_crashes: How many crashes one run has at most; each more takes many times as long.
        completions: For each external step the payload that it is completed with (else None), or a function
            of the execution that gives it.
        signals: The same for each signal by its name.
        drive: Called with the execution while it waits, before the two above: may do all that users do.
        fail: The steps that are made to fail; None is all of them.
        cancel: Whether somebody cancels.
        limit: At most so many runs; a warning says when there would be more.
        replay: A schedule as the message of a failure gives it: only that one is run.

    Returns:
        What was tried.

    Raises:
        ConfigurationError: A step is transactional (there is no database here), or ``world`` is no function.
        AssertionError: The invariant is broken. The message tells the shortest run that breaks it as a
            timeline, and how to have that one alone once more.
    """
    program = program_of(workflow)
    if program.plan.transactional:
        raise ConfigurationError(
            f"{program.name} has a transactional step, and explore runs sagas in memory, where there is no "
            "database that a crash would leave as it was: try it over sqlite:///… with run_until_idle()"
        )
    partners = Partners(completions or {}, signals or {}, drive)
    if not callable(world):
        raise ConfigurationError(f"world={world!r}: give a function that resets the world and gives it")
    partners.check(program.plan.by_name, program.plan.signals)
    failing = None if fail is None else _known(fail, program.plan.by_name)
    with Stage(program, {} if ctx is None else ctx, world).open() as stage:
        search = _Search(stage, partners, invariant)
        if replay is not None:
            search.run(parse(replay))
            return search.found
        turns = [way for way in ways(program.plan) if failing is None or way.target in failing]
        return search.all(turns, max_crashes=max_crashes, cancel=cancel, limit=limit)


def _known(fail: Collection[StepName], steps: Mapping[str, object]) -> set[str]:
    names = {step_name(step) for step in fail}
    if unknown := names - steps.keys():
        raise ValueError(f"fail: there is no step {', '.join(sorted(unknown))}; there are {', '.join(steps)}")
    return names


class _Search:
    """Runs schedules, shortest first.

    Attributes:
        found: What was tried so far.
    """

    def __init__(self, stage: Stage, partners: Partners, invariant: Invariant) -> None:
        self.found = Exploration()
        self._stage = stage
        self._partners = partners
        self._invariant = invariant

    def all(self, turns: list[Way], *, max_crashes: int, cancel: bool, limit: int) -> Exploration:
        """Run everything that is to be run."""
        nothing = Schedule()
        happy = self.run(nothing)
        level = {nothing: happy}
        for way in [*turns, *(_cancels(happy) if cancel else [])]:
            level[Schedule(way)] = self.run(Schedule(way))
        for _ in range(max_crashes):
            parents, level = level, {}
            for schedule, places in parents.items():
                for longer in _longer(schedule, places):
                    if self.found.schedules >= limit:
                        return self._stopped(limit)
                    level[longer] = self.run(longer)
        return self.found

    def _stopped(self, limit: int) -> Exploration:
        self.found.complete = False
        warnings.warn(
            f"explore has stopped after {limit} schedules, and there are more: raise limit=, lower "
            "max_crashes=, or name in fail= the steps that may fail",
            stacklevel=4,
        )
        return self.found

    def run(self, schedule: Schedule) -> list[Place]:
        """Run one schedule and ask the invariant; give where more could be done to it."""
        trial = Trial(self._stage, schedule, self._partners)
        world, execution = trial.run()
        self.found.schedules += 1
        self.found.crashes[len(schedule.moves)] += 1
        self.found.ends[execution.state] += 1
        broken, cause = _ask(self._invariant, world, execution)
        if broken is not None:
            raise AssertionError(self._told(schedule, broken)) from cause
        return trial.places

    def _told(self, schedule: Schedule, broken: str) -> str:
        """Tell of the run that has broken the invariant: have it once more, and keep its story."""
        trial = Trial(self._stage, schedule, self._partners, told=True)
        again, _ = _ask(self._invariant, *trial.run())
        if again is None:
            raise Unrepeatable(
                f'"{schedule}" has broken the invariant ({broken}) and the same run once more has not: let '
                "world() reset everything that steps read, and leave nothing to chance"
            )
        name, before = self._stage.program.name, self.found.schedules - 1
        held = f"the {before} before it held" if before else "the first that was tried"
        return (
            f"{name} breaks the invariant: {again}\n\n"
            f"{trial.story.text() if trial.story else ''}\n\n"
            f"This is the shortest schedule that breaks it ({held}). To have it alone once more:\n"
            f'  explore({name}, …, replay="{schedule}")'
        )


def _ask(invariant: Invariant, world: Any, execution: Execution) -> tuple[str | None, Exception | None]:
    """Ask an invariant; give what is wrong (None: it holds), and the error that said so."""
    try:
        answer = invariant(world, execution)
    except AssertionError as error:
        return str(error) or "an assertion in it has failed", error
    except Exception as error:
        error.add_note(f"raised by the invariant of explore, asked about {execution!r}")
        raise
    name = getattr(invariant, "__name__", "it").replace("<lambda>", "it")
    return (f"{name} answers {answer!r}" if answer is not None and not answer else None), None


def _cancels(happy: list[Place]) -> list[Way]:
    return [Way(Turn.CANCEL, str(place.number)) for place in happy if place.cancels]


def _longer(schedule: Schedule, places: list[Place]) -> Iterator[Schedule]:
    """Give the schedules with one more blow, after the last that there is."""
    last = schedule.moves[-1].place if schedule.moves else -1
    for blow in Blow:  # crashes before all else: they are the easiest to understand
        for place in places[last + 1 :]:
            if blow in place.blows:
                yield schedule.and_then(place.number, blow)
