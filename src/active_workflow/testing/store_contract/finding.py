# ruff: noqa: S101, PLR2004 - rules are asserts about plain numbers
"""Rules of ``load``, ``states``, ``find`` and ``prune``."""

import pytest

from active_workflow.core.states import State
from active_workflow.errors import CorruptRow
from active_workflow.store.base import NewExecution, Query, Store
from active_workflow.testing.store_contract.base import Rules, claim, insert
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


def ids(store: Store, query: Query) -> list[str]:
    """Find and give the ids."""
    return [found.id for found in store.find(query)]


def end(store: Store, id: str, at: int, outcome: State = State.COMPLETED) -> None:
    """End an execution, with a step and a signal behind it."""
    [it] = store.load([id])
    after = ended(signalled(completed(started(it, "reserve"), "reserve")), at, outcome)
    store.commit([outside(it, after)])


class FindRules(Rules):
    """Rules of reading and pruning."""

    def test_load_keeps_the_order_asked_for(self, store: Store) -> None:
        insert(store, "x1", "x2", "x3")
        assert [found.id for found in store.load(["x3", "nowhere", "x1"])] == ["x3", "x1"]
        assert list(store.load([])) == []
        assert list(store.load(["nowhere"])) == []

    def test_states(self, store: Store) -> None:
        insert(store, "x1", "x2")
        end(store, "x2", T0, State.CANCELLED)
        assert store.states(["x2", "nowhere", "x1"]) == {"x1": State.PENDING, "x2": State.CANCELLED}
        assert store.states([]) == {}

    def test_find_gives_the_newest_first(self, store: Store) -> None:
        made = {"x1": T0 + 1, "x2": T0 + 3, "x3": T0 + 2, "x5": T0 + 2, "x4": T0 + 2}
        store.insert([NewExecution(execution(id, created_at=at)) for id, at in made.items()])
        assert ids(store, Query()) == ["x2", "x5", "x4", "x3", "x1"]
        assert store.find(Query(limit=1)) == store.load(["x2"])
        assert ids(store, Query(after="x5", limit=2)) == ["x4", "x3"]
        assert ids(store, Query(after="x1")) == []
        assert ids(store, Query(after="nowhere")) == []
        assert ids(store, Query(since=T0 + 2)) == ["x2", "x5", "x4", "x3"]

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            (Query(states=[State.PENDING]), ["x4", "x3", "x2"]),
            (Query(states=[State.FAILED, State.COMPLETED]), ["x1"]),
            (Query(workflow="Refund"), ["x3"]),
            (Query(workflow="refund"), []),
            (Query(tags={"team": "a"}), ["x4", "x2"]),
            (Query(tags={"team": "a", "tier": "1"}), ["x4"]),
            (Query(tags={"team": "A"}), []),
            (Query(tags={'it\'s "%" 😀': "\\"}), ["x1"]),
            (Query(parent_id="x1"), ["x4", "x3"]),
            (Query(parent_id="x1", tags={"team": "a"}, states=[State.PENDING], after="x5"), []),
            (Query(parent_id="x1", after="x4"), ["x3"]),
            (Query(parent_id="x1", workflow="Refund", since=T0), ["x3"]),
        ],
    )
    def test_filters_of_find(self, store: Store, query: Query, found: list[str]) -> None:
        new = [
            execution("x1", created_at=T0 + 1, tags={'it\'s "%" 😀': "\\"}),
            execution("x2", created_at=T0 + 2, tags={"team": "a"}),
            execution("x3", created_at=T0 + 3, plan=make_plan("Refund"), parent_id="x1"),
            execution("x4", created_at=T0 + 4, tags={"team": "a", "tier": "1"}, parent_id="x1"),
        ]
        store.insert([NewExecution(item) for item in new])
        end(store, "x1", T0 + 9)
        assert ids(store, query) == found

    # --- Pruning ------------------------------------------------------------------------------------

    def test_pruning_deletes_what_ended_before_the_oldest_first(self, store: Store) -> None:
        insert(store, "x1", "x2", "x3", "x4", "x5")
        for id, at in {"x1": T0 + 3, "x2": T0 + 1, "x3": T0 + 2, "x4": T0 + 9}.items():
            end(store, id, at)
        assert store.prune(T0 + 9, 2) == 2
        assert sorted(store.states(["x1", "x2", "x3", "x4", "x5"])) == ["x1", "x4", "x5"]
        assert (store.prune(T0 + 9, 100), store.prune(T0 + 9, 100)) == (1, 0)
        assert sorted(ids(store, Query())) == ["x4", "x5"]

    def test_pruning_leaves_nothing_behind(self, store: Store) -> None:
        insert(store, "x1")
        end(store, "x1", T0)
        store.prune(T0 + 1, 10)
        new = execution("x1")
        store.insert([NewExecution(new)])
        assert store.load(["x1"]) == [new]

    def test_pruning_frees_keys(self, store: Store) -> None:
        insert(store, "x1", key="k")
        end(store, "x1", T0)
        store.prune(T0 + 1, 10)
        [answer] = store.insert([NewExecution(execution("x2", key="k"))])
        assert answer.holder is None

    def test_pruning_leaves_a_key_to_its_later_holder(self, store: Store) -> None:
        insert(store, "x1", key="k")
        end(store, "x1", T0, State.FAILED)
        store.insert([NewExecution(execution("x2", key="k"), key_reuse="failed")])
        store.prune(T0 + 1, 10)
        [answer] = store.insert([NewExecution(execution("x3", key="k"))])
        assert answer.holder is not None
        assert answer.holder.id == "x2"

    def test_what_waits_is_never_pruned(self, store: Store) -> None:
        insert(store, "x1")
        claim(store)
        [it] = store.load(["x1"])
        store.commit([outside(it, waiting(started(it, "fulfil"), "fulfil"))])
        assert store.prune(2**62, 10) == 0

    # --- Corrupt rows -------------------------------------------------------------------------------

    def test_a_corrupt_row_says_which_and_what_to_do(self, store: Store) -> None:
        insert(store, "x1", "x2")
        self.break_row(store, "x1")
        with pytest.raises(CorruptRow, match=r"execution x1 .*backup"):
            store.load(["x1"])
        assert ids(store, Query()) == ["x2"]
