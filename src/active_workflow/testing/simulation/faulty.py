"""A store that fails as databases do, seen by one process; every answer of the real one is judged."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from active_workflow.core.change import Change
from active_workflow.core.snapshot import Execution
from active_workflow.core.states import State
from active_workflow.errors import DataRejected, StoreUnavailable, UnknownCommit
from active_workflow.store.base import (
    Applied,
    Claimed,
    ClaimRequest,
    Heartbeat,
    Inserted,
    Lease,
    LeaseInfo,
    NewExecution,
    Query,
    Renewed,
    Verdict,
)
from active_workflow.store.transactions import Decide
from active_workflow.testing.simulation.world import World

Answer = TypeVar("Answer")


class Killed(BaseException):
    """The process that was in the middle of a store call is dead."""


class Process(Protocol):
    """Who calls the store."""

    name: str

    @property
    def alive(self) -> bool:
        """Whether it still runs: a call of one that was killed meanwhile gets no answer."""
        ...

    def kill(self) -> None:
        """End it at once."""
        ...


class FaultyStore:
    """The shared store as one process sees it.

    Args:
        world: Its store, its time, its chance and its judge.
        process: Who calls.
    """

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process
        self._store = world.store

    def _try(self, name: str, act: Callable[[], Answer]) -> Answer:
        faults = self._world.faults
        fault = faults.draw()
        if fault is None:
            return act()
        self._world.log("{} {}: {}", self._process.name, name, fault)
        self._world.count("fault", f"{name} {fault}")
        if fault == "slow":
            self._wait(faults.delay())
        elif fault == "fails before":
            raise StoreUnavailable("injected: before")
        elif fault == "dies before":
            self._process.kill()
            raise Killed
        answer = act()
        if fault == "answer is late":
            self._wait(faults.delay())
        elif fault == "answer is lost":
            raise (
                UnknownCommit("injected: after") if name == "commit" else StoreUnavailable("injected: after")
            )
        elif fault == "dies after":
            self._process.kill()
            raise Killed
        return answer

    def _wait(self, delay: int) -> None:
        self._world.timeline.pass_by(delay)
        if not self._process.alive:
            raise Killed

    # --- The store's calls ------------------------------------------------------------------------

    def insert(self, new: Sequence[NewExecution], *, skip_conflicts: bool = True) -> Sequence[Inserted]:
        """See ``Store``."""

        def act() -> Sequence[Inserted]:
            answers = self._store.insert(new, skip_conflicts=skip_conflicts)
            for item in new:
                self._world.judge.inserted(item)
            return answers

        return self._try("insert", act)

    def load(self, ids: Sequence[str]) -> Sequence[Execution]:
        """See ``Store``."""
        return self._try("load", lambda: self._store.load(ids))

    def commit(self, changes: Sequence[Change]) -> Sequence[Applied]:
        """See ``Store``."""

        def act() -> Sequence[Applied]:
            answers = self._store.commit(changes)
            after = {x.id: x for x in self._store.load([change.id for change in changes])}
            for answer in answers:
                self._world.count("answer", answer.verdict)
            self._world.judge.committed(self._process.name, changes, answers, after)
            return answers

        return self._try("commit", act)

    def complete(self, known: Execution, decide: Decide, effect: Callable[[], None]) -> bool:
        """Commit what is decided of a transactional step; ``effect`` happens with it, or not at all."""

        def act() -> bool:
            for seen in (known, *self._store.load([known.id])):
                change = decide(seen)
                if change is None:
                    return False
                [answer] = answers = self._store.commit([change])
                if answer.verdict is Verdict.REJECTED:
                    raise DataRejected(answer.detail)
                if answer.verdict is Verdict.APPLIED:
                    effect()
                    after = {x.id: x for x in self._store.load([change.id])}
                    self._world.judge.committed(self._process.name, [change], answers, after)
                    return True
            return False

        return self._try("commit", act)

    def claim(self, request: ClaimRequest) -> Claimed:
        """See ``Store``."""

        def act() -> Claimed:
            answer = self._store.claim(request)
            self._world.judge.claimed(request, answer)
            if answer.executions and (dawdle := self._world.faults.dawdle()):
                self._wait(dawdle)  # an earlier owner may still be about
            return answer

        return self._try("claim", act)

    def renew(self, leases: Sequence[Lease], lease: int) -> Sequence[Renewed]:
        """See ``Store``."""

        def act() -> Sequence[Renewed]:
            answers = self._store.renew(leases, lease)
            self._world.judge.renewed(self._process.name, leases, answers, lease)
            return answers

        return self._try("renew", act)

    def release(self, leases: Sequence[Lease], due_at: Mapping[str, int | None]) -> None:
        """See ``Store``."""

        def act() -> None:
            self._store.release(leases, due_at)
            self._world.judge.released(leases)

        self._try("release", act)

    def touch(self, beats: Sequence[Heartbeat]) -> Sequence[bool]:
        """See ``Store``."""
        return self._try("touch", lambda: self._store.touch(beats))

    # --- What a worker never asks -----------------------------------------------------------------

    def prepare(self) -> None:
        """See ``Store``."""

    def now(self) -> int:
        """See ``Store``."""
        return self._world.timeline.now

    def states(self, ids: Sequence[str]) -> Mapping[str, State]:
        """See ``Store``."""
        return self._store.states(ids)

    def lease_of(self, id: str) -> LeaseInfo | None:
        """See ``Store``."""
        return self._store.lease_of(id)

    def find(self, query: Query) -> Sequence[Execution]:
        """See ``Store``."""
        return self._store.find(query)

    def prune(self, before: int, limit: int) -> int:
        """See ``Store``."""
        return self._store.prune(before, limit)

    def listen(self, hint: Callable[[], None]) -> Callable[[], None] | None:  # noqa: ARG002
        """See ``Store``."""
        return None

    def close(self) -> None:
        """See ``Store``."""
