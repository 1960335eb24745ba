"""The search: breadth first, each state once, until there are no others."""

import time
from collections import deque
from dataclasses import dataclass

from active_workflow.testing.simulation.broken import Broken
from active_workflow.testing.statespace.configurations import Configuration
from active_workflow.testing.statespace.freezing import freeze, thaw
from active_workflow.testing.statespace.small import Action, Pointless, SmallWorld


@dataclass(frozen=True, slots=True)
class Explored:
    """What a search has found.

    Attributes:
        name: What was explored.
        states: How many different states there are, or were seen until something was found.
        transitions: How many actions were tried.
        deepest: How many actions the farthest of them is away from the beginning.
        seconds: How long it took.
        finding: What is wrong, with the shortest way there, or None.
        complete: Whether all states were seen.
    """

    name: str
    states: int
    transitions: int
    deepest: int
    seconds: float
    finding: str | None = None
    complete: bool = True

    def __str__(self) -> str:
        told = f"{self.name}: {self.states} states, {self.transitions} transitions, at most {self.deepest} deep"
        end = "" if self.complete else ", not all"
        return f"{told}, {self.seconds:.1f} s{end}" + (f"\n{self.finding}" if self.finding else "")


class Search:
    """One search.

    Args:
        configuration: What to explore.
        limit: So many states at most.
    """

    def __init__(self, configuration: Configuration, limit: int = 10**9) -> None:
        self._configuration = configuration
        self._limit = limit
        self._numbers: dict[bytes, int] = {}
        self._ways: list[tuple[int, Action]] = []
        self._depths: list[int] = []
        self._settled: list[bool] = []
        self._comes_from: list[list[int]] = []
        self._open: deque[tuple[int, bytes]] = deque()
        self._transitions = 0

    def run(self) -> Explored:
        """Search until everything was seen, or something is wrong."""
        began = time.perf_counter()
        finding = None
        try:
            self._meet(SmallWorld(self._configuration), -1, ())
            while self._open and len(self._numbers) < self._limit:
                number, frozen = self._open.popleft()
                for action in list(thaw(frozen).actions()):
                    self._try(number, frozen, action)
            finding = None if self._open else self._dead_end()
        except _Found as found:
            finding = str(found)
        return Explored(
            self._configuration.name, len(self._numbers), self._transitions, max(self._depths),
            time.perf_counter() - began, finding, complete=not self._open,
        )  # fmt: skip

    def _try(self, number: int, frozen: bytes, action: Action) -> None:
        world: SmallWorld = thaw(frozen)
        try:
            world.do(action)
        except Pointless:
            return
        except Exception as error:  # whatever goes wrong is a finding
            raise _Found(self._told([*self._way_to(number), action], error)) from error
        self._transitions += 1
        self._meet(world, number, action)

    def _meet(self, world: SmallWorld, origin: int, action: Action) -> None:
        key = world.key()
        number = self._numbers.setdefault(key, len(self._numbers))
        if number == len(self._ways):
            self._ways.append((origin, action))
            self._depths.append(0 if origin < 0 else self._depths[origin] + 1)
            self._settled.append(world.settled)
            self._comes_from.append([])
            self._open.append((number, freeze(world)))
        if origin >= 0:
            self._comes_from[number].append(origin)

    def _dead_end(self) -> str | None:
        """Tell the way to a state from which no way leads to a settled one."""
        live = {number for number, settled in enumerate(self._settled) if settled}
        left = list(live)
        while left:
            for origin in self._comes_from[left.pop()]:
                if origin not in live:
                    live.add(origin)
                    left.append(origin)
        dead = next((number for number in range(len(self._ways)) if number not in live), None)
        if dead is None:
            return None
        return self._told(self._way_to(dead), Broken("INV1: from here it never comes to rest"))

    # --- Telling ------------------------------------------------------------------------------------

    def _way_to(self, number: int) -> list[Action]:
        way: list[Action] = []
        while number > 0:
            number, action = self._ways[number]
            way.append(action)
        return way[::-1]

    def _told(self, way: list[Action], error: Exception) -> str:
        world = SmallWorld(self._configuration, traced=True)
        for action in way:
            try:
                world.do(action)
            except Exception:  # noqa: BLE001, S112 - the last action; what it raises is told below
                continue
        return f"{world.story()}\n\n{self._configuration.name}, {len(way)} actions: {type(error).__name__}: {error}"


class _Found(Exception):
    """Something is wrong."""


def explore_states(configuration: Configuration, limit: int = 10**9) -> Explored:
    """Explore a configuration to its last state.

    Args:
        configuration: What to explore.
        limit: So many states at most.
    """
    return Search(configuration, limit).run()
