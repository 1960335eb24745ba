# ruff: noqa: S101 - rules are asserts about plain numbers
"""Rules about large batches: ten thousand rows in each call that takes many, and answers in order."""

from active_workflow.store.base import Heartbeat, Lease, NewExecution, Query, Store
from active_workflow.testing.store_contract.base import HOUR, Rules, claim
from active_workflow.testing.store_contract.builders import (
    ended,
    execution,
    outside,
    owned,
    started,
    waiting,
)

MANY = 10_000


class BatchRules(Rules):
    """Rules about large batches."""

    def test_ten_thousand_through_their_whole_life(self, store: Store) -> None:
        new = [NewExecution(execution(f"x{n:05}", key=f"k{n}", created_at=n), due_at=0) for n in range(MANY)]
        ids = [item.execution.id for item in new]
        assert [answer.id for answer in store.insert(new)] == ids
        again = store.insert(
            [NewExecution(item.execution.evolve(id=f"y{item.execution.id}")) for item in new]
        )
        assert [answer.holder and answer.holder.id for answer in again] == ids
        assert len(claim(store, limit=MANY)) == MANY
        leases = [Lease(id, 1) for id in ids]
        assert all(answer.held for answer in store.renew(leases, HOUR))
        found = store.load(ids)
        assert [it.id for it in found] == ids
        changes = [owned(it, waiting(started(it, "fulfil"), "fulfil", {"job": f'"{it.id}"'})) for it in found]
        assert [(answer.id, answer.verdict) for answer in store.commit(changes)] == [
            (id, "applied") for id in ids
        ]
        store.release(leases, dict.fromkeys(ids, 0))
        assert store.touch([Heartbeat(id, "fulfil") for id in ids]) == [True] * MANY
        assert sorted(store.states(ids)) == ids
        answers = store.commit([outside(it, ended(it)) for it in store.load(ids)])
        assert len([answer for answer in answers if answer.verdict == "applied"]) == MANY
        assert [it.id for it in store.find(Query(limit=MANY))] == ids[::-1]
        assert store.prune(2**62, MANY + 1) == MANY
        assert list(store.find(Query())) == []
