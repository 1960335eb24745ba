"""Looking at executions: get, find and its pages, tags, run_at, prune, what a handle shows."""

from datetime import UTC, datetime, timedelta

import pytest

import active_workflow as aw


class FoundPlain(aw.Workflow):
    one = aw.task(lambda ctx: ctx.get("n"))


class FoundWaiting(aw.Workflow):
    approval = aw.wait_for_signal()


def test_find_gives_all_newest_first_in_pages(engine):
    made = []
    for _ in range(5):
        made += FoundPlain.start_many([{"n": n} for n in range(50)])
        engine.clock.advance("1s")
    found = list(aw.find())

    assert len(found) == 250
    assert {x.id for x in found} == {x.id for x in made}
    created = [x.created_at for x in found]
    assert created == sorted(created, reverse=True)
    assert [x.id for x in aw.find(limit=7)] == [x.id for x in found[:7]]
    assert [x.id for x in aw.find(limit=100, after=found[49])] == [x.id for x in found[50:150]]
    assert [x.id for x in aw.find(after=found[248].id)] == [found[249].id]
    assert list(aw.find(limit=0)) == []


def test_find_by_state_workflow_and_time(engine):
    old = engine.run(FoundPlain.start())
    engine.clock.advance("1h")
    since = engine.clock()
    waiting = engine.run(FoundWaiting.start())
    new = engine.run(FoundPlain.start())

    def ids(**query):
        return {x.id for x in aw.find(**query)}

    assert ids(state="completed") == {old.id, new.id}
    assert ids(state=aw.State.WAITING) == {waiting.id}
    assert ids(state=["waiting", aw.State.FAILED]) == {waiting.id}
    assert ids(workflow="FoundPlain") == ids(workflow=FoundPlain) == {old.id, new.id}
    assert ids(since=since) == {waiting.id, new.id}
    assert ids(workflow=FoundPlain, since=since, state="completed") == {new.id}
    assert ids(workflow="Nobody") == set()
    with pytest.raises(aw.ConfigurationError, match="waiting"):
        list(aw.find(state="wating"))
    with pytest.raises(aw.ConfigurationError):
        list(aw.find(since=datetime(2026, 1, 1)))  # noqa: DTZ001 - naive on purpose


def test_tags_find_all_of_them(engine):
    one = FoundPlain.start({}, tags={"team": "a", "kind": "x"})
    two = FoundPlain.start({}, tags={"team": "a"})
    FoundPlain.start({})

    assert one.tags == {"team": "a", "kind": "x"}
    assert {x.id for x in aw.find(tags={"team": "a"})} == {one.id, two.id}
    assert {x.id for x in aw.find(tags={"team": "a", "kind": "x"})} == {one.id}
    assert list(aw.find(tags={"team": "b"})) == []
    for name in ("a'b", 'a"b', "a.b", "a%", "$"):
        tagged = FoundPlain.start({}, tags={name: name})
        assert [x.id for x in aw.find(tags={name: name})] == [tagged.id]


def test_get_and_an_unknown_id(engine):
    execution = FoundPlain.start(n=1)

    assert aw.get(execution.id) == execution
    assert aw.get(execution.id).ctx.n == 1
    with pytest.raises(aw.ExecutionNotFound, match="nobody"):
        aw.get("nobody")


def test_run_at_starts_it_later(engine):
    run_at = engine.clock() + timedelta(hours=1)
    execution = FoundPlain.start({"n": 1}, run_at=run_at)
    engine.run(execution)
    assert execution.state == "pending"
    assert execution.run_at == run_at
    assert execution.started_at is None
    engine.after("59m", execution)
    assert execution.state == "pending"
    engine.after("1m", execution)
    assert execution.state == "completed"
    assert execution.started_at == run_at


def test_run_at_in_the_past_or_another_zone(engine):
    assert engine.run(FoundPlain.start({}, run_at=datetime(2020, 1, 1, tzinfo=UTC))).state == "completed"
    with pytest.raises((aw.ConfigurationError, TypeError), match="run_at"):
        FoundPlain.start({}, run_at=datetime(2030, 1, 1))  # noqa: DTZ001 - naive on purpose


def test_prune_deletes_what_ended_long_ago_and_nothing_else(engine):
    old = engine.run(FoundPlain.start())
    waiting = engine.run(FoundWaiting.start())
    engine.clock.advance("10d")
    new = engine.run(FoundPlain.start())

    assert aw.prune(older_than="5d") == 1
    assert {x.id for x in aw.find()} == {waiting.id, new.id}
    with pytest.raises(aw.ExecutionNotFound):
        aw.get(old.id)
    with pytest.raises(aw.ExecutionNotFound):
        old.refresh()
    assert aw.prune(older_than="5d") == 0


def test_a_handle_shows_a_snapshot_until_it_is_refreshed(engine):
    execution = FoundPlain.start(n=1)
    engine.run()
    assert execution.state == "pending"
    assert execution.refresh() is execution
    assert execution.state == "completed"
    assert execution.workflow == "FoundPlain"
    assert execution.result == 1
    assert execution.error is None
    assert execution.created_at == engine.clock()
    assert execution.completed_at == engine.clock()
    assert execution.cancelled_at is None
    assert execution.steps["one"].started_at == engine.clock()
    assert execution.steps["one"].finished_at == engine.clock()
    assert execution.id in repr(execution)
    assert hash(execution) == hash(aw.get(execution.id))


def test_explain_speaks_of_every_state(engine):
    waiting = engine.run(FoundWaiting.start())
    assert "approval" in waiting.explain()
    done = engine.run(FoundPlain.start())
    assert "completed" in done.explain()


def test_the_many_states(engine):
    assert set(aw.State) == {
        "pending", "running", "waiting", "compensating", "paused", "blocked", "compensation_failed",
        "completed", "failed", "cancelled",
    }  # fmt: skip
    assert {state for state in aw.State if state.terminal} == {"completed", "failed", "cancelled"}
    assert set(aw.StepState) == {
        "pending", "running", "waiting", "completed", "failed", "timed_out", "cancelled", "skipped",
        "in_doubt", "compensating", "compensated", "compensation_failed",
    }  # fmt: skip


@pytest.mark.parametrize("limit", [-1, 1.5, "3", True])
def test_a_limit_that_is_none(engine, limit):
    with pytest.raises(aw.ConfigurationError, match=r"limit=.* is no number of executions; leave it out"):
        aw.find(limit=limit)
    assert list(aw.find(limit=0)) == []
