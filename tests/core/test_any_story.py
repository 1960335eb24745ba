"""Random plans, random and hostile stories: the invariants hold all the time, and nothing is ever stuck."""

from collections.abc import Sequence
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import Phase as Work
from hypothesis import strategies as st

from active_workflow.core import events as ev
from active_workflow.core.change import change_between
from active_workflow.core.machine import apply, begun
from active_workflow.core.notices import notices
from active_workflow.core.plan import Plan, StepKind
from active_workflow.core.plan_data import plan_from_data, plan_to_data
from active_workflow.core.ready import due_at
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import Effect, Phase, State, StepState
from active_workflow.errors import CompletionConflict, CorrelationMismatch, IllegalMove, UnknownStep
from tests.core.adversary import likely, troubles, unlikely
from tests.core.invariants import holds, moves_well
from tests.core.naive_store import NaiveStore
from tests.core.plans import plans

stories = st.integers(0, 2**32).map(lambda seed: Random(seed).choices(range(100_000), k=45))
quick = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,  # the same stories every time: a red test is somebody's change, never bad luck
    phases=[Work.explicit, Work.generate, Work.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
REFUSALS = (IllegalMove, CompletionConflict, CorrelationMismatch, UnknownStep)
MAY_BE_ILLEGAL = (ev.Started, ev.Resolved)


class Told:
    """An execution as it is told one event after the other, with everything checked that must hold."""

    def __init__(self, plan: Plan, run_at: int = 0) -> None:
        self.now = 0
        values = {"who": '"Ada"'}
        made = Execution(
            id="x", plan=plan, input=values, ctx=values, input_hash="", created_at=0, run_at=run_at
        )
        self.x = begun(made, 0)
        self.store = NaiveStore(self.x)
        self.recorded = self.x
        self.unsure: set[str] = set()
        holds(self.x, 0)

    def tell(self, event: ev.Event) -> None:
        before, steps, ctx = self.x, dict(self.x.steps), dict(self.x.ctx)
        try:
            self.x = apply(before, event, self.now)
        except REFUSALS as error:
            if isinstance(error, IllegalMove) and not isinstance(event, MAY_BE_ILLEGAL):
                raise
        assert (dict(before.steps), dict(before.ctx)) == (steps, ctx), "snapshots never change"
        if self.x is before:
            return
        moves_well(before, self.x)
        holds(self.x, self.now)
        self._never_twice(before, event)
        self._told_again(event)
        notices(before, self.x, self.now)

    def _told_again(self, event: ev.Event) -> None:
        """After a commit of unknown outcome the same is applied again: it must change nothing."""
        if isinstance(event, ev.Extended) or (isinstance(event, ev.Started) and event.attempt is None):
            return
        if isinstance(event, ev.DecideFailed | ev.VerifyFailed) or (
            isinstance(event, ev.Verified) and event.landed is None
        ):
            return  # a condition, or verify once undoing begins, is asked again about the same attempt
        try:
            assert apply(self.x, event, self.now) is self.x, event
        except IllegalMove:
            assert isinstance(event, ev.Resolved), event  # an operator is told that it is settled

    def _never_twice(self, before: Execution, event: ev.Event) -> None:
        """A step that is to run at most once never starts again by itself after an unknown outcome."""
        for name, step in self.x.steps.items():
            plan, old = self.x.plan.by_name[name], before.step(name)
            if not plan.at_most_once or plan.transactional:
                continue
            if step.state is StepState.RUNNING and old.state is not StepState.RUNNING:
                assert name not in self.unsure, f"{name} ran again"
            if step.effect is Effect.UNKNOWN:
                self.unsure.add(name)
            elif step is not old:
                self.unsure.discard(name)

    def commit(self) -> None:
        change = change_between(self.recorded, self.x, due_at=due_at(self.x))
        self.store.commit(change)
        read = self.store.load()
        assert read.evolve(ctx=self.x.ctx) == change.after
        self.recorded = self.x = change.after
        for step in self.x.steps.values():
            begun_child = f"x.{step.name}" in self.store.children
            detached = self.x.plan.by_name[step.name].kind is StepKind.DETACHED
            assert begun_child is (detached and step.state is StepState.COMPLETED)

    def _tell_one_of(self, events: Sequence[ev.Event], pick: int) -> None:
        if events:
            self.tell(events[pick % len(events)])

    def choose(self, choice: int) -> None:
        """Turn one number into one thing that happens."""
        kind, pick = choice % 16, choice // 16
        if kind == 0:
            self.now += (0, 1, 3, 8, 40)[pick % 5]
        elif kind == 1:
            self.now = max(self.now, due_at(self.x) or 0)
            self.tell(ev.Wake())
        elif kind < 9:
            self._tell_one_of(likely(self.x, self.now, pick), pick)
        elif kind < 14:
            self._tell_one_of(troubles(self.x, pick), pick)
        else:
            self._tell_one_of(unlikely(self.x, pick), pick)
        if pick % 3 == 0:
            self.commit()

    # --- A fair world ---------------------------------------------------------------------------

    def run_to_the_end(self) -> None:
        """From here on everybody does their part: it comes to an end, or a person is told."""
        self.tell(ev.Resumed())
        self.tell(ev.CodeFound())
        for _ in range(400):
            if self.x.phase is Phase.OVER or self.x.stalled:
                return
            self._one_turn()
        raise AssertionError(f"never ends: {self.x}")

    def _one_turn(self) -> None:
        ready = [event for event in likely(self.x, self.now, 1) if not isinstance(event, ev.DecideFailed)]
        if ready:
            self.tell(ready[0])
            return
        due = due_at(self.x)
        if due is None:
            self.tell(self._from_outside())
        else:
            self.now = max(self.now, due)
            self.tell(ev.Wake())

    def _from_outside(self) -> ev.Event:
        for step in self.x.steps.values():
            plan = self.x.plan.by_name[step.name]
            if step.undo_waiting_since is not None:
                return ev.Completed(step.name, "1", f"end{step.undo.attempts}")
            if step.state is StepState.WAITING and plan.signals:
                return ev.Signalled(plan.signals[0], "1", f"end{self.x.signal_count}")
            if step.state is StepState.WAITING:
                return ev.Completed(step.name, "1", "end")
        raise AssertionError(f"waits for nobody: {self.x}")

    def settle_by_hand(self) -> None:
        """An operator answers for every step that is stuck."""
        for step in tuple(self.x.steps.values()):
            if step.state is StepState.IN_DOUBT:
                self.tell(ev.Resolved(step.name, landed=False))
            elif step.state is StepState.COMPENSATION_FAILED:
                self.tell(ev.Resolved(step.name, undone=True))
            elif self.x.blocked is not None and not self.x.is_done(step.name):
                self.tell(ev.Resolved(step.name, skip=True))


@quick
@given(plans(), stories, st.sampled_from([0, 0, 0, 10]))
def test_every_story_comes_to_an_end(plan: Plan, story: list[int], run_at: int) -> None:
    told = Told(plan, run_at)
    for choice in story:
        told.choose(choice)
    cancelled = told.x.ending is not None and told.x.ending.outcome is State.CANCELLED
    for _ in range(len(plan.steps) * 3):
        told.run_to_the_end()
        if told.x.phase is Phase.OVER:
            break
        told.settle_by_hand()
    told.commit()
    assert told.x.state.terminal
    if cancelled:
        assert told.x.state is State.CANCELLED, "a cancel that was answered yes ends cancelled"


@quick
@given(plans())
def test_a_plan_comes_back_from_its_data_as_it_went_in(plan: Plan) -> None:
    again = plan_from_data(plan_to_data(plan))
    assert (again, again.hash) == (plan, plan.hash)
