# ruff: noqa: S101 - rules are asserts about plain numbers
"""Rules about time: whose clock decides, and that no time zone does."""

import time
from collections.abc import Iterator

import pytest

from active_workflow.store.base import ClaimRequest, Heartbeat, NewExecution, Store
from active_workflow.testing.store_contract.base import HOUR, Rules, claim, insert
from active_workflow.testing.store_contract.builders import T0, execution, outside, started, waiting

WRONG = 10 * 60 * 1_000_000
"""Microseconds by which a store's clock may differ from this machine's: zones differ by more."""


class ClockRules(Rules):
    """Rules about time."""

    @pytest.fixture(params=["UTC", "Pacific/Kiritimati", "America/St_Johns"])
    def _zone(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """Let this process live in another time zone."""
        monkeypatch.setenv("TZ", request.param)
        time.tzset()
        yield
        monkeypatch.undo()
        time.tzset()

    @pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system can't change its time zone")
    @pytest.mark.usefixtures("_zone")
    def test_no_time_zone_moves_the_clock(self, store: Store) -> None:
        assert abs(store.now() - time.time_ns() // 1000) < WRONG
        store.insert([NewExecution(execution("x1"), due_at=store.now() - 1)])
        store.insert([NewExecution(execution("x2"), due_at=store.now() + WRONG)])
        answer = store.claim(ClaimRequest("w1", 10, HOUR))
        assert [it.id for it in answer.executions] == ["x1"]
        assert abs(answer.now - time.time_ns() // 1000) < WRONG
        lease = store.lease_of("x1")
        assert lease is not None
        assert abs(lease.until - answer.now - HOUR) < WRONG

    def test_time_does_not_go_back(self, store: Store) -> None:
        times = [store.now() for _ in range(20)]
        assert times == sorted(times)

    def test_a_clock_that_was_given_decides_everywhere(self) -> None:
        now = T0
        store = self.make_store_at(lambda: now)
        store.prepare()
        store.insert([NewExecution(execution("x1"), due_at=T0 + 5)])
        store.insert([NewExecution(execution("x2", token=1), lease_owner="w0", lease=7, due_at=0)])
        assert store.now() == T0
        assert claim(store) == []
        lease = store.lease_of("x2")
        assert lease is not None
        assert lease.until == T0 + 7
        now = T0 + 5
        answer = store.claim(ClaimRequest("w1", 10, 20))
        assert ([it.id for it in answer.executions], answer.now, answer.next_due) == (["x1"], now, T0 + 7)
        now = T0 + 7
        assert store.lease_of("x2") is None
        assert claim(store, "w2", lease=1) == ["x2"]  # at its last instant a lease is over
        [it] = store.load(["x1"])
        store.commit([outside(it, waiting(started(it, "fulfil"), "fulfil"))])
        assert store.touch([Heartbeat("x1", "fulfil")]) == [True]
        assert store.load(["x1"])[0].step("fulfil").heartbeat_at == now
        store.close()

    def test_instants_before_the_epoch_and_far_away(self, store: Store) -> None:
        insert(store, "x1", created_at=-(2**40), run_at=2**61)
        insert(store, "x2", created_at=0)
        [it] = store.load(["x1"])
        assert (it.created_at, it.run_at) == (-(2**40), 2**61)
        store.insert([NewExecution(execution("x3", created_at=1), due_at=2**61)])
        assert claim(store) == ["x1", "x2"]
