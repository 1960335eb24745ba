"""The calls that were asked for and have not ended."""

from active_workflow.core.events import RanOut
from active_workflow.engine.alarms import Alarms
from active_workflow.engine.call import Call, Report
from active_workflow.engine.held import CallKey, Held
from active_workflow.engine.pace import Pace

STOPS_WITHIN = 1_000_000
"""Microseconds that a call has to end in once it was told to stop."""


class Outstanding:
    """Asks for calls, and watches their time."""

    def __init__(self, pace: Pace) -> None:
        """Begin without any; ``pace`` counts them."""
        self._pace = pace
        self._asked: list[Call] = []
        self._limits: Alarms[Call] = Alarms()

    def ask(self, held: Held, key: CallKey, now: int) -> None:
        """Ask for a call of an execution."""
        call = Call(held.recorded, *key, held.tenure)
        held.calls[key] = call
        self._pace.in_use += 1
        self._asked.append(call)
        if call.timeout is not None:
            self._limits.set(call, now + call.timeout)

    def take(self) -> list[Call]:
        """Give the calls to be made now."""
        calls, self._asked = self._asked, []
        return calls

    def ended(self, report: Report, now: int) -> bool:
        """Take a report; tell whether the call's code has ended, so that its slot is free."""
        call, event = report.call, report.event
        if not report.over:  # nobody can stop it: it ends when it ends
            self._limits.set(call, None)
        if call.over or not report.over or (isinstance(event, RanOut) and not event.stopped):
            return False
        call.over = True
        self._pace.in_use -= 1
        self._limits.set(call, None)
        if call.called_at is not None:
            self._pace.measure((now if call.ended_at is None else call.ended_at) - call.called_at)
        return True

    def expired(self, now: int) -> list[Call]:
        """Give the calls whose time is over, counted from when they were really called.

        One that was told to stop and goes on is given again, as ``deaf``.
        """
        expired = []
        for call in self._limits.ring(now):
            if call.called_at is None:
                self._limits.set(call, now + (call.timeout or 0) + 1)
            elif call.called_at + (call.timeout or 0) > now:
                self._limits.set(call, call.called_at + (call.timeout or 0))
            else:
                call.deaf = call.stopping
                call.stopping = True
                self._limits.set(call, None if call.deaf else now + STOPS_WITHIN)
                expired.append(call)
        return expired

    def wake_at(self, now: int) -> int | None:
        """Tell when a call is to be made or its time is over."""
        return now if self._asked else self._limits.next()
