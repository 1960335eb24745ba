"""Idempotency keys: one execution for a key, whoever asks and however often."""

import threading
from datetime import timedelta

import pytest

import active_workflow as aw


class KeyOrder(aw.Workflow, idempotency_key=lambda ctx: f"keyed:{ctx.order_id}"):
    work = aw.task(lambda ctx: ran.append(ctx.order_id))


class KeyPlain(aw.Workflow):
    work = aw.task(lambda ctx: ran.append("plain"))


class KeyFails(aw.Workflow):
    work = aw.task(lambda ctx: 1 / 0)


ran: list[object] = []


@pytest.fixture(autouse=True)
def _fresh():
    ran.clear()


def test_the_same_input_gives_the_same_execution(engine):
    one = KeyOrder.start(order_id=1)
    two = KeyOrder.start(order_id=1)
    engine.run(one)
    three = KeyOrder.start(order_id=1)
    engine.run()

    assert one.id == two.id == three.id
    assert three.state == "completed"
    assert ran == [1]
    assert one.idempotency_key == "keyed:1"
    assert KeyOrder.start(order_id=2).id != one.id


def test_another_input_raises_and_names_the_holder(engine):
    holder = KeyOrder.start(order_id=1)
    with pytest.raises(aw.IdempotencyConflict, match=holder.id) as caught:
        KeyOrder.start(order_id=1, other=2)
    assert caught.value.conflicts == {"keyed:1": holder.id}
    assert len(list(engine.find())) == 1


def test_another_workflow_raises(engine):
    holder = KeyOrder.start(order_id=1)
    with pytest.raises(aw.IdempotencyConflict, match=f"{holder.id} of KeyOrder"):
        KeyPlain.start({"order_id": 1}, idempotency_key="keyed:1")


def test_the_order_of_keys_makes_no_other_input(engine):
    one = KeyPlain.start({"a": 1, "b": {"x": 1, "y": 2}}, idempotency_key="k")
    two = KeyPlain.start({"b": {"y": 2, "x": 1}, "a": 1}, idempotency_key="k")

    assert one.id == two.id


def test_keys_are_compared_as_they_are(engine):
    keys = ["k", "K", "k ", " k", "ﬀ", "ff", "é", "e\u0301", "k\n"]
    executions = [KeyPlain.start({}, idempotency_key=key) for key in keys]

    assert len({x.id for x in executions}) == len(keys)
    assert [KeyPlain.start({}, idempotency_key=key).id for key in keys] == [x.id for x in executions]


def test_a_long_key(engine):
    one = KeyPlain.start({}, idempotency_key="k" * 500 + "1")
    two = KeyPlain.start({}, idempotency_key="k" * 500 + "2")

    assert one.id != two.id


@pytest.mark.parametrize("key", ["", 7, b"k"])
def test_a_key_is_text(engine, key):
    with pytest.raises(TypeError):
        KeyPlain.start({}, idempotency_key=key)


def test_key_reuse_never_is_the_default(engine):
    one = engine.run(KeyFails.start({}, idempotency_key="k"))
    assert one.state == "failed"
    assert KeyFails.start({}, idempotency_key="k").id == one.id


def test_key_reuse_failed_takes_over_what_did_not_complete(engine):
    failed = engine.run(KeyFails.start({}, idempotency_key="k"))
    again = KeyFails.start({}, idempotency_key="k", key_reuse="failed")
    assert again.id != failed.id
    assert KeyFails.start({}, idempotency_key="k").id == again.id  # the new one holds the key now
    completed = engine.run(KeyPlain.start({}, idempotency_key="p"))
    assert KeyPlain.start({}, idempotency_key="p", key_reuse="failed").id == completed.id


def test_key_reuse_terminal_takes_over_all_that_is_over_and_nothing_else(engine):
    class Waits(aw.Workflow, key_reuse="terminal"):
        approval = aw.wait_for_signal()

    one = engine.run(Waits.start({}, idempotency_key="k"))
    assert Waits.start({}, idempotency_key="k").id == one.id
    one.signal("approval")
    engine.run(one)
    assert one.state == "completed"
    two = Waits.start({}, idempotency_key="k")
    assert two.id != one.id
    two.cancel()
    engine.run(two)
    assert Waits.start({}, idempotency_key="k").id not in (one.id, two.id)


def test_a_conflicting_input_is_none_where_the_key_is_free_to_take(engine):
    engine.run(KeyFails.start({"n": 1}, idempotency_key="k"))

    assert KeyFails.start({"n": 2}, idempotency_key="k", key_reuse="failed").ctx.n == 2


def test_an_unknown_key_reuse(engine):
    with pytest.raises(aw.ActiveWorkflowError, match="never"):
        KeyPlain.start({}, idempotency_key="k", key_reuse="always")


def test_pruning_frees_the_key(engine):
    one = engine.run(KeyOrder.start(order_id=1))
    engine.clock.advance("2d")
    assert aw.prune(older_than="1d") == 1

    assert KeyOrder.start(order_id=1).id != one.id


def test_start_many_answers_in_order_and_repeats_give_the_same(engine):
    inputs = [{"order_id": n} for n in (3, 1, 2)]
    first = KeyOrder.start_many(inputs)
    assert [x.ctx.order_id for x in first] == [3, 1, 2]
    assert [x.id for x in KeyOrder.start_many(inputs[::-1])] == [x.id for x in first[::-1]]
    assert len(list(engine.find())) == 3
    assert KeyOrder.start_many([]) == []


def test_start_many_with_one_key_twice(engine):
    same = KeyOrder.start_many([{"order_id": 1}, {"order_id": 1}])
    assert same[0].id == same[1].id
    with pytest.raises(aw.IdempotencyConflict):
        KeyOrder.start_many([{"order_id": 2}, {"order_id": 2, "other": 1}])
    assert len(list(engine.find())) == 1


def test_start_many_with_conflicts_starts_nothing_and_lists_them_all(engine):
    held = [KeyOrder.start(order_id=n, x=1) for n in (1, 2)]
    with pytest.raises(aw.IdempotencyConflict) as caught:
        KeyOrder.start_many([{"order_id": n} for n in (0, 1, 2, 3)])
    assert caught.value.conflicts == {"keyed:1": held[0].id, "keyed:2": held[1].id}
    assert len(list(engine.find())) == 2


def test_start_many_on_conflict_skip_starts_the_rest(engine):
    held = KeyOrder.start(order_id=1, x=1)
    answers = KeyOrder.start_many([{"order_id": n} for n in (0, 1, 2)], on_conflict="skip")

    assert [x.ctx.order_id for x in answers] == [0, 1, 2]
    assert answers[1].id == held.id
    assert answers[1].ctx.x == 1
    assert len(list(engine.find())) == 3


def test_of_many_starts_at_once_there_is_one_execution(live):
    barrier = threading.Barrier(8)
    found = []

    def start():
        barrier.wait()
        found.append(KeyOrder.start(order_id=1).id)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 8
    assert len(set(found)) == 1
    aw.get(found[0]).wait(20)
    assert ran == [1]


# --- Children ------------------------------------------------------------------------------------------


class KeyParent(aw.Workflow):
    @aw.step(retry=aw.Retry(max=3, backoff="fixed", delay=1))
    def begin(self):
        started = [KeyPlain.start(n=1), KeyPlain.start(n=2), KeyOrder.start(order_id=5)]
        self.ctx.children = [child.id for child in started]
        ran.append(self.ctx.children)
        if self.ctx.attempt == 1:
            raise ValueError("after they were started")


def test_a_step_that_is_tried_again_finds_the_children_it_started(engine):
    execution = KeyParent.start()
    engine.run()
    engine.after(1, execution)

    attempts = [one for one in ran if isinstance(one, list)]
    assert attempts[0] == attempts[1] == execution.ctx.children
    first, second, third = (aw.get(id) for id in execution.ctx.children)
    assert first.parent_id == second.parent_id == third.parent_id == execution.id
    assert first.idempotency_key == f"{execution.id}:begin:KeyPlain:1"
    assert second.idempotency_key == f"{execution.id}:begin:KeyPlain:2"
    assert third.idempotency_key == "keyed:5"
    assert (first.ctx.n, second.ctx.n) == (1, 2)
    assert ran.count("plain") == 2


def test_children_started_by_start_many_and_by_async_steps_too(live):
    class Many(aw.Workflow):
        @aw.step(retry=aw.Retry(max=2, backoff="fixed", delay=0))
        async def begin(self):
            many = await KeyPlain.start_many_async([{"n": 1}, {"n": 2}])
            one = await KeyPlain.start_async(n=3)
            self.ctx.children = [child.id for child in (*many, one)]
            ran.append(self.ctx.children)
            if self.ctx.attempt == 1:
                raise ValueError

    execution = Many.start().wait(20)

    attempts = [one for one in ran if isinstance(one, list)]
    assert len(attempts) == 2
    assert attempts[0] == attempts[1] == execution.ctx.children
    assert len(set(execution.ctx.children)) == 3


def test_a_start_outside_a_step_has_no_parent_and_no_key(engine):
    execution = KeyPlain.start()

    assert execution.parent_id is None
    assert execution.idempotency_key is None


def test_a_key_that_holds_across_time(engine):
    one = KeyOrder.start({"order_id": 1}, run_at=engine.clock() + timedelta(days=30))

    assert KeyOrder.start(order_id=1).id == one.id
    engine.after("29d", one)
    assert one.state == "pending"
