"""The outside: a process of its own that completes, fails, signals and cancels what the ledger has.

What it is about to say stands in the ledger before it says it (``say``), the answer after that (``yes``,
``no``; ``dunno`` where the store didn't answer). It says everything until it has an answer, and some things
twice. Ends in order at SIGTERM, once all is said.
"""

import heapq
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator

import active_workflow as aw
from tests.chaos.flows import TOKEN, ledger, share
from tests.chaos.judge import PARTNERS_ERROR
from tests.ledger import Entry

WORDS = 3
CANCELLED = 0.12
"""The share of executions that somebody cancels, sooner or later."""
TWICE = 0.3
"""The share of what is said that is said twice."""


class Partner:
    """Reads the ledger and says what is to be said, each when its time has come."""

    def __init__(self, engine: aw.Engine, chance: random.Random) -> None:
        self._engine = engine
        self._chance = chance
        self._offset = 0
        self._known: set[str] = set()
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self.ending = False

    def run(self) -> None:
        while self._calls or not self.ending:
            entries, self._offset = ledger.entries_from(self._offset)
            for entry in entries:
                for delay, call in self._answers(entry):
                    self._later(delay, call)
            while self._calls and self._calls[0][0] <= time.monotonic():
                heapq.heappop(self._calls)[2]()
            time.sleep(0.01)

    def _later(self, delay: float, call: Callable[[], None]) -> None:
        self._number += 1
        heapq.heappush(self._calls, (time.monotonic() + delay, self._number, call))

    def _answers(self, entry: Entry) -> Iterator[tuple[float, Callable[[], None]]]:
        """Give what is to be said about a line, and after how many seconds."""
        id = entry.execution
        if entry.phase == "begin" and id not in self._known:
            self._known.add(id)
            if entry.step == "opening":
                yield self._chance.uniform(0, 0.5), lambda: self._speak(id, 1)
            if share(f"cancel {id}") < CANCELLED:
                yield (
                    self._chance.uniform(0, 1.0),
                    lambda: self._say(id, "cancel", "cancel", "", self._cancel),
                )
        if entry.step == "delivery" and entry.phase == "begin":  # it may come before the call has returned
            yield self._chance.uniform(0, 0.4), lambda: self._deliver(id)

    def _speak(self, id: str, number: int) -> None:
        self._say(id, "word", f"word_{number}", f"{TOKEN}word-{number}", self._signal)
        if number < WORDS:
            self._later(self._chance.uniform(0, 0.3), lambda: self._speak(id, number + 1))

    def _deliver(self, id: str) -> None:
        if share(f"fail {id}") < 0.2:
            self._say(id, "delivery", "delivery_failed", "", self._fail)
        else:
            self._say(id, "delivery", "delivery", f"{TOKEN}delivery", self._complete)

    def _say(self, id: str, step: str, what: str, payload: str, act: Callable[[str, str, str], bool]) -> None:
        """Say something, and perhaps once more."""
        times = 1 + (share(f"twice {id}{what}") < TWICE)
        ledger.write(id, step, 0, "say", {what: payload})
        for _ in range(times):
            self._until_answered(id, step, what, lambda: act(id, what, payload))

    def _until_answered(self, id: str, step: str, what: str, act: Callable[[], bool]) -> None:
        while True:
            try:
                answer = "yes" if act() else "no"
            except aw.StoreUnavailable as error:
                ledger.write(id, step, 0, "dunno", {what: str(error)[:80]})
                continue
            ledger.write(id, step, 0, answer, {what: ""})
            return

    def _signal(self, id: str, what: str, payload: str) -> bool:
        return self._engine.signal(id, "word", payload, idempotency_key=what)

    def _complete(self, id: str, what: str, payload: str) -> bool:
        return self._engine.complete_step(id, "delivery", payload, idempotency_key=what)

    def _fail(self, id: str, what: str, payload: str) -> bool:
        return self._engine.fail_step(id, "delivery", error_class=PARTNERS_ERROR, idempotency_key=what)

    def _cancel(self, id: str, what: str, payload: str) -> bool:
        return self._engine.cancel(id)


def main() -> None:
    with aw.Engine(os.environ["ACTIVE_WORKFLOW_STORE"], embedded=False) as engine:
        partner = Partner(engine, random.Random(int(sys.argv[1])))

        def end(number: int, frame: object) -> None:
            partner.ending = True

        signal.signal(signal.SIGTERM, end)
        partner.run()


if __name__ == "__main__":
    main()
