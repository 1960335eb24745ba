"""Every error of the library. Each message says what is wrong and what to do next.

This module imports nothing, so that every floor may raise from it.
"""


class ActiveWorkflowError(Exception):
    """The root of every error that the library raises."""


# --- Mistakes in what was written -------------------------------------------------------------------


class DefinitionError(ActiveWorkflowError, TypeError):
    """A workflow, task or step is written wrongly. Raised when the class is made, before anything runs."""


class ConfigurationError(ActiveWorkflowError, ValueError):
    """A setting or a store URL can't be used as it is."""


class SerializationError(ActiveWorkflowError, ValueError):
    """A value can't be stored.

    Attributes:
        path: Where in the value the trouble is, for instance ``cart.lines[2].price``.
    """

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class MisuseError(ActiveWorkflowError, RuntimeError):
    """The library was called where it can't be, for instance ``wait()`` inside a step."""


class ContextError(ActiveWorkflowError, TypeError, ValueError):
    """ctx can't have this key, or not this value: unknown to its type, reserved, or of the wrong type."""


class ReadOnlyError(MisuseError, AttributeError):
    """Something was set that can't be: on a workflow instance, or on ctx when its step has ended."""


class MissingKey(ActiveWorkflowError, AttributeError, KeyError):
    """ctx has no such key. The message lists those it has."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError would quote the sentence


# --- Look-ups that found nothing --------------------------------------------------------------------


class ExecutionNotFound(ActiveWorkflowError, LookupError):
    """No execution has this id in this store."""


class NotCommitted(ExecutionNotFound):
    """It was started in a transaction of the caller's, which isn't committed yet or was rolled back."""


class UnknownWorkflow(ActiveWorkflowError, LookupError):
    """No workflow of this name is defined in this process."""


class UnknownStep(ActiveWorkflowError, LookupError):
    """The execution's plan has no step of this name."""


class UnknownSignal(ActiveWorkflowError, LookupError):
    """The execution's plan waits for no signal of this name."""


# --- Conflicts --------------------------------------------------------------------------------------


class IdempotencyConflict(ActiveWorkflowError):
    """An idempotency key is held by an execution of another workflow or with another input.

    Attributes:
        conflicts: The conflicting keys, each with the id of the execution that holds it.
    """

    def __init__(self, message: str, conflicts: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.conflicts = conflicts or {}


class CompletionConflict(ActiveWorkflowError):
    """The step was completed before with another key or another payload."""


class CorrelationMismatch(ActiveWorkflowError):
    """The correlation id is not the one that the step's first call returned."""


class ContextConflict(ActiveWorkflowError):
    """Two steps that run side by side wrote different values to one key of ctx."""


class ExecutionMoved(ActiveWorkflowError):
    """The execution was moved to another store; the message says which. Tell it there."""


class IllegalMove(ActiveWorkflowError, RuntimeError):
    """The law has no such move. Nothing was changed."""


# --- What became of an execution --------------------------------------------------------------------


class ExecutionFailed(ActiveWorkflowError):
    """``wait(check=True)`` found an execution that did not complete.

    Attributes:
        execution: The execution as it was found.
    """

    def __init__(self, message: str, execution: object = None) -> None:
        super().__init__(message)
        self.execution = execution


class WaitTimeout(ActiveWorkflowError, TimeoutError):
    """The time given to ``wait`` is over. The execution goes on; wait again or look at it later."""


class Interrupted(ActiveWorkflowError):
    """A step lost its worker again and again; what it did is unknown."""


# --- What a step may raise to steer its retries -----------------------------------------------------


class NonRetryable(ActiveWorkflowError):
    """Raised by a step: this attempt failed and no further one would help. Undo follows at once."""


class StepTransactionError(MisuseError, NonRetryable):
    """A transactional step has ended its transaction, or tried to: that is the engine's to do.

    Attributes:
        kept: Whether what the step wrote before may stay.
    """

    def __init__(self, message: str, *, kept: bool = False) -> None:
        super().__init__(message)
        self.kept = kept


class RetryAfter(ActiveWorkflowError):
    """Raised by a step: try again, but not before this much time has passed.

    The retry policy still bounds the number of attempts; only the delay is replaced.

    Args:
        delay: Seconds, a ``timedelta``, or text such as ``"30s"``.
        message: Why, for the record.
    """

    def __init__(self, delay: object, message: str = "") -> None:
        super().__init__(message or f"try again after {delay}")
        self.delay = delay


# --- The store --------------------------------------------------------------------------------------


class StoreError(ActiveWorkflowError):
    """The store can't do what was asked of it."""


class StoreUnavailable(StoreError):
    """The store did not answer, or said that it is busy. The same call may succeed later."""


class UnknownCommit(StoreUnavailable):
    """The connection broke while a commit was under way: it may have landed or not. Read again."""


class DataRejected(StoreError):
    """The database refuses the data itself; the same call will never succeed."""


class SchemaError(StoreError):
    """The tables are missing, or were made by another version of the library."""


class CorruptRow(StoreError):
    """A stored row can't be read back."""
