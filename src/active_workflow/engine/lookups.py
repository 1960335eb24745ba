"""Looking at executions: one, many, in words, and until they come to rest."""

import asyncio
from abc import ABC, abstractmethod
from asyncio import sleep as sleep_async
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from concurrent.futures import TimeoutError as FutureTimeout
from datetime import datetime
from time import monotonic, sleep
from typing import Any, TypeVar

from active_workflow.core.explain import PlannedUndo, explain, plan_cancel
from active_workflow.core.snapshot import Execution as Snapshot
from active_workflow.core.states import State
from active_workflow.dsl.durations import parse_instant
from active_workflow.dsl.handle import Execution
from active_workflow.dsl.workflow import Workflow, program_of
from active_workflow.engine.hosting import Host
from active_workflow.engine.waiter import Found, is_settled
from active_workflow.errors import ConfigurationError, StoreError, WaitTimeout
from active_workflow.store.base import Query
from active_workflow.store.serializer import Serializer

PAGE = 100
SOON = 0.02
PASSING = 1.0
"""Seconds that others have to take what a worker without the code has blocked; then it counts as blocked."""

R = TypeVar("R")


class Lookups(ABC):
    """The part of an engine that changes nothing.

    Args:
        host: Its living parts.
    """

    def __init__(self, host: Host) -> None:
        self._host = host

    @abstractmethod
    def _handle(self, snapshot: Snapshot) -> Execution:
        """Give what users hold of an execution."""

    @property
    def serializer(self) -> Serializer:
        """How values are encoded."""
        return self._host.serializer

    def in_thread(self, call: Callable[..., R], *args: Any, **kwargs: Any) -> Awaitable[R]:
        """Make a call in a thread, to be awaited."""
        return asyncio.to_thread(call, *args, **kwargs)

    def get(self, id: str) -> Execution:
        """Give an execution.

        Raises:
            ExecutionNotFound: This store has none of this id.
        """
        return self._handle(self.load(id))

    def load(self, execution_id: str) -> Snapshot:
        """Give an execution's snapshot as it is now; raises ExecutionNotFound."""
        self._host.now()
        found = self._host.store.load([execution_id])
        if not found:
            raise self._host.uncommitted.not_found(execution_id)
        self._host.uncommitted.found(execution_id)
        return found[0]

    def find(
        self,
        *,
        state: State | str | Collection[State | str] | None = None,
        workflow: str | type[Workflow[Any]] | None = None,
        tags: Mapping[str, str] | None = None,
        since: datetime | None = None,
        limit: int | None = None,
        after: str | Execution | None = None,
    ) -> Iterator[Execution]:
        """Give all matching executions, newest first, read in pages as they are asked for.

        Args:
            state: A state, or several.
            workflow: A workflow's class or name.
            tags: Labels it must have, all of them.
            since: Created at or after this instant (aware).
            limit: At most so many; None is all.
            after: Only those listed after this one.

        Raises:
            ConfigurationError: A state, instant or limit is none.
        """
        _check_limit(limit)
        query = Query(
            states=_states(state),
            workflow=workflow if workflow is None or isinstance(workflow, str) else program_of(workflow).name,
            tags={str(name): str(value) for name, value in (tags or {}).items()},
            since=None if since is None else parse_instant(since, "since"),
            after=after.id if isinstance(after, Execution) else after,
        )
        return self._pages(query, limit)

    def _pages(self, query: Query, limit: int | None) -> Iterator[Execution]:
        self._host.now()
        left, after = limit, query.after
        while left is None or left > 0:
            size = PAGE if left is None else min(PAGE, left)
            page = self._host.store.find(
                Query(query.states, query.workflow, query.tags, query.since, None, after, size)
            )
            for snapshot in page:
                yield self._handle(snapshot)
            if len(page) < size:
                return
            after = page[-1].id
            left = None if left is None else left - len(page)

    def explain(self, execution_id: str) -> str:
        """Say in plain words what an execution does or waits for, and what would move it on."""
        snapshot = self.load(execution_id)
        lease = self._host.store.lease_of(execution_id)
        return explain(snapshot, self._host.now(), None if lease is None else (lease.owner, lease.until))

    def plan_cancel(self, execution_id: str) -> tuple[PlannedUndo, ...]:
        """Say what a cancel would undo now, in order, without doing it."""
        return plan_cancel(self.load(execution_id))

    # --- Waiting ------------------------------------------------------------------------------------

    def wait(self, execution_id: str, timeout: int | None) -> Snapshot:
        """Give an execution once it is terminal or stalled.

        Args:
            execution_id: Which one.
            timeout: Microseconds, or None.

        Raises:
            WaitTimeout: The time is over; the work goes on.
        """
        self._host.ensure_worker()
        passing = _Passing(timeout)
        while True:
            future = self._host.waiter.wait_for(execution_id)  # before looking: nothing is missed between
            try:
                if not self._host.holds(execution_id) and self._rests(execution_id):
                    found = self.load(execution_id)
                else:
                    told = future.result(passing.left())
                    found = told if isinstance(told, Snapshot) else self.load(execution_id)
            except FutureTimeout:
                raise self._wait_timeout(execution_id, timeout) from None
            finally:
                self._host.waiter.forget(execution_id, future)
            if passing.rests(found):
                return found
            sleep(passing.moment(found))

    async def wait_async(  # the front door's own word
        self,
        execution_id: str,
        timeout: int | None,  # noqa: ASYNC109
    ) -> Snapshot:
        """Do what ``wait`` does without holding a thread."""
        await asyncio.to_thread(self._host.ensure_worker)
        passing = _Passing(timeout)
        while True:
            future = self._host.waiter.wait_for(execution_id)
            try:
                told: Found = None
                if self._host.holds(execution_id) or not await asyncio.to_thread(self._rests, execution_id):
                    async with asyncio.timeout(passing.left()):
                        told = await asyncio.wrap_future(future)
            except TimeoutError:
                raise await asyncio.to_thread(self._wait_timeout, execution_id, timeout) from None
            finally:
                self._host.waiter.forget(execution_id, future)
            found = told if isinstance(told, Snapshot) else await asyncio.to_thread(self.load, execution_id)
            if passing.rests(found):
                return found
            await sleep_async(passing.moment(found))

    def _rests(self, execution_id: str) -> bool:
        """Tell whether an execution rests already; one that does not exist does, for there is an error."""
        self._host.now()
        try:
            state = self._host.store.states([execution_id]).get(execution_id)
        except StoreError:
            return False  # the waiter asks again
        return state is None or is_settled(state)

    def _wait_timeout(self, execution_id: str, timeout: int | None) -> WaitTimeout:
        seconds = (timeout or 0) / 1_000_000
        state = self.load(execution_id).state
        return WaitTimeout(
            f"execution {execution_id} is still {state} after {seconds:g} s; it goes on: wait again, or see "
            ".explain() for what it waits for"
        )


class _Passing:
    """What one wait takes for a rest: not what another worker, which lacks the code, has blocked just now.

    Args:
        timeout: Microseconds that the wait may take, or None.
    """

    def __init__(self, timeout: int | None) -> None:
        self._until = None if timeout is None else monotonic() + timeout / 1_000_000
        self._pause = SOON

    def left(self) -> float | None:
        """Seconds until the wait's time is over."""
        return None if self._until is None else max(0.0, self._until - monotonic())

    def rests(self, found: Snapshot) -> bool:
        """Tell whether it is to be given as it is; one that goes on since it was seen to rest isn't."""
        why = found.blocked if found.state is State.BLOCKED else None
        may_pass = why is not None and why.kind.passes_with_deploy
        return is_settled(found.state) and (not may_pass or self._pause > PASSING or self.left() == 0)

    def moment(self, found: Snapshot) -> float:
        """Seconds after which to look again: soon, and twice as long each time that it is still blocked."""
        if not is_settled(found.state):
            self._pause = SOON
            return 0.0
        pause, self._pause = self._pause, self._pause * 2
        left = self.left()
        return pause if left is None else min(pause, left)


def _states(given: State | str | Collection[State | str] | None) -> tuple[State, ...]:
    if given is None:
        return ()
    names = [given] if isinstance(given, str) else list(given)
    try:
        return tuple(State(name) for name in names)
    except ValueError:
        known = ", ".join(State)
        raise ConfigurationError(f"state={given!r}: the states are {known}") from None


def _check_limit(given: object) -> None:
    whole = given is None or (isinstance(given, int) and not isinstance(given, bool) and given >= 0)
    if not whole:
        raise ConfigurationError(f"limit={given!r} is no number of executions; leave it out for all of them")
