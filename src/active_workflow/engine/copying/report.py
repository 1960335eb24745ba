"""What became of a copy."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(slots=True)
class Copied:
    """The answer of a copy, as the comparison of both stores at its end found it.

    Attributes:
        executions: How many the source has.
        copied: How many arrived in the target in this run.
        same: How many are the same in both, compared in every field.
        went_on: How many arrived earlier and have gone on in the target since.
        gone: How many have left the source and are no longer in the target: they were pruned there.
        left: How many are new or have changed since: another run takes them.
        held: How many are still in the hands of a worker of the source, by its name.
        conflicts: What is wrong with an execution, by its id; nothing of these was overwritten.
    """

    executions: int = 0
    copied: int = 0
    same: int = 0
    went_on: int = 0
    gone: int = 0
    left: int = 0
    held: Counter[str] = field(default_factory=Counter)
    conflicts: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether everything is in the target."""
        return not self.left and not self.held and not self.conflicts
