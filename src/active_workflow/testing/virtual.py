"""An engine whose time stands until it is moved, and which runs nothing by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from active_workflow.dsl.durations import Duration, as_datetime, parse_duration, parse_instant
from active_workflow.engine import default
from active_workflow.engine.engine import Engine
from active_workflow.store.memory import MemoryStore

START = datetime(2030, 1, 1, tzinfo=UTC)
"""When virtual time begins, unless said otherwise."""


class VirtualClock:
    """A clock that stands until it is moved. Give it to an engine as ``clock=``.

    Args:
        start: The instant it stands at, aware.
    """

    def __init__(self, start: datetime = START) -> None:
        self.micros = parse_instant(start, "start")

    def __call__(self) -> datetime:
        return self.now

    def __repr__(self) -> str:
        return f"<clock at {self.now.isoformat()}>"

    @property
    def now(self) -> datetime:
        """The instant it stands at."""
        return as_datetime(self.micros)

    def advance(self, duration: Duration) -> datetime:
        """Move it on; what has become due runs at the next ``run_until_idle``.

        Args:
            duration: Seconds, a ``timedelta`` or text such as ``"30m"``.

        Returns:
            The instant it stands at then.
        """
        self.micros += parse_duration(duration, "duration")
        return self.now

    def advance_to(self, instant: datetime) -> datetime:
        """Move it on to an instant (aware); one that is past leaves it where it is."""
        self.micros = max(self.micros, parse_instant(instant, "instant"))
        return self.now


def run_until_idle(engine: Engine | None = None) -> int:
    """Run everything that is due in this thread, and come back when nothing is.

    Args:
        engine: Whose executions; None is the engine of this process.

    Returns:
        How many calls of user code were made.
    """
    return (engine or default.engine()).run_until_idle()


@contextmanager
def virtual_engine(clock: VirtualClock) -> Iterator[Engine]:
    """Have an engine over a store in memory be the one of this process for a while.

    It goes by ``clock`` and runs nothing until told to; in the end it is closed, and the engine that there
    was is the process's again.
    """
    store = MemoryStore(lambda: clock.micros)
    with Engine(store, embedded=False, clock=clock) as engine, default.stand_in(engine):
        yield engine
