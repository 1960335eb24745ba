"""What is swept: a client that starts an execution, speaks to it, and tries again whatever did not answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import active_workflow as aw
from active_workflow.dsl.handle import Execution
from active_workflow.engine.inline import InlineRunner
from active_workflow.engine.runtime import make_inline_runner
from active_workflow.errors import StoreUnavailable
from active_workflow.testing import VirtualClock
from tests.sweep import sweep_flows as flows


class Client:
    """A client and a worker in one process, on virtual time.

    A call that is not answered is made again, with the same idempotency key; a worker whose store fails goes
    on with what it knows. Whoever plays a script again from its beginning says nothing new.

    Args:
        store: The store, perhaps a faulty one.
        clock: Its time.
        key: The idempotency key of the execution.
        ledger: Where its steps write.
    """

    def __init__(self, store: Any, clock: VirtualClock, key: str, ledger: Path) -> None:
        self.engine = aw.Engine(store, embedded=False, clock=clock, listen=False)
        self._clock = clock
        self._key = key
        self._ledger = ledger
        self._runner: InlineRunner = make_inline_runner(self.engine._host.parts())
        self.id = ""

    def surely(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except StoreUnavailable:
            return call()

    def start(self, flow: type[aw.Workflow]) -> None:
        ctx = {"ledger": str(self._ledger)}
        told = {"idempotency_key": self._key, "tags": {"run": self._key}}
        self.id = self.surely(lambda: self.engine.start(flow, ctx, **told)).id

    def all(self) -> list[Execution]:
        """Give the execution, and those that it started."""
        first = self.engine.get(self.id)
        since = first.created_at - timedelta(seconds=1)
        others = self.engine.find(tags={"run": self._key}, since=since)
        return [first, *(x for x in others if x.id != self.id)]

    def run(self) -> None:
        """Run what is due, until it waits or is over; what a lost claim holds is due after its lease."""
        self.surely(self._runner.run_until_idle)
        for _ in range(3):
            if self.surely(lambda: self.engine.get(self.id)).state not in ("pending", "running"):
                return
            self._clock.advance("31s")
            self.surely(self._runner.run_until_idle)

    def after(self, duration: str) -> None:
        self._clock.advance(duration)
        self.run()

    def signal(self) -> None:
        for _ in range(2):
            self.surely(lambda: self.engine.signal(self.id, "go", {"n": 1}, idempotency_key="signal"))

    def complete(self) -> None:
        for _ in range(2):
            self.surely(lambda: self.engine.complete_step(self.id, "b", {"n": 1}, idempotency_key="done"))

    def cancel(self) -> None:
        for _ in range(2):
            self.surely(lambda: self.engine.cancel(self.id, reason="changed my mind"))


@dataclass(frozen=True)
class Scenario:
    """A script and how it must end.

    Attributes:
        flow: What is started.
        script: What the client does after that.
        state: How the execution must end.
        done: The steps that call something and must have been recorded as done, in order.
        undone: Those that must have been undone, in order.
        together: How many calls one death can interrupt.
    """

    flow: type[aw.Workflow]
    script: Callable[[Client], None]
    state: str
    done: tuple[str, ...]
    undone: tuple[str, ...] = ()
    together: int = 1

    def play(self, client: Client) -> None:
        client.start(self.flow)
        client.run()
        self.script(client)


def nothing(_: Client) -> None:
    """The client is content."""


def completes(client: Client) -> None:
    client.complete()
    client.run()


def signals(client: Client) -> None:
    client.signal()
    client.run()


def signals_early(client: Client) -> None:
    client.signal()


def cancels(client: Client) -> None:
    client.cancel()
    client.run()


def waits(client: Client) -> None:
    client.after("2s")


def sleeps(client: Client) -> None:
    client.after("2h")


SCENARIOS = {
    "a saga that goes well": Scenario(flows.SweptHappy, nothing, "completed", ("a", "b", "c")),
    "a saga that fails": Scenario(flows.SweptFailing, nothing, "failed", ("a", "b"), ("b", "a")),
    "an external step": Scenario(flows.SweptExternal, completes, "completed", ("a", "b", "c")),
    "a wait for a signal": Scenario(flows.SweptWaiting, signals, "completed", ("a", "c")),
    "cancelled while it waits": Scenario(flows.SweptWaiting, cancels, "cancelled", ("a",), ("a",)),
    "cancelled while a partner works": Scenario(
        flows.SweptExternal, cancels, "cancelled", ("a", "b"), ("b", "a")
    ),
    "tried again": Scenario(flows.SweptRetried, waits, "completed", ("a", "b")),
    "side by side": Scenario(flows.SweptParallel, nothing, "failed", ("a", "b"), ("b", "a"), together=2),
    "fire and forget": Scenario(flows.SweptDetached, nothing, "completed", ("a", "c", "letter"), together=2),
    "a sleep": Scenario(flows.SweptSleeping, sleeps, "completed", ("a", "c")),
}
