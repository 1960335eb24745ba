# ruff: noqa: S101, PLR2004 - rules are asserts about plain numbers
"""Rules of ``claim``, ``renew``, ``release`` and of due times."""

from typing import Any

import pytest

from active_workflow.core.snapshot import Block, BlockKind
from active_workflow.store.base import ClaimRequest, Lease, NewExecution, Renewed, Store
from active_workflow.testing.store_contract.base import HOUR, Rules, claim, insert, lease_of
from active_workflow.testing.store_contract.builders import (
    completed,
    ended,
    execution,
    make_plan,
    outside,
    owned,
    signalled,
    started,
)


def next_due(store: Store, **filters: Any) -> int | None:
    """Ask for the next due time without claiming anything."""
    return store.claim(ClaimRequest("w9", 0, HOUR, **filters)).next_due


class LeaseRules(Rules):
    """Rules of leases and due times."""

    def test_a_claim_raises_the_token_and_nothing_else(self, store: Store) -> None:
        insert(store, "x1")
        [before] = store.load(["x1"])
        answer = store.claim(ClaimRequest("w1", 10, HOUR))
        assert list(answer.executions) == [before.evolve(token=1)]
        assert store.load(["x1"]) == [before.evolve(token=1)]
        lease = store.lease_of("x1")
        assert lease is not None
        assert (lease.owner, answer.now <= lease.until - HOUR <= store.now()) == ("w1", True)

    def test_only_what_is_due_is_claimed_the_longest_due_first(self, store: Store) -> None:
        now = store.now()
        due = {"x1": now - 5, "x2": now - 9, "x3": now + HOUR, "x4": None, "x5": now - 7}
        store.insert([NewExecution(execution(id), due_at=at) for id, at in due.items()])
        assert claim(store, limit=2) == ["x2", "x5"]
        assert claim(store) == ["x1"]
        assert claim(store) == []

    def test_a_lease_that_is_over_may_be_taken(self, store: Store) -> None:
        insert(store, "x1")
        claim(store, lease=0)
        assert store.lease_of("x1") is None
        assert claim(store, "w2") == ["x1"]
        assert store.load(["x1"])[0].token == 2
        assert claim(store, "w3") == []

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ({}, ["x1", "x2", "x3", "x4"]),
            ({"workflows": ["Checkout"]}, ["x1", "x3", "x4"]),
            ({"workflows": []}, []),
            ({"queues": ["slow"]}, ["x3"]),
            ({"queues": ["slow", "default"], "workflows": ["Refund"]}, ["x2"]),
            ({"not_plans": [make_plan(version=2).hash]}, ["x1", "x2", "x3", "x4"]),  # none is blocked
        ],
    )
    @pytest.mark.parametrize("over", [False, True])
    def test_filters(self, store: Store, filters: dict[str, Any], found: list[str], over: bool) -> None:
        plans = [make_plan(), make_plan("Refund"), make_plan(queue="slow"), make_plan(version=2)]
        store.insert(
            [NewExecution(execution(f"x{n}", plan=plan), due_at=n) for n, plan in enumerate(plans, 1)]
        )
        if over:
            claim(store, "w0", lease=-1)
        assert (next_due(store, **filters) is not None) is bool(found)
        assert sorted(claim(store, **filters)) == found

    @pytest.mark.parametrize("over", [False, True])
    def test_blocked_ones_of_plans_without_code_are_left_to_others(self, store: Store, over: bool) -> None:
        """Only those: another execution of the same plan may need other code, which is there."""
        mine, other = make_plan(), make_plan(version=2)
        blocked = Block(BlockKind.CODE, "it has no step 'b' any more")
        rows = [(mine, None), (mine, blocked), (other, blocked)]
        store.insert(
            [
                NewExecution(execution(f"x{n}", plan=plan).evolve(blocked=block), due_at=n)
                for n, (plan, block) in enumerate(rows, 1)
            ]
        )
        if over:
            claim(store, "w0", lease=-1)
        assert sorted(claim(store, not_plans=[mine.hash])) == ["x1", "x3"]
        assert (next_due(store, not_plans=[mine.hash]) or HOUR) > 2
        assert claim(store) == ["x2"]

    def test_next_due(self, store: Store) -> None:
        assert next_due(store) is None
        soon, later = store.now() + HOUR, store.now() + 2 * HOUR
        store.insert(
            [NewExecution(execution("x1"), due_at=later), NewExecution(execution("x2"), due_at=soon)]
        )
        store.insert([NewExecution(execution("x3", plan=make_plan("Refund")), due_at=1)])
        assert next_due(store) == 1
        assert next_due(store, workflows=["Checkout"]) == soon
        assert claim(store, lease=HOUR // 2) == ["x3"]
        lease = store.lease_of("x3")
        assert lease is not None
        assert next_due(store) == lease.until
        assert claim(store) == []

    def test_next_due_tells_what_the_limit_left(self, store: Store) -> None:
        insert(store, "x1", "x2")
        assert store.claim(ClaimRequest("w1", 1, HOUR)).next_due == 0

    def test_a_release_makes_it_due_as_given(self, store: Store) -> None:
        insert(store, "x1", "x2", "x3")
        claim(store)
        later = store.now() + HOUR
        leases = [lease_of(store, id) for id in ("x1", "x2", "x3")]
        store.release(leases, {"x1": 0, "x2": later, "x3": None})
        assert [store.lease_of(id) for id in ("x1", "x2", "x3")] == [None] * 3
        assert claim(store) == ["x1"]
        store.release([lease_of(store, "x1")], {"x1": None})
        assert next_due(store) == later

    def test_a_lost_lease_is_neither_released_nor_renewed(self, store: Store) -> None:
        insert(store, "x1")
        claim(store, lease=0)
        old = lease_of(store, "x1")
        claim(store, "w2")
        held = store.lease_of("x1")
        store.release([old], {"x1": 0})
        assert store.renew([old], 9 * HOUR) == [Renewed("x1", held=False, revision=1)]
        assert store.lease_of("x1") == held

    def test_renewing_answers_in_order_and_tells_revisions(self, store: Store) -> None:
        insert(store, "x1", "x2")
        claim(store)
        [it] = store.load(["x2"])
        store.commit([outside(it, signalled(it))])
        leases = [Lease("x2", 1), Lease("nowhere", 1), Lease("x1", 1), Lease("x1", 7)]
        assert store.renew(leases, 5 * HOUR) == [
            Renewed("x2", held=True, revision=2),
            Renewed("nowhere", held=False, revision=0),
            Renewed("x1", held=True, revision=1),
            Renewed("x1", held=False, revision=1),
        ]
        lease = store.lease_of("x1")
        assert lease is not None
        assert lease.until > store.now() + 4 * HOUR

    def test_a_released_lease_is_not_renewed(self, store: Store) -> None:
        insert(store, "x1")
        claim(store)
        store.release([Lease("x1", 1)], {"x1": None})
        assert store.renew([Lease("x1", 1)], HOUR) == [Renewed("x1", held=False, revision=1)]

    # --- Due times of commits -----------------------------------------------------------------------

    def test_an_owner_keeps_the_lease_and_the_due_time_unless_it_releases(self, store: Store) -> None:
        insert(store, "x1")
        claim(store)
        [it] = store.load(["x1"])
        change = owned(it, started(it, "reserve"), due_at=store.now() + HOUR)
        store.commit([change])
        assert store.lease_of("x1") is not None
        store.commit([owned(change.after, completed(change.after, "reserve"), release=True, due_at=7)])
        assert store.lease_of("x1") is None
        assert next_due(store) == 7
        assert claim(store, "w2") == ["x1"]

    def test_a_due_time_from_outside_counts_only_while_nobody_holds_it(self, store: Store) -> None:
        store.insert([NewExecution(execution("x1"), due_at=None)])
        [it] = store.load(["x1"])
        change = outside(it, signalled(it), due_at=3)
        store.commit([change])
        assert next_due(store) == 3
        claim(store)
        [it] = store.load(["x1"])
        store.commit([outside(it, signalled(it), due_at=None)])
        assert store.lease_of("x1") is not None
        claim(store)
        [it] = store.load(["x1"])
        store.commit([owned(it, it, release=True, due_at=None)])
        assert next_due(store) is None

    def test_what_is_over_is_never_claimed(self, store: Store) -> None:
        insert(store, "x1")
        claim(store)
        [it] = store.load(["x1"])
        store.commit([owned(it, ended(it), release=True)])
        assert (claim(store), next_due(store), store.lease_of("x1")) == ([], None, None)

    def test_the_queue_follows_the_steps(self, store: Store) -> None:
        plan = make_plan()
        insert(store, "x1", plan=plan)
        assert claim(store, queues=["other"]) == []
        assert claim(store, queues=["default"]) == ["x1"]

    # --- Corrupt rows -------------------------------------------------------------------------------

    def test_a_corrupt_row_stops_no_others(self, store: Store) -> None:
        insert(store, "x1", "x2", "x3")
        self.break_row(store, "x2")
        assert claim(store) == ["x1", "x3"]
        assert store.lease_of("x2") is None
        assert claim(store, "w2") == []  # it is put off for a while
