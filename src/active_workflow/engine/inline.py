"""Runs executions in the calling thread, step after step: for tests, scripts and the inline dispatcher."""

from active_workflow.engine.calls import Caller
from active_workflow.engine.driver import Driver

MOST_TURNS = 1_000_000


class InlineRunner:
    """A worker without threads.

    Args:
        driver: The hands of its scheduler.
        caller: Makes the calls.
    """

    def __init__(self, driver: Driver, caller: Caller) -> None:
        self.driver = driver
        self._caller = caller

    def run_until_idle(self) -> int:
        """Run everything that is due until nothing is; give how many calls were made."""
        made = 0
        scheduler = self.driver.scheduler
        scheduler.hint()
        for _ in range(MOST_TURNS):
            calls = self.driver.turn()
            for call in calls:
                scheduler.report(self._caller.call(call), self.driver.now())
            made += len(calls)
            if calls:
                scheduler.hint()  # a step may have started others
            if not calls and self._idle():
                return made
        raise RuntimeError("the work never ends: is there a retry without a delay?")

    def _idle(self) -> bool:
        now = self.driver.now()
        wake_at = self.driver.scheduler.wake_at(now)
        return wake_at is None or wake_at > now
