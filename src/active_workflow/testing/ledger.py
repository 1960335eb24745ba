"""A fake of the outside that keeps books: what was done, how often, for whom, and whether it was undone."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Self

from active_workflow.core.states import State, StepState
from active_workflow.dsl.current import running
from active_workflow.dsl.handle import Execution
from active_workflow.testing.exploring.points import effect

Amount = int | Decimal


@dataclass(frozen=True, slots=True)
class Entry:
    """One effect.

    Attributes:
        what: ``"charge"``.
        amount: How much; what undoes it has the same with the other sign.
        key: The idempotency key it came with, if one.
        step: The step that runs, or is undone; "" outside of one.
        execution: Its execution's id.
        receipt: What ``apply`` gave.
    """

    what: str
    amount: Amount
    key: str | None
    step: str
    execution: str
    receipt: str

    def __str__(self) -> str:
        key = f" (key {self.key})" if self.key is not None else " (no key)"
        return f"{self.what} {self.amount:+}{key}"


class Ledger:
    """Stands for a bank, a warehouse, a courier: give ``ledger.reset`` to ``explore`` as the world.

    Attributes:
        entries: What had an effect, in order. A repeat under the same key has none.
    """

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def reset(self) -> Self:
        """Forget everything."""
        self.entries.clear()
        return self

    def apply(self, what: str, amount: Amount = 1, *, key: str | None = None) -> str:
        """Have an effect.

        Args:
            what: ``"charge"``, ``"refund"``, …
            amount: Positive for what a step does, negative for what its undo does.
            key: The idempotency key: once ``what`` was applied under it, it is not applied again. Without a
                key every call has its effect, as with a service that takes none.

        Returns:
            A receipt; for a repeat the one that was given before.
        """
        done = None if key is None else self.receipt(what, key)
        if done is not None:
            return done
        now = running()
        step, id = (now.info.step_name, now.info.execution_id) if now is not None else ("", "")
        entry = Entry(what, amount, key, step, id, f"{what}-{len(self.entries) + 1}")
        effect(str(entry))
        self.entries.append(entry)
        return entry.receipt

    def receipt(self, what: str, key: str) -> str | None:
        """Look whether something was applied under a key: for ``verify``, and for undos that have to ask."""
        found = (entry.receipt for entry in self.entries if (entry.what, entry.key) == (what, key))
        return next(found, None)

    def count(self, what: str) -> int:
        """Tell how often something was done."""
        return sum(entry.what == what for entry in self.entries)

    def total(self, *whats: str) -> Amount:
        """Give the sum of the amounts, of these effects or of all."""
        return sum(entry.amount for entry in self.entries if not whats or entry.what in whats)

    def balances(self) -> dict[str, Amount]:
        """Give the sum for each step whose effects are not undone to nothing."""
        sums: defaultdict[str, Amount] = defaultdict(int)
        for entry in self.entries:
            sums[entry.step] += entry.amount
        return {step: amount for step, amount in sums.items() if amount}

    def all_or_nothing(self, execution: Execution) -> None:
        """Raise AssertionError unless everything was done once, or everything that was done is undone.

        An invariant for ``explore``: ``invariant=Ledger.all_or_nothing``. A completed execution has done
        nothing twice; a failed or cancelled one has left every step at a balance of 0; no other end will do.
        """
        told = f"{execution.workflow} is {execution.state.value}"
        if not execution.state.terminal:
            why = execution.blocked_reason or _undo_errors(execution)
            raise AssertionError(f"{told} and goes no further{why and f': {why}'}; the books say {self}")
        if execution.state is State.COMPLETED:
            times = Counter((entry.step, entry.what) for entry in self.entries)
            for (step, what), count in times.items():
                if count > 1:
                    raise AssertionError(f"{told} and {step} did {what} {count} times")
            return
        for step, amount in self.balances().items():
            raise AssertionError(f"{told} and what {step} did is not undone: {amount:+} is left of {self}")

    def __str__(self) -> str:
        return ", ".join(map(str, self.entries)) or "nothing"

    def __eq__(self, other: object) -> bool:
        return self.entries == other.entries if isinstance(other, Ledger) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # it changes


def _undo_errors(execution: Execution) -> str:
    stuck = {StepState.COMPENSATION_FAILED, StepState.IN_DOUBT}
    steps = [step for step in execution.steps.values() if step.state in stuck]
    return "; ".join(f"{x.name} is {x.state.value}{f' ({x.error})' if x.error else ''}" for x in steps)
