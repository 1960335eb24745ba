"""Drives a scheduler against a store: one turn reads, renews, claims and commits."""

from collections.abc import Callable, Sequence

from active_workflow.core.change import Change
from active_workflow.engine.call import Call
from active_workflow.engine.committer import Outcome
from active_workflow.engine.scheduler import Scheduler, Transition
from active_workflow.store.base import Store

OnRecorded = Callable[[Sequence[Transition]], None]


class Driver:
    """Does a scheduler's store calls and gives it the answers. One thread at a time.

    Args:
        scheduler: Whose wishes it carries out.
        store: Where.
        now: The store's time.
        on_recorded: Told of every transition after its commit.
        on_time: Told the store's time whenever an answer carries it.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        store: Store,
        now: Callable[[], int],
        on_recorded: OnRecorded,
        on_time: Callable[[int], None] | None = None,
    ) -> None:
        self.scheduler = scheduler
        self.store = store
        self.now = now
        self._on_recorded = on_recorded
        self._on_time = on_time

    def turn(self) -> list[Call]:
        """Do everything that is to be done in the store now.

        Leases come first, so that nothing has to stand back for one that only looks lapsed; what was
        claimed starts with the same commit that records what has ended.

        Returns:
            The calls to be made: each is recorded.

        Raises:
            StoreUnavailable: The store did not answer. Nothing is lost: the next turn goes on.
        """
        changes = self.prepare()
        if changes:
            self.commit_now(changes)
        return self.scheduler.calls()

    def prepare(self) -> list[Change]:
        """Do all of a turn but its commit, and give what that has to write."""
        self.tell_transacted()
        self.read_stale()
        self.renew()
        self.claim()
        return self.scheduler.changes(self.now())

    def tell_transacted(self) -> None:
        """Tell of what steps have recorded in transactions of their own."""
        recorded, self.scheduler.transacted = self.scheduler.transacted, []
        if recorded:
            self._on_recorded(recorded)

    def read_stale(self) -> None:
        """Read again what others have changed."""
        ids = self.scheduler.stale()
        if ids:
            self.scheduler.reread(ids, self.store.load(ids), self.now())

    def renew(self) -> None:
        """Prolong all leases, when it is time."""
        now = self.now()
        leases = self.scheduler.renewals(now)
        if leases:
            lease = self.scheduler.settings.lease
            self.scheduler.renewed(self.store.renew(leases, lease), now + lease)

    def claim(self) -> bool:
        """Claim what is due, when there is room; tell whether there was any."""
        now = self.now()
        request = self.scheduler.claim(now)
        if request is None:
            return False
        answer = self.store.claim(request)
        if self._on_time is not None:
            self._on_time(answer.now)
        self.scheduler.claimed(answer, now + request.lease, self.now(), limit=request.limit)
        return bool(answer.executions)

    def commit(self) -> None:
        """Commit what is known and what is started next, in one transaction."""
        changes = self.scheduler.changes(self.now())
        if changes:
            self.commit_now(changes)

    def commit_now(self, changes: Sequence[Change]) -> None:
        """Commit changes in this thread."""
        try:
            outcome: Outcome = self.store.commit(changes)
        except BaseException as error:  # noqa: BLE001 - raised again once the scheduler knows
            outcome = error
        self.settle(changes, outcome)

    def settle(self, changes: Sequence[Change], outcome: Outcome) -> None:
        """Take what became of changes; raise the error that left that unknown."""
        if isinstance(outcome, BaseException):
            self.scheduler.commit_unknown(changes)
            raise outcome
        transitions = self.scheduler.committed(changes, outcome, self.now())
        if transitions:
            self._on_recorded(transitions)

    def give_up(self) -> None:
        """Release every lease, whatever still runs."""
        leases, due = self.scheduler.abandon()
        if leases:
            self.store.release(leases, due)
