"""A connection in the hands of a step: its transaction isn't the step's to end."""

from enum import Enum

from active_workflow.errors import StepTransactionError


class Hands(Enum):
    """Who uses a connection."""

    OURS = "ours"
    STEP = "step"
    LIBRARY = "library"
    """A library that is done with it, and would end what it takes for its own transaction."""


class Lent:
    """What a driver's connection inherits to be lent to steps.

    Attributes:
        hands: Who uses it now.
    """

    hands = Hands.OURS

    def refuse_end(self, what: str) -> bool:
        """Refuse a step what ends the transaction; tell whether to do it (a library only believes it did)."""
        if self.hands is Hands.STEP:
            raise refused(what)
        return self.hands is Hands.OURS


def refused(what: str) -> StepTransactionError:
    """Give the error for a step that ends its transaction, or would."""
    return StepTransactionError(
        f"{what} in a transactional step: its transaction is committed with the step's completion, when the "
        "step returns, and rolled back when it raises; leave both to that"
    )


def ended() -> StepTransactionError:
    """Give the error for a step that has ended its transaction behind our back."""
    return StepTransactionError(
        "a transactional step has ended its transaction (was it COMMIT or ROLLBACK as a statement?): what it "
        "wrote before that may stay, its completion was not recorded with it, and it is not run again. Leave "
        "the end to the engine: it commits when the step returns, and rolls back when it raises",
        kept=True,
    )
