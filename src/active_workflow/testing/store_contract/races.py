# ruff: noqa: S101 - rules are asserts about plain numbers
"""Rules that hold when several come at once: threads of one store, and a second connection."""

import threading
from collections.abc import Callable
from typing import TypeVar

from active_workflow.core.snapshot import Execution
from active_workflow.store.base import (
    Applied,
    ClaimRequest,
    Heartbeat,
    Lease,
    NewExecution,
    Renewed,
    Store,
)
from active_workflow.testing.store_contract.base import HOUR, Rules, claim, insert
from active_workflow.testing.store_contract.builders import (
    execution,
    outside,
    owned,
    signalled,
    started,
    waiting,
)

T = TypeVar("T")


def at_once(*acts: Callable[[], T]) -> list[T]:
    """Run functions side by side, begun together, and give their answers; an error is raised here."""
    barrier = threading.Barrier(len(acts))
    answers: dict[int, T] = {}
    errors: list[BaseException] = []

    def run(number: int, act: Callable[[], T]) -> None:
        barrier.wait()
        try:
            answers[number] = act()
        except BaseException as error:  # noqa: BLE001 - raised again below, in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number, act)) for number, act in enumerate(acts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [answers[number] for number in range(len(acts))]


def signal_until_applied(store: Store, id: str) -> Applied:
    """Do what callers from outside do: load, decide, commit, and again on refusal."""
    while True:
        [it] = store.load([id])
        [answer] = store.commit([outside(it, signalled(it))])
        if answer.verdict == "applied":
            return answer


class RaceRules(Rules):
    """Rules that hold when several come at once."""

    def test_one_connection_sees_what_the_other_committed(self, store: Store, second: Store) -> None:
        insert(store, "x1")
        assert claim(second) == ["x1"]
        assert claim(store, "w2") == []
        [it] = store.load(["x1"])
        change = owned(it, started(it, "reserve"))
        second.commit([change])
        assert store.load(["x1"]) == [change.after]

    def test_many_may_prepare_at_once(self, store: Store, second: Store) -> None:
        insert(store, "x1")
        at_once(*(each.prepare for each in [store, second] * 3))
        assert [it.id for it in second.load(["x1"])] == ["x1"]

    def test_a_lease_is_renewed_and_released_by_its_token_alone(self, store: Store, second: Store) -> None:
        insert(store, "x1")
        claim(store)
        lease = Lease("x1", 1)
        assert second.renew([lease], 2 * HOUR) == [Renewed("x1", held=True, revision=1)]
        second.release([lease], {"x1": 0})
        assert store.renew([lease], HOUR) == [Renewed("x1", held=False, revision=1)]
        assert claim(store, "w2") == ["x1"]

    def test_signs_of_life_and_commits_meet_without_loss(self, store: Store, second: Store) -> None:
        insert(store, "x1")
        [it] = store.load(["x1"])
        store.commit([outside(it, waiting(started(it, "fulfil"), "fulfil"))])

        def beat() -> int:
            return sum(second.touch([Heartbeat("x1", "fulfil", f"{n}")])[0] for n in range(20))

        def signal() -> int:
            return sum(signal_until_applied(store, "x1").verdict == "applied" for _ in range(20))

        assert at_once(beat, signal) == [20, 20]
        [it] = store.load(["x1"])
        assert (it.signal_count, it.step("fulfil").heartbeat) == (20, "19")

    def test_each_row_is_claimed_once(self, store: Store, second: Store) -> None:
        insert(store, *(f"x{n:03}" for n in range(200)))

        def claim_all(each: Store, owner: str) -> list[str]:
            got: list[str] = []
            while found := claim(each, owner, limit=7):
                got += found
            return got

        shares = at_once(*(lambda s=s, n=n: claim_all(s, f"w{n}") for n, s in enumerate([store, second] * 2)))
        everything = sorted(id for share in shares for id in share)
        assert everything == [f"x{n:03}" for n in range(200)]
        assert {it.token for it in store.load(everything)} == {1}

    def test_of_two_commits_on_one_revision_one_is_applied(self, store: Store, second: Store) -> None:
        ids = [f"x{n}" for n in range(20)]
        insert(store, *ids)
        found = store.load(ids)

        def commit_all(each: Store) -> list[str]:
            changes = [outside(it, signalled(it)) for it in found]
            return [answer.verdict.value for answer in each.commit(changes)]

        one, two = at_once(lambda: commit_all(store), lambda: commit_all(second))
        assert [sorted(pair) for pair in zip(one, two, strict=True)] == [["applied", "refused"]] * 20
        assert {it.signal_count for it in store.load(ids)} == {1}

    def test_signals_from_all_sides_are_all_kept(self, store: Store, second: Store) -> None:
        insert(store, "x1")

        def signal_often(each: Store) -> None:
            for _ in range(10):
                signal_until_applied(each, "x1")

        at_once(*(lambda s=s: signal_often(s) for s in [store, second] * 2))
        [it] = store.load(["x1"])
        assert [signal.number for signal in it.signals] == list(range(1, 41))

    def test_one_key_from_all_sides_has_one_holder(self, store: Store, second: Store) -> None:
        def start(each: Store, id: str) -> str:
            [answer] = each.insert([NewExecution(execution(id, key="k"))])
            return answer.holder.id if answer.holder else answer.id

        stores = [store, second] * 4
        holders = at_once(*(lambda s=s, n=n: start(s, f"x{n}") for n, s in enumerate(stores)))
        assert len(set(holders)) == 1
        assert len(store.load([f"x{n}" for n in range(8)])) == 1

    def test_a_load_is_of_one_moment(self, store: Store, second: Store) -> None:
        insert(store, "x1", "x2")

        def signal_both() -> bool:
            for _ in range(30):
                pair = second.load(["x1", "x2"])
                second.commit([outside(it, signalled(it)) for it in pair])
            return True

        def look() -> bool:
            for _ in range(60):
                pair: list[Execution] = list(store.load(["x1", "x2"]))
                if pair[0].signal_count != pair[1].signal_count:
                    return False
                if any(len(it.signals) != it.signal_count for it in pair):
                    return False
            return True

        assert at_once(signal_both, look) == [True, True]

    def test_hints_of_the_own_changes_are_no_error(self, store: Store, second: Store) -> None:
        told = threading.Event()
        stop = store.listen(told.set)
        if stop is None:
            return
        try:
            insert(second, "x1")
            if second is not store:
                assert told.wait(20)
        finally:
            stop()
        assert store.claim(ClaimRequest("w1", 1, HOUR)).executions
