"""Plans as data, retry arithmetic, and what one commit has to write."""

from dataclasses import replace

import pytest

from active_workflow.core import events as ev
from active_workflow.core.change import change_between
from active_workflow.core.plan import Plan, StepPlan
from active_workflow.core.plan_data import plan_from_data, plan_to_data, sealed
from active_workflow.core.retry import DAY, ONCE, SECOND, RetryPolicy, policy_for
from active_workflow.core.states import StepState as S
from tests.core.making import Story, call, chain, detached, external, plan, signal, step, times
from tests.core.naive_store import NaiveStore

# --- Plans ------------------------------------------------------------------------------------------


def test_a_plan_comes_back_from_its_data_with_its_hash() -> None:
    made = chain(call("a", retry=times(2), undo_retry=times(3)), signal("go", "yes", "no"), timeout=9)
    again = plan_from_data(plan_to_data(made))
    assert (again, again.hash) == (made, made.hash)


def test_the_hash_tells_plans_apart_and_only_what_differs_from_the_defaults_is_kept() -> None:
    assert chain("a").hash != chain("b").hash
    assert sealed(replace(chain("a"), hash="old")).hash == chain("a").hash
    assert plan_to_data(plan(StepPlan("a")))["steps"] == [{"name": "a"}]


def test_a_plan_of_a_later_format_is_refused() -> None:
    with pytest.raises(ValueError, match="plan format 2: this version reads 1"):
        plan_from_data({"format": 2})


def test_what_a_plan_knows_of_its_graph() -> None:
    made = plan(call("a"), call("b", after=("a",)), call("c", after=("a",)), call("d", after=("b", "c")))
    assert made.unordered == {"a": set(), "b": {"c"}, "c": {"b"}, "d": set()}
    assert (made.chained, chain("a", "b").chained, made.pivot, made.detaches) == (False, True, None, False)
    assert not made.by_name["a"].starts_alone
    assert call("x", verifies=True).starts_alone
    assert not made.transactional
    assert plan(call("x", transactional=True)).transactional


@pytest.mark.parametrize(
    ("flow", "timed"),
    [
        (chain("a", detached("mail")), False),
        (chain("a", timeout=9), True),
        (chain(call("a", timeout=9)), True),
        (chain(call("a", undo_timeout=9)), True),
        (chain(call("a", undo_external=True)), True),
        (chain("a", signal("go")), True),
    ],
)
def test_a_plan_knows_whether_it_has_timers(flow: Plan, timed: bool) -> None:
    assert flow.timed is timed


def test_steps_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="the steps a, b wait for each other"):
        list(Plan("Flow", (step("a", "b"), step("b", "a"))).in_order())


# --- Retry ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "delays"),
    [
        (RetryPolicy(), [5, 10, 20, 40]),
        (RetryPolicy(first_delay=SECOND), [1, 2, 4, 8]),
        (RetryPolicy(first_delay=SECOND, delay=3 * SECOND), [1, 6, 12, 24]),
        (RetryPolicy(backoff="fixed", delay=3 * SECOND), [3, 3, 3, 3]),
        (RetryPolicy(backoff="fixed", first_delay=SECOND, delay=3 * SECOND), [1, 3, 3, 3]),
        (RetryPolicy(max_delay=12 * SECOND), [5, 10, 12, 12]),
    ],
)
def test_delays(policy: RetryPolicy, delays: list[int]) -> None:
    assert [policy.delay_after(n, 0.0) for n in (1, 2, 3, 4)] == [d * SECOND for d in delays]


def test_jitter_spreads_a_delay_over_half_to_one_and_a_half_and_stays_under_the_cap() -> None:
    policy = RetryPolicy(first_delay=10 * SECOND, jitter=True, max_delay=12 * SECOND)
    assert [policy.delay_after(1, roll) for roll in (0.0, 0.5, 0.99)] == [
        5 * SECOND,
        10 * SECOND,
        12 * SECOND,
    ]


def test_the_exponent_is_bounded_before_the_power() -> None:
    assert RetryPolicy().delay_after(10**9, 0.5) == DAY


def test_the_first_policy_that_covers_an_error_decides() -> None:
    rare = RetryPolicy(on=("app.RateLimited",), max=9)
    other = RetryPolicy(on=("builtins.OSError",))
    assert policy_for((rare, other), ("app.Slow", "app.RateLimited")) is rare
    assert policy_for((rare, other), ("builtins.OSError",)) is other
    assert policy_for((rare,), ("app.Slow",)) is ONCE


# --- Changes ----------------------------------------------------------------------------------------


def test_completing_a_step_and_starting_the_next_writes_one_row() -> None:
    story = Story(chain("a", "b")).start("a")
    before = story.x
    change = change_between(before, story.returns("a").start("b").x, owned=True)
    assert ([s.name for s in change.steps], change.id, change.guarded_revision) == (["a"], "x", 0)
    assert (change.after.revision, change.owned, change.release, change.due_at) == (1, True, False, None)
    assert change.after.step("b").active, "which lives in the execution's own row"


def test_a_step_that_begins_to_wait_gets_its_row() -> None:
    story = Story(chain(external("a"))).start("a")
    change = change_between(story.x, story.tell(ev.Returned("a", 1, None, {}, "c1")).x)
    assert [(s.name, s.state, s.correlation_id) for s in change.steps] == [("a", S.WAITING, "c1")]


def test_signals_that_are_kept_are_received_and_then_taken() -> None:
    story = Story(chain("z", signal("go")))
    change = change_between(story.x, story.signal("go").x)
    assert ([s.number for s in change.received], change.taken) == ([1], ())
    change = change_between(story.x, story.does("z").x)
    assert (change.received, change.taken) == ((), (1,))


def test_what_a_call_returned_is_written_even_if_its_partner_had_failed_it_before() -> None:
    story = Story(chain(external("a", retry=times(2)))).start("a").reject("a")
    store = NaiveStore(story.x)
    change = change_between(story.x, story.returns("a", "1", job="7").x)
    assert [(s.name, s.state) for s in change.steps] == [("a", S.PENDING)]
    store.commit(change)
    assert store.load().step("a").patch == {"job": "7"}
    again = change_between(change.after, story.after(1).start("a").x.evolve(revision=1))
    assert again.steps == ()
    again = change_between(story.x, story.reject("a").returns("a", "2", job="8").x)
    assert [s.result for s in again.steps] == ["2"]


def test_what_a_plan_says_of_itself() -> None:
    assert not chain("a", "b").retries
    assert chain("a", call("b", retry=times(2))).retries
    assert chain("a", call("b", undo_retry=times(2))).retries
    assert chain("a", call("b", verifies=True)).retries
    assert chain("a", "b", "c").in_a_row
    assert not plan(call("a"), call("b"), call("c", after=("a", "b"))).in_a_row
