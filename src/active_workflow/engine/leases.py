"""When to claim and how much, and when to renew."""

from collections.abc import Callable

from active_workflow.core.snapshot import Execution
from active_workflow.engine.pace import Pace
from active_workflow.store.base import Claimed

MOST_CLAIMED = 200
"""No claim asks for more executions than this."""

SHORTEST_PAUSE = 5_000
"""Microseconds after a claim that got nothing: our clock may be a little ahead of the store's."""

Serves = Callable[[Execution], str | None]


class Claims:
    """Decides when to ask the store for more, and for how many: few large claims, but no idle slots."""

    def __init__(self, pace: Pace, poll_interval: int, serves: Serves) -> None:
        """Begin with a claim that is due.

        Args:
            pace: How much room there is.
            poll_interval: How often to look when nothing is known to be due, microseconds.
            serves: Says why the code here can't run an execution; None: it can.
        """
        self.due_at = 0
        self._pace = pace
        self._poll_interval = poll_interval
        self._serves = serves
        self._unserved: dict[str, Execution] = {}

    def limit(self, held: int) -> int:
        """Tell how many to ask for, with so many held that want a place."""
        room = self._pace.limit - held
        if room < max(1, self._pace.limit // 4) and not self._pace.free:
            return 0
        return max(0, min(room, MOST_CLAIMED))

    def answered(self, answer: Claimed, limit: int, now: int) -> None:
        """Take an answer: when all that was asked for came, there is probably more."""
        if len(answer.executions) >= limit:
            self.due_at = now
            return
        later = now + self._poll_interval
        soonest = now if answer.executions else now + SHORTEST_PAUSE
        self.due_at = later if answer.next_due is None else max(soonest, min(later, answer.next_due))

    def hint(self, at: int) -> None:
        """Something will be due at an instant, as far as is known here."""
        self.due_at = min(self.due_at, at)

    def unserved(self, execution: Execution) -> str | None:
        """Say why an execution can't be run here; nothing blocked with its plan is claimed from now on."""
        reason = self._serves(execution)
        if reason is not None:
            self._unserved[execution.plan.hash] = execution
        return reason

    def not_plans(self) -> frozenset[str]:
        """Give the plans of which to claim nothing blocked; code that has come meanwhile lifts that."""
        if self._unserved:
            self._unserved = {
                plan: sample for plan, sample in self._unserved.items() if self._serves(sample) is not None
            }
        return frozenset(self._unserved)


class Renewals:
    """Decides when to renew the leases: all of them at once, three times a lease."""

    def __init__(self, lease: int) -> None:
        """Begin without a lease to renew; ``lease`` is its length in microseconds."""
        self.due_at: int | None = None
        self._lease = lease

    def began(self, now: int) -> None:
        """A lease was taken."""
        if self.due_at is None:
            self.due_at = now + self._lease // 3

    def renewed(self, good_until: int) -> None:
        """All are good until an instant."""
        self.due_at = good_until - self._lease + self._lease // 3

    def doubted(self) -> None:
        """It is not known of some lease whether it is held: asking is due at once."""
        self.due_at = 0
