"""A step as it was written, and as it is named from outside."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, Unpack, overload

from active_workflow.core.plan import StepKind
from active_workflow.dsl.body import next_number, open_body
from active_workflow.dsl.durations import Duration
from active_workflow.dsl.options import (
    UNDO,
    UndoOptions,
    check_names,
)
from active_workflow.dsl.where import Where, assigned_name, here
from active_workflow.errors import MisuseError

_MOST_DECORATOR_LINES = 20

F = TypeVar("F", bound=Callable[..., Any])


class StepRef:
    """A step of a defined workflow, as ``Checkout.fulfil`` gives it: usable wherever its name is.

    Attributes:
        name: The step's name in the plan.
        workflow: The class it was looked up on.
    """

    __slots__ = ("name", "workflow")

    def __init__(self, name: str, workflow: type) -> None:
        self.name = name
        self.workflow = workflow

    def __repr__(self) -> str:
        return f"<step {self.workflow.__name__}.{self.name}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StepRef):
            return NotImplemented
        return (self.name, self.workflow) == (other.name, other.workflow)

    def __hash__(self) -> int:
        return hash((self.name, self.workflow))

    if not TYPE_CHECKING:  # so that type checkers refuse the call, too

        def __call__(self, *_args: object, **_named: object) -> NoReturn:
            raise MisuseError(
                f"{self.name!r} is a step of {self.workflow.__name__}: the engine calls it, in its turn; "
                "move the code that you need here into a plain method or function and call that from both"
            )


class StepDef:
    """A step as it was written in a class body.

    Attributes:
        kind: CALL for everything that calls code; the options say more.
        number: Its place in the order of writing, over all classes.
        where: The place in the user's code.
        target: What it calls; nothing for sleeps and waits.
        is_method: Whether ``target`` is a method of the workflow.
        options: As given.
        signals: The signals it waits for.
        duration: How long it sleeps.
        group: The ``with parallel():`` it was written in.
        bound: The classes and names it was assigned to.
        undo_options: The options of ``.compensate``.
    """

    def __init__(
        self,
        kind: StepKind,
        making: str,
        options: dict[str, Any],
        *,
        target: Any = None,
        is_method: bool = False,
        signals: tuple[str, ...] = (),
        duration: Duration | None = None,
    ) -> None:
        body, where = open_body(making)
        self.kind = kind
        self.number = next_number()
        self.where = where
        self.target = target
        self.is_method = is_method
        self.options = options
        self.signals = signals
        self.duration = duration
        self.group = body.group if body else None
        self.bound: list[tuple[type, str]] = []
        self.undo_options: UndoOptions = {}
        if body:
            body.made.append(self)

    def __set_name__(self, owner: type, name: str) -> None:
        self.bound.append((owner, name))  # what is wrong with it is told when the class is compiled

    def __get__(self, instance: object, owner: type) -> StepRef:
        attribute = self.bound[0][1] if self.bound else ""
        return StepRef(self.options.get("name") or attribute, owner)

    def __repr__(self) -> str:
        return f"<step written at {self.where.file}:{self.where.line}>"

    if not TYPE_CHECKING:

        def __call__(self, *_args: object, **_named: object) -> NoReturn:
            raise here(self.where.owner, self.label).error(
                "a step is called by the engine only; its options go to step(retry=…) or task(…, retry=…)"
            )

    @property
    def label(self) -> str:
        """The name to call it by in messages while the class isn't complete, as far as the source tells."""
        return str(self.options.get("name") or assigned_name(self.where) or self._decorated_name())

    def _decorated_name(self) -> str:
        code = getattr(self.target, "__code__", None)
        if code is None or code.co_filename != self.where.file:
            return ""
        written_here = 0 <= self.where.line - code.co_firstlineno < _MOST_DECORATOR_LINES
        return str(code.co_name) if written_here and code.co_name != "<lambda>" else ""

    @overload
    def compensate(self, function: F, /) -> F: ...
    @overload
    def compensate(self, /, **options: Unpack[UndoOptions]) -> Callable[[F], F]: ...
    def compensate(self, function: Any = None, /, **options: Any) -> Any:
        """Say how the step is undone: a decorator for a method of ``self``, or a function of ctx.

        It may take the step's result as a second argument. The decorated function stays what it is.

        Args:
            function: What undoes the step.
            **options: ``external=True`` (it only starts the undo elsewhere, ``complete_step`` ends it) and
                ``timeout`` (seconds, ``timedelta`` or text; the step's own unless given).

        Raises:
            DefinitionError: The step has a compensation already, or this one takes the step's own name.
        """
        where = here(self.where.owner)
        check_names(options, UNDO, "compensate", where.of(where.owner, self.label) if options else where)

        def decorate(function: F) -> F:
            self._set("compensate", function, where)
            self.undo_options = options  # type: ignore[assignment]
            return function

        return decorate if function is None else decorate(function)

    def verify(self, function: F, /) -> F:
        """Say what can be asked about an attempt of unknown outcome: a decorator.

        Args:
            function: A method of ``self`` or a function of ctx that answers ``Landed(result)``,
                ``NOT_LANDED`` or ``UNKNOWN``.

        Raises:
            DefinitionError: The step has one already, or this one takes the step's own name.
        """
        self._set("verify", function, here(self.where.owner))
        return function

    def _set(self, option: str, function: Any, where: Where) -> None:
        name = getattr(function, "__name__", None)
        problem = ""
        if not callable(function):
            problem = f'@….{option} decorates a function, not {function!r}; by name it is {option}="name"'
        elif self.options.get(option) is not None:
            problem = f"the step has a second {option}; keep one, and call both from it if both are needed"
        elif name == self.label:
            problem = (
                f"its {option} has the step's own name and would replace it; name it {_OTHER[option]}_{name}"
            )
        if problem:
            raise where.of(where.owner, self.label).error(problem)
        self.options[option] = function


_OTHER = {"compensate": "undo", "verify": "verify"}


StepName = str | StepDef | StepRef
After = StepName | Sequence[StepName]


def step_name(step: object) -> str:
    """Give the name of a step that is given by name or as its object (``Checkout.fulfil``).

    Raises:
        TypeError: It is neither.
    """
    if isinstance(step, str):
        return step
    if isinstance(step, StepRef):
        return step.name
    if isinstance(step, StepDef):
        return str(step.options.get("name") or (step.bound[0][1] if step.bound else step.label))
    raise TypeError(f'{step!r} is no step; give its name ("fulfil") or its object (Checkout.fulfil)')
