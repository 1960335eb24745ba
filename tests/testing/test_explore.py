"""explore: where it crashes a saga, what it makes of answers, and that the same is always the same."""

import asyncio
import warnings

import pytest

import active_workflow as aw
from active_workflow.engine import default
from active_workflow.engine.scheduler import Scheduler
from active_workflow.store.memory import MemoryStore
from active_workflow.testing import Ledger, crash_point, explore, virtual_engine
from active_workflow.testing.exploring.schedule import Blow, Schedule, Turn, Way, parse
from active_workflow.testing.exploring.trial import EngineBroken, Unrepeatable
from active_workflow.testing.virtual import VirtualClock


@pytest.fixture
def ledger():
    return Ledger()


def keyed(ledger, what, amount=1, **options):
    """A step with one effect, and its undo."""
    return aw.task(
        lambda ctx: {what: ledger.apply(what, amount, key=ctx.step_key)},
        compensate=lambda ctx: ledger.apply(f"un{what}", -amount, key=ctx.step_key) and None,
        **options,
    )


def two_steps(ledger):
    class Two(aw.Workflow):
        first = keyed(ledger, "a")
        second = keyed(ledger, "b")

    return Two


def held(world, execution):
    return True


def test_each_place_is_tried(ledger):
    found = explore(two_steps(ledger), world=ledger.reset, invariant=Ledger.all_or_nothing, cancel=False)

    # happy, first fails, second fails; 5, 3 and 7 places between commits and calls; a stall for each call
    assert found.crashes == {0: 3, 1: 5 + 3 + 7 + 2 + 1 + 3}
    assert found.ends == {"completed": 1 + 5 + 2, "failed": 2 + 3 + 7 + 1 + 3}
    assert str(found) == "24 schedules (3 with no crash, 21 with 1 crash) ended 16 failed, 8 completed"


def test_cancels_come_at_each_call_and_wait(ledger):
    class Waits(aw.Workflow):
        first = keyed(ledger, "a")
        pause = aw.sleep("3d")

    found = explore(Waits, world=ledger.reset, invariant=Ledger.all_or_nothing, max_crashes=0)
    assert found.ends == {"completed": 1, "failed": 1, "cancelled": 2}


def test_a_world_that_can_not_be_made_anew_is_refused(ledger):
    with pytest.raises(aw.ConfigurationError, match="give a function that resets the world"):
        explore(two_steps(ledger), world=ledger, invariant=Ledger.all_or_nothing)


def test_each_run_has_a_world_of_its_own(ledger):
    made = []

    def world():
        made.append(ledger.reset())
        return made[-1]

    def nothing_is_left_over(world, execution):
        assert world is ledger
        assert world.count("a") <= 1

    found = explore(two_steps(ledger), world=world, invariant=nothing_is_left_over)
    assert len(made) == found.schedules


@pytest.mark.parametrize("answer", [False, 0, ""])
def test_a_false_answer_breaks_it(ledger, answer):
    def my_rule(world, execution):
        return answer

    with pytest.raises(AssertionError, match=f"Two breaks the invariant: my_rule answers {answer!r}"):
        explore(two_steps(ledger), world=ledger.reset, invariant=my_rule)


@pytest.mark.parametrize("answer", [None, True, "yes"])
def test_no_answer_or_a_true_one_holds(ledger, answer):
    assert explore(two_steps(ledger), world=ledger.reset, invariant=lambda *_: answer).complete


def test_another_error_of_the_invariant_comes_out_as_it_is(ledger):
    with pytest.raises(ZeroDivisionError) as caught:
        explore(two_steps(ledger), world=ledger.reset, invariant=lambda *_: 1 / 0)
    assert "raised by the invariant" in caught.value.__notes__[0]


def test_the_story_of_a_crash(ledger):
    class Careless(aw.Workflow):
        charge = aw.task(lambda ctx: ledger.apply("charge") and None, no_undo="is what is tested")

    with pytest.raises(AssertionError) as caught:
        explore(Careless, world=ledger.reset, invariant=Ledger.all_or_nothing, cancel=False)
    assert str(caught.value) == (
        "Careless breaks the invariant: Careless is completed and charge did charge 2 times\n\n"
        "        +0 s  worker 1 records: charge started\n"
        "              worker 1 calls charge\n"
        "                  charge +1 (no key)\n"
        "              CRASH: worker 1 dies before it records: charge completed, the execution is completed\n"
        "       +30 s  its lease runs out; another worker takes over\n"
        "              worker 2 records: charge was interrupted, charge started\n"
        "              worker 2 calls charge (attempt 2)\n"
        "                  charge +1 (no key)\n"
        "              worker 2 records: charge completed, the execution is completed\n"
        "              the end: Careless is completed\n\n"
        "This is the shortest schedule that breaks it (the 4 before it held). To have it alone once more:\n"
        '  explore(Careless, …, replay="crash 2")'
    )


def told(workflow, ledger, schedule):
    with pytest.raises(AssertionError) as caught:
        explore(workflow, world=ledger.reset, invariant=lambda *_: False, replay=schedule)
    return str(caught.value)


def test_a_stalled_worker_reports_too_late(ledger):
    story = told(two_steps(ledger), ledger, "stall 1")
    assert "worker 1 stalls: first has been called, and that is not recorded yet" in story
    assert "worker 1 wakes up and reports what it did: refused, as it has lost its lease" in story
    assert ledger.count("a") == 1


def test_a_fence_that_is_dropped_is_the_engines_fault(ledger, monkeypatch):
    commit = MemoryStore._commit

    def unfenced(self, change):
        row = self._rows[change.id]
        row.execution = row.execution.evolve(token=change.after.token, revision=change.guarded_revision)
        return commit(self, change)

    monkeypatch.setattr(MemoryStore, "_commit", unfenced)
    with pytest.raises(EngineBroken, match="worker 1 had lost its lease, and its late report was recorded"):
        explore(two_steps(ledger), world=ledger.reset, invariant=held, replay="stall 1")


def test_a_fault_of_the_law_is_the_engines_fault(ledger, monkeypatch):
    def broken(self, held, now):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Scheduler, "_look_at", broken)
    with pytest.raises(EngineBroken, match="a bug"):
        explore(two_steps(ledger), world=ledger.reset, invariant=held)


def test_time_runs_out_where_there_is_a_timeout(ledger):
    class Slow(aw.Workflow):
        first = keyed(ledger, "a", timeout="1m", retry=2)

    story = told(Slow, ledger, "overtime 1")
    assert "the time of first runs out before it is known what it did" in story
    assert "+60 s" in story
    assert explore(Slow, world=ledger.reset, invariant=Ledger.all_or_nothing).ends["completed"]


def test_a_crash_between_two_effects_of_a_step(ledger):
    class Both(aw.Workflow):
        @aw.step(no_undo="is what is tested")
        def both(self):
            ledger.apply("a", key=self.ctx.step_key)
            crash_point("something of my own")
            ledger.apply("b", key=self.ctx.step_key)

    story = told(Both, ledger, "crash 2")
    assert "dies inside both, before: something of my own" in story
    story = told(Both, ledger, "crash 3")
    assert "dies inside both, before: b +1" in story
    assert ledger.count("a") == ledger.count("b") == 1


def test_what_is_dead_has_no_effect_any_more(ledger):
    class Tidy(aw.Workflow):
        @aw.step(no_undo="is what is tested")
        def tidy(self):
            try:
                crash_point("the work")
                ledger.apply("work", key=self.ctx.step_key)
            finally:
                ledger.apply("tidied up")

    told(Tidy, ledger, "crash 2")
    assert ledger.count("tidied up") == 1


def test_crash_point_does_nothing_elsewhere():
    crash_point("nobody watches")


def test_steps_that_await(ledger):
    class Async(aw.Workflow):
        @aw.step
        async def first(self):
            await asyncio.sleep(0)
            self.ctx.key = aw.current().step_key
            ledger.apply("a", key=self.ctx.key)

        @first.compensate
        async def undo_first(self):
            await asyncio.sleep(0)
            ledger.apply("una", -1, key=self.ctx.key)

        @aw.step(no_undo="has no effect", compensate_on="completed")
        async def second(self): ...

    assert explore(Async, world=ledger.reset, invariant=Ledger.all_or_nothing).ends["failed"]


def outside(ledger):
    class Outside(aw.Workflow):
        job = keyed(ledger, "job", external=True, timeout="1h", compensate_on="attempted", retry=2)
        answer = aw.wait_for_signal("yes", "no", timeout="1d", on_timeout="continue")
        late = aw.sleep("30d")

        @aw.step(no_undo="only looks")
        def look(self):
            self.ctx.seen = [self.ctx.get("answer"), self.ctx.job]

    return Outside


def test_partners_answer_with_what_is_given(ledger):
    seen = []

    def look(world, execution):
        if execution.state == "completed":
            seen.append(execution.ctx.seen)

    explore(
        outside(ledger),
        world=ledger.reset,
        invariant=look,
        completions={"job": lambda execution: {"of": execution.id}},
        signals={"no": "never"},
        max_crashes=0,
    )
    assert seen == [["never", {"of": "outside-1"}], [None, {"of": "outside-1"}]]


def test_partners_fail_a_step_or_are_silent(ledger):
    assert "job is failed from outside" in told(outside(ledger), ledger, "reject job")
    silent = told(outside(ledger), ledger, "silence answer")
    assert "+1 d" in silent or "+24 h" in silent
    assert "the end: Outside is failed, TimeoutError" in told(outside(ledger), ledger, "silence job")


def test_drive_comes_first(ledger):
    def drive(execution):
        if execution.steps["job"].state == "waiting":
            execution.complete_step("job", payload="by hand")

    def look(world, execution):
        assert execution.state != "completed" or execution.ctx.job == "by hand"

    explore(outside(ledger), world=ledger.reset, invariant=look, drive=drive, max_crashes=0, fail=["look"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"completions": {"jobb": 1}},
            "completions: 'jobb' is none of this workflow's .did you mean \"job\"",
        ),
        ({"signals": {"answer": 1}}, "signals: 'answer' is none of this workflow's; it has no, yes"),
        ({"fail": ["nothing"]}, "fail: there is no step nothing; there are job, answer, late, look"),
        ({"replay": "explode 3"}, "'explode 3' is no part of a schedule"),
    ],
)
def test_names_that_there_are_not(ledger, more, message):
    with pytest.raises(ValueError, match=message):
        explore(outside(ledger), world=ledger.reset, invariant=held, **more)


def test_steps_may_start_others_and_fire_and_forget(ledger):
    class Child(aw.Workflow):
        work = keyed(ledger, "child")

    class Parent(aw.Workflow):
        @aw.step(no_undo="is what is tested")
        def spawn(self):
            self.ctx.child = Child.start().id

        mail = aw.task(lambda ctx: ledger.apply("mail", key=ctx.step_key) and None, fire_and_forget=True)

    def children_are_done(world, execution):
        if execution.state == "completed":
            assert aw.get(execution.ctx.child).state == "completed"
            assert world.count("child") == 1

    found = explore(Parent, world=ledger.reset, invariant=children_are_done)
    assert found.ends["completed"]


def test_only_the_steps_that_are_named_fail(ledger):
    two = two_steps(ledger)
    found = explore(two, world=ledger.reset, invariant=held, fail=[two.second], max_crashes=0, cancel=False)
    assert found.schedules == 2


def test_a_limit_is_told(ledger):
    with pytest.warns(UserWarning, match="explore has stopped after 10 schedules, and there are more"):
        found = explore(two_steps(ledger), world=ledger.reset, invariant=held, limit=10)
    assert not found.complete
    assert "the limit came before" in str(found)


def test_it_is_always_the_same(ledger):
    def runs():
        seen = []

        def look(world, execution):
            seen.append((str(world), execution.state, repr(execution.ctx), execution.completed_at))

        explore(two_steps(ledger), world=ledger.reset, invariant=look)
        return seen

    assert runs() == runs()


def test_a_world_that_is_not_reset_is_told_of(ledger):
    calls = []

    class Moody(aw.Workflow):
        @aw.step(no_undo="is what is tested")
        def once(self):
            if not calls:
                crash_point("the first time")
            calls.append(1)

    with pytest.raises(Unrepeatable, match="let world"):
        explore(Moody, world=lambda: None, invariant=held)


def test_a_saga_that_never_rests_is_told_of(ledger):
    class Restless(aw.Workflow):
        @aw.step(retry=aw.Retry(max=None, delay="1s"))
        def again(self):
            raise ConnectionError

    with pytest.raises(Unrepeatable, match="does a step retry for ever"):
        explore(Restless, world=ledger.reset, invariant=held)


def test_the_engine_of_the_process_is_left_alone(ledger):
    with virtual_engine(VirtualClock()) as engine:
        execution = two_steps(ledger).start()
        explore(two_steps(ledger), world=ledger.reset, invariant=held)
        assert default.engine() is engine
        assert aw.get(execution.id).state == "pending"


def test_a_class_whose_name_is_taken_by_another_is_explored_itself(ledger):
    two = two_steps(ledger)

    class Other(aw.Workflow, name="Two"):
        nothing = aw.task(lambda ctx: None)

    assert explore(two, world=ledger.reset, invariant=held, max_crashes=0, cancel=False).schedules == 3
    assert ledger.count("a") == 1


def test_the_ctx_type_is_kept(ledger):
    with pytest.raises(aw.ActiveWorkflowError):
        explore(two_steps(ledger), {"step_key": 1}, world=ledger.reset, invariant=held)


def test_schedules_as_text():
    schedule = Schedule(Way(Turn.FAIL, "ship it; now")).and_then(3, Blow.CRASH).and_then(12, Blow.STALL)
    plain = Schedule(Way(Turn.CANCEL, "4")).and_then(3, Blow.CRASH)
    assert str(Schedule()) == "nothing"
    assert parse("nothing") == Schedule()
    assert parse(str(plain)) == plain
    assert parse(str(plain)).cancel_at == 4
    assert str(schedule).endswith("; crash 3; stall 12")


def test_no_warning_where_all_was_tried(ledger):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert explore(two_steps(ledger), world=ledger.reset, invariant=held).complete
