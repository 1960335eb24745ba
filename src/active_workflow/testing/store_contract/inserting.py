# ruff: noqa: S101 - rules are asserts about plain numbers
"""Rules of ``insert``: ids, idempotency keys, whole batches."""

import pytest

from active_workflow.core.states import State
from active_workflow.store.base import Holder, Inserted, NewExecution, Store
from active_workflow.store.readiness import ChecksTables
from active_workflow.testing.store_contract.base import HOUR, Rules, claim, insert
from active_workflow.testing.store_contract.builders import (
    T0,
    completed,
    ended,
    execution,
    make_plan,
    outside,
    signalled,
    started,
    waiting,
)


class InsertRules(Rules):
    """Rules of ``insert``."""

    def test_what_was_inserted_is_loaded(self, store: Store) -> None:
        new = execution("x1", tags={"team": "é'\"%s"}, key="k1", parent_id="p1", run_at=T0 + 5)
        assert store.insert([NewExecution(new)]) == [Inserted("x1")]
        assert store.load(["x1"]) == [new]

    def test_step_rows_and_signals_come_with_it(self, store: Store) -> None:
        new = signalled(waiting(started(execution("x1"), "fulfil"), "fulfil", {"job": '"7"'}))
        new = started(completed(started(new, "reserve"), "reserve", {"name": None}), "charge")
        store.insert([NewExecution(new)])
        assert store.load(["x1"]) == [new]

    def test_inserting_nothing_is_allowed(self, store: Store) -> None:
        assert list(store.insert([])) == []

    def test_an_id_that_exists_is_left_as_it_is(self, store: Store) -> None:
        first = execution("x1", key="k1")
        store.insert([NewExecution(first)])
        again = execution("x1", key="k2", input={"other": "1"})
        assert store.insert([NewExecution(again)]) == [Inserted("x1")]
        assert store.load(["x1"]) == [first]
        assert store.insert([NewExecution(execution("x2", key="k2"))]) == [Inserted("x2")]

    def test_an_id_twice_in_one_batch_is_inserted_once(self, store: Store) -> None:
        first, second = execution("x1"), execution("x1", input={"other": "1"})
        store.insert([NewExecution(first), NewExecution(second)])
        assert store.load(["x1"]) == [first]

    def test_a_held_key_names_its_holder(self, store: Store) -> None:
        store.insert([NewExecution(execution("x1", key="k"))])
        answers = store.insert([NewExecution(execution("x2", key="k")), NewExecution(execution("x3"))])
        assert answers == [Inserted("x2", Holder("x1", "Checkout", "h1")), Inserted("x3")]
        assert [found.id for found in store.load(["x2", "x3"])] == ["x3"]

    def test_a_key_twice_in_one_batch_goes_to_the_first(self, store: Store) -> None:
        answers = store.insert([NewExecution(execution(id, key="k")) for id in ("x1", "x2")])
        assert answers == [Inserted("x1"), Inserted("x2", Holder("x1", "Checkout", "h1"))]

    @pytest.mark.parametrize("other", [{"input_hash": "h2"}, {"plan": make_plan("Refund")}])
    def test_a_conflict_undoes_the_call_where_asked(self, store: Store, other: dict[str, object]) -> None:
        store.insert([NewExecution(execution("x1", key="k"))])
        batch = [NewExecution(execution("x2", key="k", **other)), NewExecution(execution("x3", key="k3"))]
        answers = store.insert(batch, skip_conflicts=False)
        assert answers[0].holder == Holder("x1", "Checkout", "h1")
        assert list(store.load(["x2", "x3"])) == []
        assert store.insert(batch[1:]) == [Inserted("x3")]  # its key was not taken either

    def test_the_same_key_with_the_same_input_is_no_conflict(self, store: Store) -> None:
        store.insert([NewExecution(execution("x1", key="k"))])
        batch = [NewExecution(execution("x2", key="k")), NewExecution(execution("x3"))]
        answers = store.insert(batch, skip_conflicts=False)
        assert [answer.holder and answer.holder.id for answer in answers] == ["x1", None]
        assert [found.id for found in store.load(["x2", "x3"])] == ["x3"]

    def test_keys_are_compared_as_bytes(self, store: Store) -> None:
        keys = ["a", "A", "a ", " a", "á", "a\u0301", "ß", "ss", "", "%", "_", "'", "\u200b", "😀"]
        batch = [NewExecution(execution(f"x{n}", key=key)) for n, key in enumerate(keys)]
        assert [answer.holder for answer in store.insert(batch)] == [None] * len(keys)
        again = [NewExecution(execution(f"y{n}", key=key)) for n, key in enumerate(keys)]
        holders = [answer.holder.id for answer in store.insert(again) if answer.holder]
        assert holders == [f"x{n}" for n in range(len(keys))]

    @pytest.mark.parametrize(
        ("outcome", "reuse", "free"),
        [
            (None, "never", False),
            (None, "failed", False),
            (None, "terminal", False),
            (State.COMPLETED, "never", False),
            (State.COMPLETED, "failed", False),
            (State.COMPLETED, "terminal", True),
            (State.FAILED, "never", False),
            (State.FAILED, "failed", True),
            (State.FAILED, "terminal", True),
            (State.CANCELLED, "failed", True),
        ],
    )
    def test_a_key_may_be_taken_over_from_an_ended_holder(
        self, store: Store, outcome: State | None, reuse: str, free: bool
    ) -> None:
        first = execution("x1", key="k")
        store.insert([NewExecution(first)])
        if outcome is not None:
            store.commit([outside(first, ended(first, outcome=outcome))])
        second = NewExecution(execution("x2", key="k", input_hash="h2"), key_reuse=reuse)
        [answer] = store.insert([second], skip_conflicts=False)
        assert (answer.holder is None) is free
        [third] = store.insert([NewExecution(execution("x3", key="k"))])
        assert third.holder is not None
        assert third.holder.id == ("x2" if free else "x1")

    def test_inserted_with_a_lease_it_is_nobody_elses(self, store: Store) -> None:
        new = execution("x1", token=1)
        store.insert([NewExecution(new, lease_owner="w1", lease=HOUR, due_at=0)])
        assert store.load(["x1"]) == [new]
        lease = store.lease_of("x1")
        assert lease is not None
        assert (lease.owner, lease.until > store.now()) == ("w1", True)
        assert claim(store, "w2") == []

    def test_preparing_again_applies_nothing_and_keeps_all(self, store: Store) -> None:
        insert(store, "x1", key="k")
        before = store.load(["x1"])
        assert not store.prepare()
        if isinstance(store, ChecksTables):
            store.check()
        assert store.load(["x1"]) == before

    def test_it_is_there_after_the_store_was_opened_anew(self, store: Store) -> None:
        insert(store, "x1", key="k")
        store.close()
        assert [found.id for found in store.load(["x1"])] == ["x1"]
        [answer] = store.insert([NewExecution(execution("x2", key="k"))])
        assert answer.holder is not None
