"""One run of a scenario with one fault, and what it needs: a store, a ledger, processes that die."""

import multiprocessing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from active_workflow.dsl.handle import Execution
from active_workflow.store import open_store
from active_workflow.testing import VirtualClock
from tests.ledger import Ledger
from tests.sweep.faulty import DEAD, DEATHS, FaultyStore
from tests.sweep.scenarios import SCENARIOS, Client
from tests.sweep.verdict import judge

MOST_ROUNDS = 20
_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["tests.sweep.sweeping", "active_workflow.store.postgres.url"])


@dataclass(frozen=True)
class Fault:
    """What goes wrong, with which store call."""

    kind: str
    at: int


class Sweep:
    """All runs over one store.

    Args:
        url: The store's.
        folder: For ledgers.

    Attributes:
        short: Whether processes are to die at some of the calls only.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder
        self._clock = VirtualClock()
        self._store = open_store(url, lambda: self._clock.micros)
        self._numbers = count(1)
        self.short = False

    def calls(self, name: str) -> list[str]:
        """Give the store calls of a scenario in which nothing goes wrong."""
        with self._run() as (key, ledger):
            watched = FaultyStore(self._store)
            SCENARIOS[name].play(Client(watched, self._clock, key, ledger))
            self._settle(name, key, ledger, repeats=0)
            return watched.made

    def run(self, name: str, fault: Fault) -> None:
        """Play a scenario with a fault, let a fresh engine finish, and judge."""
        with self._run() as (key, ledger):
            if fault.kind in DEATHS:
                self._die(name, fault, key, ledger)
                SCENARIOS[name].play(Client(self._store, self._clock, key, ledger))
            else:
                broken = FaultyStore(self._store, fault.kind, fault.at)
                SCENARIOS[name].play(Client(broken, self._clock, key, ledger))
                assert len(broken.made) >= fault.at, "the fault did not happen"
            repeats = SCENARIOS[name].together if fault.kind in DEATHS else 0
            self._settle(name, key, ledger, repeats=repeats)

    @contextmanager
    def _run(self) -> Iterator[tuple[str, Path]]:
        self._clock.advance("10d")
        number = next(self._numbers)
        ledger = self._folder / f"ledger-{number}"
        yield f"run {number}", ledger
        ledger.unlink()

    def _die(self, name: str, fault: Fault, key: str, ledger: Path) -> None:
        told = (self._url, self._clock.micros, name, fault, key, ledger)
        process = _forks.Process(target=die, args=told)
        process.start()
        process.join(60)
        assert process.exitcode == DEAD, f"it was to die and ended with {process.exitcode}"
        self._clock.advance("1d")  # whatever it held, it holds no longer

    def _settle(self, name: str, key: str, ledger: Path, *, repeats: int) -> None:
        """Let a fresh worker finish, and judge what came of it."""
        scenario = SCENARIOS[name]
        client = Client(self._store, self._clock, key, ledger)
        client.start(scenario.flow)
        for _ in range(MOST_ROUNDS):
            if all(execution.state.terminal for execution in self._all(client)):
                break
            client.after("31s")
        found = self._all(client)
        child = found[1] if len(found) > 1 else None
        assert (child is not None) == ("letter" in scenario.done), "the detached step is not there once"
        judge(scenario, found[0], child, list(Ledger(ledger).entries()), repeats)

    def _all(self, client: Client) -> list[Execution]:
        execution = client.engine.get(client.id)
        children = [x for x in client.engine.find(tags={}) if x.parent_id == client.id]
        return [execution, *children]

    def close(self) -> None:
        self._store.close()


def die(url: str, now: int, name: str, fault: Fault, key: str, ledger: Path) -> None:
    """Play a scenario in this process, which ends with the fault."""
    clock = VirtualClock()
    clock.micros = now
    store = FaultyStore(open_store(url, lambda: clock.micros), fault.kind, fault.at)
    SCENARIOS[name].play(Client(store, clock, key, ledger))
