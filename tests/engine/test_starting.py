"""Starting: what is accepted, with which identity, and what is refused before anything is written."""

from datetime import UTC, datetime

import pytest

import active_workflow as aw
from active_workflow.dsl.client import StartOptions
from active_workflow.dsl.workflow import program_of
from active_workflow.engine.starting import Owner, Starter
from active_workflow.store.memory import MemoryStore
from active_workflow.store.serializer import JsonSerializer

NOW = 1_000_000_000


class StartingFlow(aw.Workflow, idempotency_key=lambda ctx: ctx.get("key")):
    one = aw.task(lambda ctx: 1)
    two = aw.task(lambda ctx: 2)


@pytest.fixture
def store():
    store = MemoryStore(lambda: NOW)
    store.prepare()
    return store


@pytest.fixture
def start(store):
    starter = Starter(store, JsonSerializer())

    def start(*given, owner=None, **options):
        return starter.start(program_of(StartingFlow), given, StartOptions(**options), now=NOW, owner=owner)

    return start


def test_without_an_owner_it_is_due_and_nobody_s(start, store):
    accepted = start({"n": 1})[0]
    found = store.load([accepted.id])[0]

    assert accepted.new is not None
    assert not accepted.held
    assert found.steps == {}
    assert found.token == 0
    assert store.lease_of(accepted.id) is None


def test_with_an_owner_its_first_step_is_started_by_the_insert(start, store):
    accepted = start({"n": 1}, owner=Owner("me", 30_000_000))[0]
    found = store.load([accepted.id])[0]

    assert accepted.held
    assert found.steps["one"].run.attempts == 1
    assert found.token == 1
    assert store.lease_of(accepted.id).owner == "me"


def test_one_that_is_to_run_later_is_nobody_s(start, store):
    accepted = start({"n": 1}, owner=Owner("me", 30_000_000), run_at=NOW + 1)[0]

    assert not accepted.held
    assert store.lease_of(accepted.id) is None
    assert store.load([accepted.id])[0].run_at == NOW + 1


def test_a_held_key_gives_its_holder_and_no_lease(start, store):
    first = start({"key": "k"})[0]
    again = start({"key": "k"}, owner=Owner("me", 30_000_000))[0]

    assert (again.id, again.new, again.held) == (first.id, None, False)
    assert store.lease_of(first.id) is None


def test_ids_are_unique_and_sorted_by_time(start):
    ids = [one.id for one in start(*[{"n": n} for n in range(100)])]

    assert len(set(ids)) == 100
    assert all(len(id) == 36 and id[14] == "7" for id in ids)


def test_the_hash_is_of_the_caller_s_input_alone(start, store):
    a, b, c = start({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 1, "b": 3})
    hashes = [store.load([one.id])[0].input_hash for one in (a, b, c)]

    assert hashes[0] == hashes[1] != hashes[2]


def test_nothing_is_written_when_one_of_many_can_t_be(start, store):
    with pytest.raises(aw.SerializationError):
        start({"n": 1}, {"n": object()})

    assert list(store.find(_all())) == []


def _all():
    from active_workflow.store.base import Query  # noqa: PLC0415 - used here only

    return Query()


def test_ctx_and_options_of_the_two_forms(tmp_path):
    with aw.configure("memory://", embedded=False):
        assert dict(StartingFlow.start(n=1, m=2).ctx) == {"n": 1, "m": 2}
        assert dict(StartingFlow.start({"n": 1}, tags={"a": 1}).ctx) == {"n": 1}
        for wrong in (
            lambda: StartingFlow.start({"n": 1}, {"m": 2}),
            lambda: StartingFlow.start({}, nonsense=1),
        ):
            with pytest.raises(TypeError):
                wrong()
        with pytest.raises(TypeError):
            StartingFlow.start(7)
        with pytest.raises(TypeError):
            aw.start(StartingFlow, {}, run_att=datetime.now(UTC))
