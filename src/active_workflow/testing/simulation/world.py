"""What all processes of a simulated cluster share: time, chance, the store, the ledger, the judge."""

from random import Random

from active_workflow.store.memory import MemoryStore
from active_workflow.testing.simulation.judge import Judge
from active_workflow.testing.simulation.ledger import Ledger
from active_workflow.testing.simulation.tally import STORE_FAULTS, Tally
from active_workflow.testing.simulation.timeline import Timeline

START = 1_700_000_000_000_000
MILLISECOND = 1_000
SECOND = 1_000_000
LEASE = 5 * SECOND


class Faults:
    """What goes wrong in store calls, and how often.

    Attributes:
        rate: The share of store calls with a fault; zero once faults have stopped.
    """

    def __init__(self, random: Random) -> None:
        """Choose how bad it will be."""
        self._random = random
        self.rate = random.choice((0.0, 0.05, 0.1, 0.2, 0.3))
        self._deaths = random.choice((0.0, 0.1, 1.0))
        self._dawdlers = random.choice((0.0, 0.2, 0.8))
        self._longest = random.choice((20 * MILLISECOND, SECOND, 2 * LEASE, 2 * LEASE))

    def draw(self) -> str | None:
        """Give what goes wrong with the next call, if anything does."""
        if self.rate == 0 or self._random.random() >= self.rate:
            return None
        fault = self._random.choice(STORE_FAULTS)
        if fault.startswith("dies") and self._random.random() >= self._deaths:
            return None
        return fault

    def dawdle(self) -> int:
        """Give how long a process takes to go on after a claim, microseconds; mostly no time at all."""
        if self.rate == 0 or self._random.random() >= self._dawdlers:
            return 0
        return self._random.randrange(LEASE)

    def delay(self) -> int:
        """Give how long a slow call takes, microseconds."""
        return int(self._longest * self._random.random() ** 2)


class World:
    """One simulated world.

    Args:
        seed: Decides everything that happens in it.
        traced: Whether to keep a story of it to be read.
        tally: Counts what happens, if that is wanted.
    """

    def __init__(self, seed: int, *, traced: bool = False, tally: Tally | None = None) -> None:
        self.random = Random(seed)
        self.timeline = Timeline(START)
        self.store = MemoryStore(clock=self.time)
        self.ledger = Ledger()
        self.faults = Faults(self.random)
        self.quiet = False
        self._tally = tally
        self.slots: tuple[int, ...] = (1, 2, 4)
        self.one_transaction = self.random.random() < 0.5  # noqa: PLR2004
        self.trace: list[tuple[int, str, tuple[object, ...]]] | None = [] if traced else None
        self.judge = Judge(self.ledger, self.timeline, self.log)

    def time(self) -> int:
        """Give the store's time."""
        return self.timeline.now

    def log(self, text: str, *values: object) -> None:
        """Keep a line of the story, if there is to be one."""
        if self.trace is not None:
            self.trace.append((self.timeline.now, text, values))

    def count(self, sort: str, what: str) -> None:
        """Count something that happens, if that is wanted."""
        if self._tally is not None:
            self._tally[sort, what] += 1

    def story(self) -> str:
        """Give the story so far, one line each."""
        lines = (
            f"{(at - START) / SECOND:11.6f}  {text.format(*values)}" for at, text, values in self.trace or ()
        )
        return "\n".join(lines)

    def chance(self, share: float) -> bool:
        """Tell whether something that happens so often happens now."""
        return self.random.random() < share

    def up_to(self, longest: int) -> int:
        """Give a duration: mostly short, now and then up to the longest."""
        return int(longest * self.random.random() ** 3)
